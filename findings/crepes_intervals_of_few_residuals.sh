#!/usr/bin/env bash
# crepes 0.9.1: prediction intervals of a conformal regressor are one rank too wide where the share fits the number of
# residuals exactly: with nine residuals and 90 % the largest of them is due, and the interval is endless; with 19 and
# 90 % the second largest is due, and the interval is that of 95 %. `int((1 - confidence) * (n + 1))` rounds down what
# a computer makes of 0.1 * 10. Groups of nine (Mondrian bins) never get an interval, and a study of confidence against
# width sees steps where there are none.
#
# Seen, of residuals 1 to n, half width: n = 9, 90 %: inf, due 9; n = 19, 90 %: 19, due 18; n = 19, 95 %: 19, due 19
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet crepes==0.9.1 scikit-learn==1.9.1 numpy==2.4.6
found=$("$folder/venv/bin/python" -W ignore - <<'PYTHON'
import math
from fractions import Fraction

import numpy
from crepes import ConformalRegressor

shown = []
for count, confidence in ((9, "0.9"), (19, "0.9"), (19, "0.95")):
    regressor = ConformalRegressor().fit(numpy.arange(1.0, count + 1))
    width = regressor.predict_int(numpy.zeros(1), confidence=float(confidence))[0, 1]
    shown.append(f"{count} at {confidence}: {width:.0f}, due {math.ceil(Fraction(confidence) * (count + 1))}")
print("; ".join(shown))
PYTHON
)
echo "crepes 0.9.1: $found"
[ "$found" = "9 at 0.9: inf, due 9; 19 at 0.9: 19, due 18; 19 at 0.95: 19, due 19" ]
