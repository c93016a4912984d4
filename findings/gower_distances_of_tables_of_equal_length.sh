#!/usr/bin/env bash
# gower 0.1.2: `gower_matrix(a, b)` of two different tables that happen to have as many rows each is half invented: it
# computes the part above the diagonal and copies it below, as if the tables were one. The distance of a's second row to
# b's first becomes that of a's first row to b's second. One row more in either table, and all is right. New customers
# are matched with a control group of the same size by distances that belong to other pairs.
#
# Seen, of a = 0, 1, 4 and b = 0, 2, 10: second row 0.2 0.1 0.9, due 0.1 0.1 0.9; third row 1.0 0.9 0.6, due 0.4 0.2
#   0.6; with one more row in b as due
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet gower==0.1.2 pandas==3.1.1 numpy==2.4.6
found=$("$folder/venv/bin/python" -W ignore - <<'PYTHON'
import gower
import numpy
import pandas

first = pandas.DataFrame({"x": [0.0, 1.0, 4.0]})
second = pandas.DataFrame({"x": [0.0, 2.0, 10.0]})
due = numpy.abs(first.to_numpy() - second.to_numpy().T) / 10
longer = pandas.concat([second, second[:1]])
for name, matrix in (
    ("equal length", gower.gower_matrix(first, second)),
    ("one row more", gower.gower_matrix(first, longer)[:, :3]),
):
    wrong = int((~numpy.isclose(matrix, due)).sum())
    print(f"{name}: {matrix[1:].astype(float).round(2).tolist()}, wrong {wrong} of 9")
PYTHON
)
echo "gower 0.1.2:"
echo "$found"
[ "$found" = "equal length: [[0.2, 0.1, 0.9], [1.0, 0.9, 0.6]], wrong 3 of 9
one row more: [[0.1, 0.1, 0.9], [0.4, 0.2, 0.6]], wrong 0 of 9" ]
