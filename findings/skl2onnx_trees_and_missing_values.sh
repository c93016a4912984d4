#!/usr/bin/env bash
# skl2onnx 1.20.0: a scikit-learn tree that has learned which way missing values go sends them the other way once it is
# converted: where the original says 1 with certainty, the ONNX model says 0. Forests differ alike.
# `SimpleImputer(add_indicator=True)` loses its indicator columns. Both convert silently, and agree on every row that
# is complete, which are the rows that such conversions are tried on.
#
# Seen, probability of a missing x, by scikit-learn 1.9.1 and by the ONNX model: tree 1.0 0.0, forest 0.9 0.1; columns
#   of the imputer: 2 and 1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet skl2onnx==1.20.0 scikit-learn==1.9.1 onnx==1.23.2 onnxruntime==1.32.0
found=$("$folder/venv/bin/python" -W ignore - <<'PYTHON'
import numpy
import onnxruntime
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.tree import DecisionTreeClassifier

rows = numpy.array([[0], [1], [2], [3], [numpy.nan], [numpy.nan]], numpy.float32)
label = [1, 1, 0, 0, 1, 1]


def converted(model):
    options = {"zipmap": False} if hasattr(model, "predict_proba") else None
    graph = convert_sklearn(model, initial_types=[("x", FloatTensorType([None, 1]))], options=options)
    return onnxruntime.InferenceSession(graph.SerializeToString()).run(None, {"x": rows})[-1]


shown = []
for name, model in {
    "tree": DecisionTreeClassifier(),
    "forest": RandomForestClassifier(10, random_state=0),
}.items():
    first, second = model.fit(rows, label).predict_proba(rows)[:, 1], converted(model)[:, 1]
    assert numpy.allclose(first[:4], second[:4], atol=1e-5)
    shown.append(f"{name} {first[-1]:.1f} {second[-1]:.1f}")
imputer = SimpleImputer(add_indicator=True).fit(rows)
print(", ".join(shown) + f", imputer {imputer.transform(rows).shape[1]} {converted(imputer).shape[1]}")
PYTHON
)
echo "skl2onnx 1.20.0: $found"
[ "$found" = "tree 1.0 0.0, forest 0.9 0.1, imputer 2 1" ]
