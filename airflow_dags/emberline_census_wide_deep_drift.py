"""Census income: are a day's rows still like those that the champion was trained on?

### What
`champion_known >> drift >> drifted >> retrain` for each day that passed the check. `drift` compares its statistics with
those in the champion's `features.json`; if they differ, `retrain` starts a run `drift__<day>` of
`emberline_census_wide_deep_retrain`, and is skipped otherwise. Trigger with `day` (and `model`, `input`) to compare any
day with any model.

### Re-run
Always safe: nothing is written but the finding, and a day starts one training, however often it is looked at. To train
once more, clear that run.

### Triage
Failed without a retry: the day or the model cannot be read (exit code 2). What drifted stands in the last line of the
job (XCom `return_value` of `drift`). `Dag … is paused`: switch the full training on, and clear `retrain`.
"""

from airflow.sdk import DAG, PartitionedAssetTimetable
from recipe_assets import day
from recipe_tasks import MODEL, PARAMS, SETTINGS, RecipeTasks

RECIPE = RecipeTasks("census_wide_deep", data="census")

with DAG(
    "emberline_census_wide_deep_drift",
    params=PARAMS | {"model": MODEL},
    tags=["emberline", "census"],
    schedule=PartitionedAssetTimetable(assets=day("census")),
    doc_md=__doc__,
    **SETTINGS,
):
    (
        RECIPE.champion_known()
        >> RECIPE.drift()
        >> RECIPE.drifted()
        >> RECIPE.retrain("emberline_census_wide_deep_retrain")
    )
