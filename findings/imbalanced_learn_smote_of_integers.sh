#!/usr/bin/env bash
# imbalanced-learn 0.14.2: SMOTE of a table of integers cuts what it interpolates down to whole numbers. Of a column of 0
# and 1 the new rows have a 1 only where both of their neighbours had one, and a count is too small by half a unit on
# average: the made-up minority differs from the real one in a direction that a model can learn. The same table as
# floats is not cut. One-hot columns of `get_dummies(dtype=int)`, ages and counts are such tables.
#
# Seen, of 60 rows of the minority with a 1 in 53 % of them, mean of the column in the new rows:
#   int64 0.33, float64 0.53
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet imbalanced-learn==0.14.2 scikit-learn==1.9.1
found=$("$folder/venv/bin/python" - <<'PYTHON'
import numpy
from imblearn.over_sampling import SMOTE

draw = numpy.random.default_rng(1)
label = numpy.r_[numpy.zeros(400, int), numpy.ones(60, int)]
rows = numpy.c_[draw.integers(0, 2, 460), draw.integers(0, 100, 460)]
means = {}
for kind in ("int64", "float64"):
    more, _ = SMOTE(random_state=1).fit_resample(rows.astype(kind), label)
    means[kind] = more[460:, 0].mean()
print(", ".join(f"{kind} {mean:.2f}" for kind, mean in means.items()))
PYTHON
)
echo "imbalanced-learn 0.14.2: $found"
[ "$found" = "int64 0.33, float64 0.53" ]
