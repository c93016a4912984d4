#!/usr/bin/env bash
# feature-engine 1.9.4: `DropHighPSIFeatures` with its defaults gives a PSI of 0.0, no drift at all, to a 0/1 column
# whose share of ones goes from 1 % to 99 %, and to an amount that was zero for 95 % and is for 5 %: its ten bins of
# equal frequency have their edges in the reference, edges that fall on one value are merged, and one bin is left,
# which holds all rows on both sides. Bins of equal width see it. Flags, rare events and amounts that are mostly zero
# are the columns that this guard is blind to, silently.
#
# Seen: flag 0.0, amount 0.0; by the definition over the flag's two values 9.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet feature-engine==1.9.4 pandas==3.1.1 numpy==2.4.6
found=$("$folder/venv/bin/python" -W ignore - <<'PYTHON'
import numpy
import pandas
from feature_engine.selection import DropHighPSIFeatures

draw = numpy.random.default_rng(0).permutation(1000)
before, now = draw < 10, draw < 990
amounts = [numpy.where(draw < zeros, 0.0, 1.0 + draw) for zeros in (950, 50)]
table = pandas.DataFrame({"flag": numpy.r_[before, now].astype(int), "amount": numpy.concatenate(amounts)})
found = DropHighPSIFeatures(split_frac=0.5).fit(table).psi_values_
shares = numpy.array([[1 - side.mean(), side.mean()] for side in (before, now)])
true = ((shares[1] - shares[0]) * numpy.log(shares[1] / shares[0])).sum()
print(f"flag {found['flag']:.1f}, amount {found['amount']:.1f}; flag by definition {true:.1f}")
PYTHON
)
echo "feature-engine 1.9.4: $found"
[ "$found" = "flag 0.0, amount 0.0; flag by definition 9.0" ]
