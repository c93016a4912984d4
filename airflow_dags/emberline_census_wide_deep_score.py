"""Census income: predictions of a day, whenever there is a new day or a new champion.

### What
`champion_known >> score` of recipe `census_wide_deep`, once for each partition that an event names: a day that passed
the check, or the day on which a new champion was trained, which then scores that day again. Skipped as long as no
champion was ever announced. Trigger with `day` (and `model`, `input`) to score any day with any model.

### Re-run
Always safe: predictions of a day are replaced, all at once, never added to. Until then the earlier ones stay readable.

### Triage
Failed without a retry: the rows do not fit the model, or the alias `champion` is gone (exit code 2). Rows that were put
aside, with reasons: `_rejected` beside the predictions. A champion that was named by hand is not known here: create an
event of the asset `emberline_champion_census_wide_deep`, or trigger with `model`.
"""

from airflow.sdk import DAG, PartitionedAssetTimetable
from recipe_assets import champion, day
from recipe_tasks import MODEL, PARAMS, SETTINGS, RecipeTasks

RECIPE = RecipeTasks("census_wide_deep", data="census")

with DAG(
    "emberline_census_wide_deep_score",
    params=PARAMS | {"model": MODEL},
    tags=["emberline", "census"],
    schedule=PartitionedAssetTimetable(assets=day("census") | champion("census_wide_deep")),
    doc_md=__doc__,
    **SETTINGS,
):
    RECIPE.champion_known() >> RECIPE.score()
