"""Census income, weekly: a search for better hyper-parameters over everything there is.

### What
`etl >> tune` of recipe `census_wide_deep` over `<emberline_census_raw>/all/`: `trials` trainings, `parallel` at a time,
each an MLflow run below the search's. It changes no recipe and no champion: a person reads the best trial (XCom
`return_value` of `tune`, or MLflow) and puts its values into the recipe.

### Re-run
Always safe: a retry resumes with the trials that are left. If `etl` is cleared after a search has begun and the data
have changed, `tune` refuses; trigger a new run instead.

### Triage
Failed without a retry: space or data are bad (exit code 2). Trials that fail do not fail the search; MLflow shows them.
`tune` stays scheduled: no slot is free in pool `emberline_training`, or nobody made it (`airflow pools list`).
"""

from airflow.sdk import DAG, Param
from recipe_tasks import EVERYTHING, PARAMS, SETTINGS, RecipeTasks

RECIPE = RecipeTasks("census_wide_deep", data="census", folder=EVERYTHING)
SEARCH = {"trials": Param(20, type="integer", minimum=1), "parallel": Param(1, type="integer", minimum=1)}

with DAG(
    "emberline_census_wide_deep_tune",
    schedule="@weekly",
    params=PARAMS | SEARCH,
    tags=["emberline", "census"],
    doc_md=__doc__,
    **SETTINGS,
):
    RECIPE.etl() >> RECIPE.tune("--trials", "{{ params.trials }}", "--parallel", "{{ params.parallel }}")
