"""Census income, daily: the day's raw files to a checked dataset version, a trained model, perhaps a new champion.

### What
`validate >> etl >> train >> evaluate >> promote >> champion` of recipe `census_wide_deep`, each but the last a
spark-submit of a job. The day's files are in `<emberline_census_raw>/<YYYYMMDD>/`. A day that passes `validate` and a
new champion each start `emberline_census_wide_deep_score`. Trigger with `overrides` to change fields of the recipe,
`input` for other files, `day` for those of another day. Either this DAG or `..._incremental` is switched on, not both.

### Re-run
Always safe: clear any task together with those after it. A logical date replaces its own outputs only, each all at
once. A retry finds the job that is running, or has finished, and starts no second one; `train` goes on from its last
checkpoint. A refused model skips `champion`, and the run is a success: the champion stays.

### Triage
Failed without a retry: the input is bad (exit code 2): no rows, a missing column, too many bad rows. The end of the
log says what to change; then clear the task. Failed after retries: cluster or MLflow were unreachable; look there,
then clear the task. Rows that were put aside, with reasons: `rejected/` in the dataset version.
`train` stays scheduled: no slot is free in pool `emberline_training`, or nobody made it (`airflow pools list`).
"""

from airflow.sdk import DAG, chain
from recipe_tasks import PARAMS, SETTINGS, RecipeTasks
from spark_job import DAILY

RECIPE = RecipeTasks("census_wide_deep", data="census")

with DAG(
    "emberline_census_wide_deep",
    schedule=DAILY,
    params=PARAMS,
    tags=["emberline", "census"],
    doc_md=__doc__,
    **SETTINGS,
):
    chain(RECIPE.validate(), RECIPE.etl(), RECIPE.train(), RECIPE.evaluate(), RECIPE.promote(), RECIPE.champion())
