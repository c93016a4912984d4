#!/usr/bin/env bash
# utilsforecast 0.2.17: a time at which no value was observed counts as a miss of the forecast in `coverage` and
# `calibration`, and adds to `scaled_crps`, while `mae`, `quantile_loss` and the others of the same module leave it
# out, as the same rows without it do. Of intervals that hold every value that was observed, half are "not covered" if
# half of the values are missing. Nothing is said. Sensors with gaps and shops that are closed on some days seem to have
# intervals that are too narrow, the more so the more is missing, and whoever widens them until 80 % is reached gets
# intervals that hold everything.
#
# Seen, of four values in their intervals with four times without a value added: coverage 1.0 and 0.5, calibration 1.0
#   and 0.5, scaled CRPS 0.027 and 0.053; mean absolute error 1.0 and 1.0, quantile loss 0.2 and 0.2
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet utilsforecast==0.2.17 pandas==3.1.1 numpy==2.4.6
found=$("$folder/venv/bin/python" -W ignore - <<'PYTHON'
import numpy
import pandas
from utilsforecast import losses

observed = pandas.DataFrame({"unique_id": "a", "ds": range(4), "y": [14.0, 15.0, 16.0, 15.0]})
gaps = pandas.DataFrame({"unique_id": "a", "ds": range(4, 8), "y": numpy.nan})
quantiles = numpy.array([0.1, 0.9])
for rows in (observed, pandas.concat([observed, gaps], ignore_index=True)):
    forecast = rows.assign(**{"m": 15.0, "m-lo-80": 13.0, "m-hi-80": 17.0})
    forecast.loc[1, "m"] = 17.0
    answers = {
        "coverage": losses.coverage(forecast, ["m"], level=80),
        "calibration": losses.calibration(forecast, {"m": "m-hi-80"}),
        "scaled_crps": losses.scaled_crps(forecast, {"m": ["m-lo-80", "m-hi-80"]}, quantiles=quantiles),
        "mae": losses.mae(forecast, ["m"]),
        "quantile_loss": losses.quantile_loss(forecast, {"m": "m-hi-80"}, q=0.9),
    }
    values = ", ".join(f"{name} {answer['m'].iloc[0]:.3f}" for name, answer in answers.items())
    print(f"{len(forecast)} rows: {values}")
PYTHON
)
echo "utilsforecast 0.2.17:"
echo "$found"
[ "$found" = "4 rows: coverage 1.000, calibration 1.000, scaled_crps 0.027, mae 1.000, quantile_loss 0.200
8 rows: coverage 0.500, calibration 0.500, scaled_crps 0.053, mae 1.000, quantile_loss 0.200" ]
