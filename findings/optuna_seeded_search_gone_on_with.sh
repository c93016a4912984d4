#!/usr/bin/env bash
# Optuna 5.0.0: a search with a seeded sampler that is stopped and gone on with from its storage tries the same points
# again, one by one: the sampler's state is not stored, and its seed starts over. TPE is no exception as long as it
# draws at random, which are its first ten trials, failed and pruned ones aside.
#
# A search that is restarted every night, or after each lost machine, with the seed that makes it reproducible, pays for
# the same trials every time. Workers that share a storage and a seed repeat each other alike.
#
# Seen: five trials before and five after are equal, by RandomSampler and by TPESampler.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet optuna==5.0.0
cd "$folder"
found=$("$folder/venv/bin/python" - <<'PYTHON'
import optuna

optuna.logging.set_verbosity(optuna.logging.WARNING)
for sampler in (optuna.samplers.RandomSampler, optuna.samplers.TPESampler):
    for _ in ("first day", "second day"):
        study = optuna.create_study(
            study_name=sampler.__name__, storage="sqlite:///trials.db", load_if_exists=True, sampler=sampler(seed=1)
        )
        study.optimize(lambda trial: (trial.suggest_float("x", 0, 10) - 3) ** 2, n_trials=5)
    tried = [trial.params["x"] for trial in study.trials]
    print(f"{sampler.__name__}: {len(tried)} trials, {len(set(tried))} different")
PYTHON
)
echo "optuna 5.0.0:"
echo "$found"
[ "$found" = "RandomSampler: 10 trials, 5 different
TPESampler: 10 trials, 5 different" ]
