#!/usr/bin/env bash
# m2cgen 0.10.0 and lleaves 1.3.0: a LightGBM model with linear leaves (`linear_tree=True`) is compiled as if each leaf
# held one number: the slopes are left out, without a word. What is left is close where a leaf covers little, so that a
# look at a few rows of the training data reassures; beyond the data, where linear leaves are chosen to go on, the
# answer stands still. treelite 4.8.1 refuses such a model.
#
# Seen, of y = 3 x learned for x from 0 to 10, at x = 8 and 20: LightGBM 23.9 and 59.6, m2cgen 24.1 and 29.1, lleaves
#   24.1 and 29.1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet m2cgen==0.10.0 lleaves==1.3.0 llvmlite==0.44.0 treelite==4.8.1 lightgbm==4.7.0 \
  scikit-learn==1.9.1 pandas==3.1.1
cd "$folder"
found=$("$folder/venv/bin/python" -W ignore - 2>/dev/null <<'PYTHON'
import lightgbm
import lleaves
import m2cgen
import numpy
import treelite

x = numpy.linspace(0, 10, 500).reshape(-1, 1)
model = lightgbm.LGBMRegressor(n_estimators=50, linear_tree=True, verbose=-1).fit(x, 3 * x[:, 0])
asked = numpy.array([[8.0], [20.0]])
code = {}
exec(m2cgen.export_to_python(model), code)
model.booster_.save_model("model.txt")
compiled = lleaves.Model(model_file="model.txt")
compiled.compile()
for name, values in (
    ("lightgbm", model.predict(asked)),
    ("m2cgen", [code["score"](row) for row in asked.tolist()]),
    ("lleaves", compiled.predict(asked)),
):
    print(name, *(f"{value:.1f}" for value in values))
try:
    treelite.frontend.load_lightgbm_model("model.txt")
except treelite.TreeliteError:
    print("treelite refuses")
PYTHON
)
echo "m2cgen 0.10.0, lleaves 1.3.0:"
echo "$found"
[ "$found" = "lightgbm 23.9 59.6
m2cgen 24.1 29.1
lleaves 24.1 29.1
treelite refuses" ]
