"""Census income, monthly and whenever the data drift: a full training from everything there is.

### What
`etl >> train >> evaluate >> promote >> champion` of recipe `census_wide_deep` over `<emberline_census_raw>/all/`, with
new vocabularies and statistics and fresh weights. Starts on the first of a month, and when
`emberline_census_wide_deep_drift` finds a day that differs from what the champion was trained on (run `drift__<day>`).
A new champion scores that day, or the first of the month, again.

### Re-run
Always safe: a logical date replaces its own outputs only. A refused model skips `champion`.

### Triage
As in `emberline_census_wide_deep`. If drift starts it again and again, and the gate refuses each model, then `all/`
does not hold the new kind of rows yet.
"""

from airflow.sdk import DAG, chain
from recipe_tasks import EVERYTHING, PARAMS, SETTINGS, RecipeTasks

RECIPE = RecipeTasks("census_wide_deep", data="census", folder=EVERYTHING)

with DAG(
    "emberline_census_wide_deep_retrain",
    schedule="@monthly",
    params=PARAMS,
    tags=["emberline", "census"],
    doc_md=__doc__,
    **SETTINGS,
):
    chain(RECIPE.etl(), RECIPE.train(), RECIPE.evaluate(), RECIPE.promote(), RECIPE.champion())
