#!/usr/bin/env bash
# CatBoost 1.2.10: a model trained with `nan_mode="Max"`, which puts missing values above all others, is exported as
# code (`save_model(..., format="python")` and `"cpp"`) that puts them below: each split asks "greater than the
# border?", which a NaN answers with no. The exported JSON does name the right side ("AsTrue"). Nothing is said. With
# the default mode, and for rows without NaN, code and model agree.
#
# Seen, of 1, 2, 3, missing with the labels 1, 2, 3, 9: Max: model 1 2 3 9, code 1 2 3 1; Min: model and code 1 2 3 9
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet catboost==1.2.10 numpy==2.4.6
cd "$folder"
found=$("$folder/venv/bin/python" -W ignore - <<'PYTHON'
import json
from pathlib import Path

import catboost
import numpy

rows, label = numpy.array([[1.0], [2.0], [3.0], [numpy.nan]] * 50), [1.0, 2.0, 3.0, 9.0] * 50
for mode in ("Max", "Min"):
    model = catboost.CatBoostRegressor(iterations=50, learning_rate=0.5, nan_mode=mode, verbose=0).fit(rows, label)
    model.save_model("model.py", format="python")
    model.save_model("model.json", format="json")
    code = {}
    exec(Path("model.py").read_text(), code)
    said = [code["apply_catboost_model"](row) for row in rows[:4].tolist()]
    (feature,) = json.loads(Path("model.json").read_text())["features_info"]["float_features"]
    numbers = [" ".join(f"{value:.0f}" for value in values) for values in (model.predict(rows[:4]), said)]
    print(f"{mode}: model {numbers[0]}, code {numbers[1]}, JSON {feature['nan_value_treatment']}")
PYTHON
)
echo "catboost 1.2.10:"
echo "$found"
[ "$found" = "Max: model 1 2 3 9, code 1 2 3 1, JSON AsTrue
Min: model 1 2 3 9, code 1 2 3 9, JSON AsFalse" ]
