"""Several events at once, as after a backfill or a weekend: Airflow's own scheduler starts one run for each day.

A schedule by asset alone would hand all waiting events to one run, which looks at the first. Nobody has named a
champion here, so that each run ends at its first task.
"""

from typing import Any

import pytest

from tests.airflow_dags.airflow_world import DRIFT, RETRAIN, SCORE, World, wait_for

pytestmark = pytest.mark.slow

DAYS = ("20260105", "20260106", "20260107")


def announce(world: World, asset: str, day: str) -> None:
    """An event as a task leaves it, or a person makes it."""
    (known,) = (one for one in world.ask("GET", "/api/v2/assets?limit=100")["assets"] if one["name"] == asset)
    world.ask("POST", "/api/v2/assets/events", {"asset_id": known["id"], "partition_key": day, "extra": {}})


def days(world: World, dag: str) -> list[Any]:
    return sorted(run["partition_key"] for run in world.runs(dag))


def switch(world: World, *, off: bool) -> None:
    for dag in (SCORE, DRIFT):
        world.ask("PATCH", f"/api/v2/dags/{dag}", {"is_paused": off})


def test_no_day_of_a_burst_is_skipped_and_none_is_done_twice(world: World) -> None:
    switch(world, off=False)
    for day in DAYS:
        announce(world, "emberline_raw_census", day)
    for dag in (SCORE, DRIFT):
        wait_for(f"three runs of {dag}", lambda dag=dag: len(world.runs(dag)) >= 3, 180)
    world.quiet()
    for dag in (SCORE, DRIFT):
        assert days(world, dag) == list(DAYS)
        for run in world.runs(dag):
            assert world.states(dag, run["dag_run_id"])["champion_known"] == "success"
    assert not world.runs(RETRAIN)


def test_a_burst_that_comes_while_the_dags_are_off_is_lost_to_them_as_the_guide_says(world: World) -> None:
    switch(world, off=True)
    missed = [day.replace("202601", "202602") for day in DAYS]
    for day in missed:
        announce(world, "emberline_raw_census", day)
    switch(world, off=False)
    announce(world, "emberline_raw_census", missed[2])  # what the guide tells people to do
    for dag in (SCORE, DRIFT):
        wait_for(f"a fourth run of {dag}", lambda dag=dag: len(world.runs(dag)) > 3, 180)
    world.quiet()
    for dag in (SCORE, DRIFT):
        assert days(world, dag) == [*DAYS, missed[2]]
