"""Census income, daily: the champion learns the day's rows, and the result may become champion.

### What
`validate >> etl >> train >> evaluate >> promote >> champion` like `emberline_census_wide_deep`, but the dataset version
takes the champion's vocabularies and statistics, and the training starts from the champion's weights: minutes instead
of a full training. It needs a champion: the full training or the monthly retrain makes the first. Either this DAG or
the full daily one is switched on, not both.

### Re-run
Always safe, like the full one. A day that is trained again starts from the champion of now, which may have learned that
day already: clear `train` only if its candidate was refused.

### Triage
Failed without a retry: there is no champion, another recipe made it, or the day is bad (exit code 2). Values that the
champion never saw go to its unknown ids: if drift is reported, `..._retrain` is the remedy and starts by itself.
"""

from airflow.sdk import DAG, chain
from recipe_tasks import MODEL, PARAMS, SETTINGS, RecipeTasks
from spark_job import DAILY

RECIPE = RecipeTasks("census_wide_deep", data="census")

with DAG(
    "emberline_census_wide_deep_incremental",
    schedule=DAILY,
    params=PARAMS | {"model": MODEL},
    doc_md=__doc__,
    tags=["emberline", "census"],
    **SETTINGS,
):
    chain(
        RECIPE.validate(),
        RECIPE.etl("--statistics-of", RECIPE.model),
        RECIPE.train("--warm-start", RECIPE.model),
        RECIPE.evaluate(),
        RECIPE.promote(),
        RECIPE.champion(),
    )
