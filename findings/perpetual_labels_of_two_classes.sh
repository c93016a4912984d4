#!/usr/bin/env bash
# perpetual 2.3.0: a classifier of two classes answers with 0 and 1, whatever its classes are called: trained on 1 and
# 2 it predicts 0 and 1, trained on "no" and "yes" too. `classes_` names the right ones, and with three classes the
# right ones are predicted. `score` of the class for scikit-learn compares the two: 10 % of a model that is right in 80
# % of all rows, or 0 %. Nothing is said. Cross-validation and searches by it take the worst model for the best.
#
# Seen, of 4,000 rows, the best possible share of right ones being 0.80: classes 0 and 1: 0.80, 1 and 2: 0.10, no and
#   yes: predicted 0 and 1; three classes 3, 7, 9: predicted 3 7 9
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet perpetual==2.3.0 scikit-learn==1.9.1 pandas==3.1.1 numpy==2.4.6
found=$("$folder/venv/bin/python" -W ignore - 2>/dev/null <<'PYTHON'
import numpy
from perpetual.sklearn import PerpetualClassifier

draw = numpy.random.default_rng(0)
rows = draw.normal(size=(4000, 2))
second = draw.random(4000) < numpy.where(rows[:, 0] > 0, 0.8, 0.2)
shown = []
for classes in ([0, 1], [1, 2], ["no", "yes"]):
    label = numpy.array(classes)[second.astype(int)]
    model = PerpetualClassifier(budget=0.3).fit(rows, label)
    predicted = model.predict(rows)
    right = numpy.mean(predicted.astype(str) == label.astype(str))
    shown.append(f"{classes} predicted {sorted(set(predicted.tolist()))} right {right:.1f}")
label = numpy.array([3, 7, 9])[numpy.digitize(rows[:, 0], [-0.5, 0.5])]
model = PerpetualClassifier(budget=0.3).fit(rows, label)
print("\n".join(shown) + f"\nthree predicted {sorted(set(model.predict(rows).tolist()))}")
PYTHON
)
echo "perpetual 2.3.0:"
echo "$found"
[ "$found" = "[0, 1] predicted [0, 1] right 0.8
[1, 2] predicted [0, 1] right 0.1
['no', 'yes'] predicted [0, 1] right 0.0
three predicted [3, 7, 9]" ]
