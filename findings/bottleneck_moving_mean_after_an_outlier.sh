#!/usr/bin/env bash
# Bottleneck 1.6.0: one huge value makes every later window of `move_mean` wrong, long after it has left the window, to
# the end of the series: the sum is kept by adding what enters and subtracting what leaves, and what was rounded away
# beside the huge value does not come back. An infinite one leaves NaN behind for ever. pandas and Polars give the means
# of what is in the window. One broken reading of a sensor thus silences a year.
#
# Seen, of ones with a single 1e17, window 3, last mean of 1,000: bottleneck 0.0, pandas 1.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet bottleneck==1.6.0 pandas==3.1.1
found=$("$folder/venv/bin/python" - <<'PYTHON'
import bottleneck
import numpy
import pandas

values = numpy.ones(1000)
values[5] = 1e17
means = bottleneck.move_mean(values, 3)[-1], pandas.Series(values).rolling(3).mean().iloc[-1]
values[5] = numpy.inf
print(f"bottleneck {means[0]}, pandas {means[1]}, after an infinite value {bottleneck.move_mean(values, 3)[-1]}")
PYTHON
)
echo "bottleneck 1.6.0: $found"
[ "$found" = "bottleneck 0.0, pandas 1.0, after an infinite value nan" ]
