"""Census income, daily: raw files to a dataset version, a trained model, perhaps a new champion, and predictions.

### What
`etl >> train >> evaluate >> register >> score` of recipe `census_wide_deep`, each a spark-submit of the job of that
name. Everything is written under `<emberline_root>/{datasets,trainings,predictions}/census_wide_deep/<logical date>`.
Deployment values are listed in `spark_job.py`. Trigger it with `overrides` to change fields of the recipe.

### Re-run
Always safe: clear any task together with those after it. A logical date replaces its own outputs only, each all at
once. An interrupted `train` resumes from its last checkpoint, a finished one starts over; `register` leaves a
training that it registered before alone. A champion is replaced only by a better model.

### Triage
Failed without a retry: the input is bad (exit code 2). The log's last lines say what to change; then clear the task.
Failed after retries: cluster or MLflow were unreachable. Look there first, then clear the task.
Rows that were put aside, with reasons: `rejected/` in the dataset version, `_rejected` in the predictions.
"""

from datetime import UTC, datetime

from airflow.sdk import DAG, Param
from spark_job import DEFAULTS, MLFLOW, OVERRIDES, PARTITION, ROOT, spark_job

RECIPE = "census_wide_deep"
RAW = "{{ params.input or var.value.emberline_census_raw }}"
DATASET, TRAINING, PREDICTIONS = (f"{ROOT}/{n}/{RECIPE}/{PARTITION}" for n in ("datasets", "trainings", "predictions"))
TRACKING = ("--tracking-uri", MLFLOW)
PARAMS = {
    "overrides": OVERRIDES,
    "input": Param(None, type=["null", "string"], description="URI of raw files; empty for emberline_census_raw"),
    "model": Param(f"models:/emberline-{RECIPE}@champion", type="string", description="model that scores"),
}

with DAG(RECIPE, schedule="@daily", start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False, max_active_runs=1,
         default_args=DEFAULTS, params=PARAMS, tags=["emberline", "census"], doc_md=__doc__):  # fmt: skip
    etl = spark_job("etl", "--input", RAW, "--output", DATASET, "--overwrite", *TRACKING, recipe=RECIPE)
    train = spark_job("train", "--dataset", DATASET, "--output", TRAINING, "--overwrite", *TRACKING, recipe=RECIPE)
    evaluate = spark_job("evaluate", "--training", TRAINING, "--overwrite", *TRACKING, recipe=RECIPE)
    register = spark_job("register", "--training", TRAINING, *TRACKING, recipe=RECIPE)
    score = spark_job("score", "--model", "{{ params.model }}", "--input", RAW, "--output", PREDICTIONS, "--overwrite",
                      *TRACKING, recipe=RECIPE)  # fmt: skip
    etl >> train >> evaluate >> register >> score
