"""The DAGs beside the daily one, run by Airflow's own processes: monthly, incremental, drift, weekly, side by side.

The tests of this file follow one another: each goes on where the one before has ended.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.airflow_dags.airflow_world import (
    COMPARE,
    CONNECTION_PASSWORD,
    DRIFT,
    INCREMENTAL,
    MODEL,
    RETRAIN,
    SCORE,
    SECRETS,
    TEST_ROWS,
    TRAIN_ROWS,
    TUNE,
    World,
    deliver,
    wait_for,
)

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("census")]  # each goes on where the one before it ended

TODAY = datetime.now(UTC)
YESTERDAY = TODAY - timedelta(days=1)
# The month's training runs on its first, and announces the day before; the daily one is about yesterday.
FIRST, DAY, DRIFTED = f"{TODAY.replace(day=1) - timedelta(days=1):%Y%m%d}", f"{YESTERDAY:%Y%m%d}", "20260105"
HOURS = 12
"""Place of `hours_per_week` in a line."""


def part_time(name: str, lines: list[str]) -> list[str]:
    """Everybody works a third as long: no row is wrong, all are different."""
    cells = [line.split(", ") for line in lines]
    return [", ".join([*row[:HOURS], str(int(row[HOURS]) // 3), *row[HOURS + 1 :]]) for row in cells]


def switch_on(world: World, *dags: str) -> None:
    for dag in dags:
        world.ask("PATCH", f"/api/v2/dags/{dag}", {"is_paused": False})


def of_the_clock(world: World, dag: str) -> str:
    """The run that begins as soon as a DAG is switched on: the latest that is due."""
    wait_for(f"the clock to start {dag}", lambda: world.runs(dag, "scheduled"))
    (run,) = (one["dag_run_id"] for one in world.runs(dag, "scheduled"))
    return str(run)


def last_line(world: World, dag: str, run: str, task: str) -> Any:
    """What a job said at its end, as the tasks after it see it."""
    path = f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}/xcomEntries/return_value?stringify=false"
    return world.ask("GET", path)["value"]


def run_of_version(world: World, version: int) -> Any:
    """The MLflow run of the training behind a registered version."""
    return world.registry().get_run(world.registry().get_model_version(MODEL, str(version)).run_id)


def test_the_month_trains_from_everything_and_names_the_first_champion(world: World, census: Path) -> None:
    for day in {"all", FIRST, DAY}:
        deliver(world, census, day, 0)
    switch_on(world, RETRAIN, SCORE)
    run = of_the_clock(world, RETRAIN)
    assert world.ended(RETRAIN, run) == "success", world.states(RETRAIN, run)
    assert set(world.states(RETRAIN, run).values()) == {"success"}
    assert world.champion() == world.versions() == 1
    version = world.root / "datasets" / RETRAIN / "census_wide_deep" / f"{TODAY:%Y%m}01T000000"
    assert json.loads((version / "manifest.json").read_text())["source"]["uri"].endswith("/raw/all")
    wait_for("predictions", lambda: world.scored(FIRST) == ["success"], 240)
    table = world.predictions(FIRST)
    assert table.num_rows == len(set(table["row"].to_pylist())) == TRAIN_ROWS + TEST_ROWS
    assert table["model_version"].unique().to_pylist() == [1]


def test_a_day_like_the_others_is_learned_from_the_champions_weights_and_starts_no_retraining(world: World) -> None:
    switch_on(world, INCREMENTAL, DRIFT)
    run = of_the_clock(world, INCREMENTAL)
    assert world.ended(INCREMENTAL, run) == "success", world.states(INCREMENTAL, run)
    world.quiet()

    assert world.versions() == 2
    candidate, champion = run_of_version(world, 2), run_of_version(world, 1)
    assert candidate.data.tags["emberline.warm_start.model"] == f"models:/{MODEL}/1"
    assert candidate.data.tags["emberline.warm_start.digest"] == champion.data.tags["emberline.model_digest"]
    # Its ids mean what they mean to the champion.
    folders = (
        world.root / "datasets" / dag / "census_wide_deep" / f"{day}T000000"
        for dag, day in ((INCREMENTAL, DAY), (RETRAIN, f"{TODAY:%Y%m}01"))
    )
    mine, his = (json.loads((folder / "features.json").read_text())["statistics"] for folder in folders)
    assert mine == his
    # Who begins where another has ended has less to unlearn.
    (first, *_), (untrained, *_) = (losses(world, one.info.run_id) for one in (candidate, champion))
    assert first < untrained

    (looked,) = (one["dag_run_id"] for one in world.runs(DRIFT) if one["partition_key"] == DAY)
    assert world.states(DRIFT, looked) == {
        "champion_known": "success",
        "drift": "success",
        "drifted": "success",
        "retrain": "skipped",
    }
    assert len(world.runs(RETRAIN)) == 1


def losses(world: World, run: str) -> list[float]:
    """Of each epoch of a training."""
    history = world.registry().get_metric_history(run, "loss")
    return [one.value for one in sorted(history, key=lambda one: one.step)]


def test_a_day_unlike_the_others_starts_one_retraining_however_often_it_is_looked_at(
    world: World, census: Path
) -> None:
    deliver(world, census, DRIFTED, 1, part_time)
    for name in ("adult.data", "adult.test"):  # those who keep the history have seen the new rows, too
        with (world.raw / "all" / name).open("a") as history:
            history.write((world.raw / DRIFTED / name).read_text())
    daily, versions = world.trigger(INCREMENTAL, DRIFTED), world.versions()
    run = f"drift__{DRIFTED}"
    wait_for("a retraining", lambda: run in [one["dag_run_id"] for one in world.runs(RETRAIN)], 300)
    assert world.ended(RETRAIN, run) == "success", world.states(RETRAIN, run)
    assert world.ended(INCREMENTAL, daily) == "success", world.states(INCREMENTAL, daily)
    world.quiet()

    (looked,) = (one["dag_run_id"] for one in world.runs(DRIFT) if one["partition_key"] == DRIFTED)
    assert set(world.states(DRIFT, looked).values()) == {"success"}
    assert "hours_per_week" in last_line(world, DRIFT, looked, "drift")["drifted_fields"]
    assert world.versions() == versions + 2  # one from the champion's weights, one from everything
    # Whoever became champion has scored the day.
    assert set(world.scored(DRIFTED)) == {"success"}
    assert world.predictions(DRIFTED)["model_version"].unique().to_pylist() == [world.champion()]

    world.clear(DRIFT, looked, "retrain")
    wait_for("another look", lambda: world.states(DRIFT, looked)["retrain"] == "skipped")
    assert [one["dag_run_id"] for one in world.runs(RETRAIN)].count(run) == 1
    assert len(world.runs(RETRAIN)) == 2


def test_the_weekly_search_tells_its_best_trial_and_changes_nothing_else(world: World) -> None:
    champion, versions, trials = world.champion(), world.versions(), 2
    switch_on(world, TUNE)
    due = of_the_clock(world, TUNE)  # of twenty trials: too long for us
    world.ask("PATCH", f"/api/v2/dags/{TUNE}/dagRuns/{due}", {"state": "failed"})
    run = world.trigger(TUNE, "20260106", trials=trials)
    assert world.ended(TUNE, run) == "success", world.states(TUNE, run)

    told = last_line(world, TUNE, run, "tune")
    searched = world.registry().get_run(told["run_id"])
    below = world.registry().search_runs(
        [searched.info.experiment_id], f"tags.`mlflow.parentRunId` = '{told['run_id']}'"
    )
    assert told["trials"] == {"complete": trials}
    assert len(below) == trials
    assert told["best"] == max(one.data.metrics[told["metric"]] for one in below)
    assert Path(told["training"].removeprefix("file://"), "model", "saved_model.pb").exists()
    assert all(override.startswith(("training.", "model.")) for override in told["overrides"])
    assert (world.champion(), world.versions()) == (champion, versions)


def test_three_recipes_are_compared_on_one_page(world: World) -> None:
    champion, versions = world.champion(), world.versions()
    switch_on(world, COMPARE)
    run = world.trigger(COMPARE, "20260106")
    assert world.ended(COMPARE, run, 800) == "success", world.states(COMPARE, run)

    recipes = {"census_linear", "census_wide_deep", "census_best"}
    assert {name.partition(".")[0] for name in world.states(COMPARE, run)} == {*recipes, "compare"}
    (page,) = (world.root / "comparisons").iterdir()
    told = last_line(world, COMPARE, run, "compare")
    assert told["page"] == page.as_uri()
    assert {name.split()[0] for name in told["runs"]} == recipes
    assert all(recipe in page.read_text() for recipe in recipes)
    assert all(0.5 < value < 1 for value in told["metrics"]["accuracy"])
    assert (world.champion(), world.versions()) == (champion, versions)


@pytest.mark.parametrize(
    ("dag", "node", "nodes"), [(RETRAIN, "evaluate", 5), (DRIFT, "retrain", 4), (COMPARE, "compare", 4)]
)
def test_people_see_grid_and_graph(world: World, browser: Any, dag: str, node: str, nodes: int) -> None:
    """Groups count as one until somebody opens them."""
    page = f"{world.api}/dags/{dag}"
    for view, shown in (
        ("grid", f"document.querySelectorAll('a[href*=\"/tasks/{node}\"]').length > 0"),
        ("graph", f"document.querySelectorAll('.react-flow__node').length >= {nodes}"),
    ):
        chosen = f"localStorage.setItem('default_dag_view', JSON.stringify('{view}')) === undefined"
        browser.see("airflow", page, f"document.body.innerText.includes('{dag}')", chosen)
        assert node in browser.see(f"{dag}-{view}", page, shown)


def test_nobody_wrote_down_a_secret(world: World) -> None:
    """Logs, XComs, parameters and rendered commands of Airflow, MLflow's store and artifacts, Spark's logs, outputs."""
    files = [path for path in world.folder.rglob("*") if path.is_file() and not path.is_symlink()]
    texts = {path: path.read_bytes() for path in files}
    told = [path for path, text in texts.items() if MODEL.encode() in text]
    assert {"airflow.db", "mlflow.db", "registered.json"} <= {path.name for path in told}, "not looked at"
    secrets = [secret.encode() for secret in (*SECRETS.values(), CONNECTION_PASSWORD)]
    assert [path for path, text in texts.items() if any(secret in text for secret in secrets)] == []
