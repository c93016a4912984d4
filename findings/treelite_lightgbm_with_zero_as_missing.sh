#!/usr/bin/env bash
# treelite 4.8.1: a LightGBM model trained with `zero_as_missing=True`, as it is for sparse tables, loads without
# complaint and predicts other numbers for every row that has a zero or a NaN where trees look: its trees mark such
# splits with the missing type "zero", and treelite sends zeros the way of ordinary numbers. Loading from the file and
# from memory are alike. lleaves, which compiles the same file, agrees with LightGBM. A table without zeros shows
# nothing.
#
# Seen, of rows of which 30 % are zero, share of rows with another prediction: of the zeros 100 %, of the others 0 %
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet treelite==4.8.1 lightgbm==4.7.0 lleaves==1.3.0 llvmlite==0.44.0 pandas==3.1.1
cd "$folder"
found=$("$folder/venv/bin/python" -W ignore - 2>/dev/null <<'PYTHON'
import lightgbm
import lleaves
import numpy
import treelite

draw = numpy.random.default_rng(0)
rows = draw.normal(size=(2000, 2))
zero = draw.random(2000) < 0.3
rows[zero, 0] = 0
label = numpy.where(zero, 5.0, rows[:, 0])
model = lightgbm.train({"verbose": -1, "zero_as_missing": True}, lightgbm.Dataset(rows, label), 20)
model.save_model("model.txt")
compiled = lleaves.Model(model_file="model.txt")
compiled.compile()
loaded = treelite.frontend.load_lightgbm_model("model.txt")
for name, other in (("treelite", treelite.gtil.predict(loaded, rows).ravel()), ("lleaves", compiled.predict(rows))):
    differs = ~numpy.isclose(other, model.predict(rows), atol=1e-3)
    print(f"{name} differs in {differs[zero].mean():.0%} of the zeros, {differs[~zero].mean():.0%} of the others")
PYTHON
)
echo "treelite 4.8.1:"
echo "$found"
[ "$found" = "treelite differs in 100% of the zeros, 0% of the others
lleaves differs in 0% of the zeros, 0% of the others" ]
