#!/usr/bin/env bash
# River 0.26.1: `metrics.ROCAUC` says 0.5 of scores that scikit-learn gives 0.84: it counts at ten thresholds that lie
# equally far apart between 0 and 1, and the scores of a rare event (clicks, frauds, failures) all lie below the first.
# 0.5 is what a model gets that knows nothing, so that the figure looks like a verdict on the model.
#
# Seen, for 20,000 scores up to 0.001 and as many true classes drawn by them:
#   river 0.500, scikit-learn 0.839
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet river==0.26.1 scikit-learn==1.9.1
found=$("$folder/venv/bin/python" - <<'PYTHON'
import random

from river import metrics
from sklearn.metrics import roc_auc_score

draw = random.Random(1)
scores = [draw.random() * 1e-3 for _ in range(20_000)]
truths = [draw.random() < score / 1e-3 for score in scores]
measured = metrics.ROCAUC()
for score, truth in zip(scores, truths):
    measured.update(truth, {True: score, False: 1 - score})
print(f"river {measured.get():.3f}, scikit-learn {'above 0.8' if roc_auc_score(truths, scores) > 0.8 else 'below'}")
PYTHON
)
echo "river 0.26.1: $found"
[ "$found" = "river 0.500, scikit-learn above 0.8" ]
