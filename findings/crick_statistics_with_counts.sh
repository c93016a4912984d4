#!/usr/bin/env bash
# crick 0.0.8: `SummaryStats` with counts leaves the counts out of the sum: of the value 1 three times and 2 once it
# says that there are 4 values, that their sum is 3 and their mean 0.75, below the smallest of them. The variance is
# wrong too, while skew and kurtosis are right. `add(value, count)` and `update(values, counts)`
# are alike, and `TDigest` of the same package takes the counts as it should. Whoever sums up a histogram, or a table
# grouped by value, gets means that shrink as the counts grow.
#
# Seen, of 1, 1, 1, 2 by counts: count 4, sum 3.0, mean 0.75, variance 0.52; without counts and by NumPy 4, 5.0, 1.25,
#   0.19
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet crick==0.0.8 numpy==2.4.6
found=$("$folder/venv/bin/python" - <<'PYTHON'
import crick
import numpy


def described(values, *counts):
    stats = crick.SummaryStats()
    stats.update(values, *counts)
    return f"{stats.count()} {stats.sum()} {stats.mean()} {stats.var():.2f}"


values, counts = numpy.array([1.0, 2.0]), numpy.array([3, 1])
each = numpy.repeat(values, counts)
true = f"{each.size} {each.sum()} {each.mean()} {each.var():.2f}"
print(f"with counts {described(values, counts)}, without {described(each)}, numpy {true}")
PYTHON
)
echo "crick 0.0.8: count, sum, mean, variance: $found"
[ "$found" = "with counts 4 3.0 0.75 0.52, without 4 5.0 1.25 0.19, numpy 4 5.0 1.25 0.19" ]
