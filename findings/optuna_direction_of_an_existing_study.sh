#!/usr/bin/env bash
# Optuna 5.0.0: `create_study(direction="maximize", load_if_exists=True)` on a study that exists keeps the direction the
# study was made with. Nothing is said: the study minimizes, and `best_value` is the worst of what was found.
#
# Who corrects a forgotten direction="maximize" and starts the search again under the same name goes on searching the
# wrong way, with all earlier trials in its favour.
#
# Seen:
#   asked for MAXIMIZE, got MINIMIZE, best of 1.0 and 9.0: 1.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet optuna==5.0.0
cd "$folder"
found=$("$folder/venv/bin/python" - <<'PYTHON'
import optuna

optuna.logging.set_verbosity(optuna.logging.WARNING)
place = {"study_name": "search", "storage": "sqlite:///trials.db"}
study = optuna.create_study(**place)
for x in (1.0, 9.0):
    study.enqueue_trial({"x": x})
study.optimize(lambda trial: trial.suggest_float("x", 0, 10), n_trials=2)
again = optuna.create_study(**place, direction="maximize", load_if_exists=True)
print(f"asked for MAXIMIZE, got {again.direction.name}, best of 1.0 and 9.0: {again.best_value}")
PYTHON
)
echo "optuna 5.0.0: $found"
[ "$found" = "asked for MAXIMIZE, got MINIMIZE, best of 1.0 and 9.0: 1.0" ]
