"""Census income: three recipes trained and evaluated on the same raw rows, side by side on one page.

### What
For each of `census_linear`, `census_wide_deep` and `census_best` a group `etl >> train >> evaluate`, one training at a
time as pool `emberline_training` allows; then `compare`, which writes `<emberline_root>/comparisons/<date>.html`. Every
recipe has a dataset version of its own, because its columns are its own; rows and split are the same. Runs when
somebody triggers it; `overrides` apply to all three.

### Re-run
Always safe: a logical date replaces its own outputs only. Nothing is registered, and no champion changes.

### Triage
As in `emberline_census_wide_deep`. One group that failed keeps `compare` from running; clear its failed task.
"""

from airflow.sdk import DAG, TaskGroup
from recipe_tasks import EVERYTHING, PARAMS, SETTINGS, RecipeTasks, compare

RECIPES = [
    RecipeTasks(name, data="census", folder=EVERYTHING) for name in ("census_linear", "census_wide_deep", "census_best")
]

with DAG(
    "emberline_census_compare", schedule=None, params=PARAMS, tags=["emberline", "census"], doc_md=__doc__, **SETTINGS
):
    together = compare(RECIPES)
    for recipe in RECIPES:
        with TaskGroup(recipe.recipe):
            recipe.etl() >> recipe.train() >> recipe.evaluate() >> together
