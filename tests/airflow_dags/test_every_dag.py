"""Rules that every DAG file keeps."""

from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DAGS = ROOT / "airflow_dags"
IGNORED = {line for line in (DAGS / ".airflowignore").read_text().splitlines() if line and not line.startswith("#")}
FILES = sorted(path.name for path in DAGS.glob("*.py") if path.name not in IGNORED)
CHAPTERS = ("### What", "### Re-run", "### Triage")
MOST_LINES = 40
HOUR = 3600
DECIDE = {"champion", "champion_known", "drifted", "retrain"}
"""Tasks that look at what a job said, or start another DAG, and submit none."""
TIMETABLES = {"CronDataIntervalTimetable", "CronTriggerTimetable", "NullTimetable", "PartitionedAssetTimetable"}
"""The clock, nobody, or events that carry a day: Airflow drops such an event on its way to any other timetable."""


@pytest.fixture(scope="module")
def loaded(airflow: Any) -> dict[str, Any]:
    answer: dict[str, Any] = airflow.ask("load")
    print(f"\nairflow_dags: {len(answer['dags'])} DAGs, loaded in {answer['seconds']:.2f} s, Spark provider included")
    return answer


@pytest.fixture(params=FILES)
def dag(request: pytest.FixtureRequest, loaded: dict[str, Any]) -> dict[str, Any]:
    found = [dag for dag in loaded["dags"] if dag["file"] == request.param]
    assert len(found) == 1, f"{request.param} declares {len(found)} DAGs"
    return found[0]


def test_all_files_load(loaded: dict[str, Any]) -> None:
    assert loaded["errors"] == {}
    assert sorted(dag["file"] for dag in loaded["dags"]) == FILES


def test_loading_imports_no_room_and_nothing_heavy(loaded: dict[str, Any]) -> None:
    assert loaded["heavy"] == []


def test_dag_is_named_like_its_file_and_carries_our_name(dag: dict[str, Any]) -> None:
    assert dag["file"] == f"{dag['dag_id']}.py"
    assert dag["dag_id"].startswith("emberline_")


def test_dag_says_what_it_does_how_to_rerun_it_and_where_to_look(dag: dict[str, Any]) -> None:
    places = [dag["doc"].find(chapter) for chapter in CHAPTERS]
    assert -1 not in places
    assert places == sorted(places)


def test_dag_has_tags_and_owner(dag: dict[str, Any]) -> None:
    assert "emberline" in dag["tags"]
    assert {task["owner"] for task in dag["tasks"].values()} == {"emberline"}


def test_dag_neither_makes_up_for_the_past_nor_overtakes_itself(dag: dict[str, Any]) -> None:
    assert dag["catchup"] is False
    assert dag["max_active_runs"] == 1


def test_events_that_carry_a_day_can_start_it(dag: dict[str, Any]) -> None:
    assert dag["timetable"] in TIMETABLES


def test_a_person_can_trigger_it_with_other_settings(dag: dict[str, Any]) -> None:
    assert {"overrides", "input", "day"} <= set(dag["params"])


def test_every_task_submits_a_job_or_decides(dag: dict[str, Any]) -> None:
    assert {name for name, task in dag["tasks"].items() if not task["is_spark_submit"]} <= DECIDE


def test_tasks_are_retried_later_and_later_and_do_not_run_for_ever(dag: dict[str, Any]) -> None:
    for task in dag["tasks"].values():
        assert task["retries"] == 3
        assert task["backoff"] == 2
        assert 0 < task["timeout"] <= dag["timeout"]
    assert dag["timeout"] == 48 * HOUR


def test_a_failure_is_told(dag: dict[str, Any]) -> None:
    assert {name for task in dag["tasks"].values() for name in task["reports"]} == {"report_failure"}


def test_what_trains_takes_a_slot_of_the_training_cluster(dag: dict[str, Any]) -> None:
    for name, task in dag["tasks"].items():
        trains = name.rpartition(".")[2] in ("train", "tune")
        assert task["pool"] == ("emberline_training" if trains else "default_pool")


@pytest.mark.parametrize("file", FILES)
def test_dag_file_is_short(file: str) -> None:
    assert len((DAGS / file).read_text().splitlines()) <= MOST_LINES
