"""Airflow's own processes run the census DAGs on a standalone Spark cluster beside an MLflow server; then parts fail.

The tests of this file follow one another, like days: each goes on where the one before has ended.
"""

import json
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from tests.airflow_dags.airflow_world import (
    DAILY,
    DRIFT,
    OVERRIDES,
    SCORE,
    TEST_ROWS,
    TRAIN_ROWS,
    World,
    answers,
    applications,
    deliver,
    wait_for,
)

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("census")]  # each goes on where the one before it ended


def at_random(name: str, lines: list[str]) -> list[str]:
    """Labels that say nothing about their rows: the model that learns them is worse than any champion."""
    if name != "adult.data":
        return lines
    labels = [line.rpartition(", ")[2] for line in lines]
    random.Random(1).shuffle(labels)
    return [f"{line.rpartition(', ')[0]}, {label}" for line, label in zip(lines, labels, strict=True)]


def test_the_clock_starts_a_first_day_that_ends_with_a_champion_and_its_predictions(world: World, census: Path) -> None:
    # The run that starts at midnight takes the day that has ended then.
    day = f"{datetime.now(UTC) - timedelta(days=1):%Y%m%d}"
    deliver(world, census, day, 0)
    for dag in (DAILY, SCORE):
        world.ask("PATCH", f"/api/v2/dags/{dag}", {"is_paused": False})
    wait_for("the clock", lambda: world.runs(DAILY))
    (run,) = (one["dag_run_id"] for one in world.runs(DAILY))
    assert world.ended(DAILY, run) == "success", world.states(DAILY, run)
    assert set(world.states(DAILY, run).values()) == {"success"}
    assert world.champion() == world.versions() == 1
    wait_for("predictions", lambda: world.scored(day) == ["success", "success"], 300)
    # The day came before there was a champion: nothing to score with yet.
    early, late = (one["dag_run_id"] for one in world.runs(SCORE))
    assert world.states(SCORE, early) == {"champion_known": "success", "score": "skipped"}
    assert world.states(SCORE, late) == {"champion_known": "success", "score": "success"}
    table = world.predictions(day)
    assert table.num_rows == len(set(table["row"].to_pylist())) == TRAIN_ROWS + TEST_ROWS
    assert table["model_version"].unique().to_pylist() == [1]


@pytest.mark.parametrize(
    ("day", "change", "reason"),
    [
        (
            "20260102",
            lambda name, lines: [line if at % 3 else f"old, {line}" for at, line in enumerate(lines)],
            "rejected",
        ),
        ("20260103", lambda name, lines: [line.partition(", ")[2] for line in lines], "rejected"),
        ("20260104", lambda name, lines: [], "no rows"),
    ],
    ids=["corrupt", "without a column", "empty"],
)
def test_a_bad_day_ends_at_the_check_and_changes_nothing(
    world: World, census: Path, day: str, change: Callable[[str, list[str]], list[str]], reason: str
) -> None:
    champion, versions = world.champion(), world.versions()
    deliver(world, census, day, 1, change)
    run = world.trigger(DAILY, day)
    assert world.ended(DAILY, run) == "failed"
    tasks = world.tasks(DAILY, run)
    assert tasks["validate"]["state"] == "failed"
    assert tasks["validate"]["try_number"] == 1  # bad data stays bad
    assert {task["state"] for name, task in tasks.items() if name != "validate"} == {"upstream_failed"}
    log = world.task_log(DAILY, run, "validate")
    assert reason in log
    assert "Last line of its job" in log
    assert f"MLflow run: {world.mlflow}/#/runs/" in log
    assert world.scored(day) == []
    assert not (world.root / "predictions" / "census_wide_deep" / day).exists()
    assert not (world.root / "datasets" / DAILY / "census_wide_deep" / f"{day}T000000").exists()
    assert world.champion() == champion
    assert world.versions() == versions


def test_a_day_like_the_champions_own_starts_no_retraining(world: World) -> None:
    day = world.runs(SCORE)[0]["partition_key"]
    world.ask("PATCH", f"/api/v2/dags/{DRIFT}", {"is_paused": False})
    run = world.trigger(DRIFT, day)
    assert world.ended(DRIFT, run) == "success"
    assert world.states(DRIFT, run) == {
        "champion_known": "success",
        "drift": "success",
        "drifted": "success",
        "retrain": "skipped",
    }
    world.ask("PATCH", f"/api/v2/dags/{DRIFT}", {"is_paused": True})


def test_a_backfilled_days_worse_model_is_refused_whatever_fails_meanwhile(world: World, census: Path) -> None:
    """No MLflow when it begins, and a scheduler that is killed during `etl`."""
    day, versions, champion = "20260105", world.versions(), world.champion()
    deliver(world, census, day, 2, at_random)
    world.processes.kill("mlflow")
    date = f"{day[:4]}-{day[4:6]}-{day[6:]}T00:00:00Z"
    body = {
        "dag_id": DAILY, "from_date": date, "to_date": date, "max_active_runs": 1, "run_backwards": False,
        "dag_run_conf": {"overrides": OVERRIDES}, "reprocess_behavior": "none",
    }  # fmt: skip
    world.ask("POST", "/api/v2/backfills", body)
    wait_for("the backfill", lambda: world.runs(DAILY, "backfill"))
    (run,) = (one["dag_run_id"] for one in world.runs(DAILY, "backfill"))
    wait_for("a retry", lambda: world.tasks(DAILY, run)["validate"]["try_number"] > 1, 180)
    world.processes.again("mlflow")
    wait_for("MLflow", lambda: answers(f"{world.mlflow}/health"))
    before = len(applications(world, "etl"))
    wait_for("etl in Spark", lambda: len(applications(world, "etl")) > before, 240, 0.5)
    world.processes.kill("scheduler", group=False)
    time.sleep(5)
    world.processes.again("scheduler")

    assert world.ended(DAILY, run) == "success", world.states(DAILY, run)
    world.quiet()
    # Refused is not failed: what follows is skipped, and everything stays as it was.
    states = world.states(DAILY, run)
    assert states.pop("champion") == "skipped"
    assert set(states.values()) == {"success"}
    assert world.champion() == champion
    assert world.versions() == versions + 1
    # Nobody began while another was at it.
    ran = applications(world, "etl")[before:]
    assert all(earlier.ended <= later.began for earlier, later in pairwise(ran)), ran
    assert world.scored(day) == ["success"]
    table = world.predictions(day)
    assert table.num_rows == len(set(table["row"].to_pylist())) == TRAIN_ROWS + TEST_ROWS
    assert table["model_version"].unique().to_pylist() == [champion]


def test_a_day_with_a_few_bad_rows_outlives_a_spark_worker_killed_in_training(world: World, census: Path) -> None:
    day, versions, spoilt = "20260106", world.versions(), 20

    def a_few(name: str, lines: list[str]) -> list[str]:
        return [line if number >= spoilt else f"old, {line}" for number, line in enumerate(lines)]

    deliver(world, census, day, 3, a_few)
    # Long enough to be interrupted.
    run = world.trigger(DAILY, day, overrides=[*OVERRIDES[1:], "training.epochs=40"])
    training = world.root / "trainings" / DAILY / "census_wide_deep" / f"{day}T000000"
    wait_for("a checkpoint", lambda: list(training.rglob("position.json")), 400, 0.5)
    world.processes.kill("worker-1")
    time.sleep(3)
    world.processes.again("worker-1")

    assert world.ended(DAILY, run) == "success", world.states(DAILY, run)
    world.quiet()
    assert world.versions() == versions + 1
    version = world.root / "datasets" / DAILY / "census_wide_deep" / f"{day}T000000"
    assert json.loads((version / "manifest.json").read_text())["rows_rejected"] == 2 * spoilt
    promoted = world.states(DAILY, run)["champion"] == "success"
    assert world.scored(day) == ["success"] * (2 if promoted else 1)
    table = world.predictions(day)
    assert table.num_rows == len(set(table["row"].to_pylist())) == TRAIN_ROWS + TEST_ROWS - 2 * spoilt
    assert table["model_version"].unique().to_pylist() == [world.champion()]


def test_clearing_a_day_replaces_its_outputs_and_doubles_nothing(world: World) -> None:
    run, day = world.runs(DAILY, "manual")[-1]["dag_run_id"], "20260106"
    before, versions = world.predictions(day), world.versions()
    world.clear(DAILY, run, "evaluate")
    wait_for("a new beginning", lambda: world.states(DAILY, run)["evaluate"] not in ("success",))
    assert world.ended(DAILY, run) == "success"
    world.quiet()
    assert world.predictions(day).num_rows == before.num_rows
    # register left alone what it had registered before.
    assert world.versions() == versions
