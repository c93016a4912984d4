"""How a task ends, by the exit code of its spark-submit, and what a deployment must have set."""

import os
from pathlib import Path
from typing import Any

import pytest

from pipelines.outcome import BAD_INPUT, FAILURE, SUCCESS

DAG = "census_wide_deep"


def ending(airflow: Any, folder: Path, code: int, deployment: dict[str, str]) -> dict[str, Any]:
    """How `etl` ends when spark-submit is a program that says why and exits with `code`."""
    program = folder / "spark-submit"
    program.write_text(f"#!/bin/sh\necho 'emberline etl: no such path'\necho '{{\"job\": \"etl\"}}'\nexit {code}\n")
    program.chmod(0o755)
    env = {**deployment, "PATH": os.pathsep.join([str(folder), os.environ["PATH"]])}
    answer: dict[str, Any] = airflow.ask("execute", dag_id=DAG, task_id="etl", env=env)
    return answer


@pytest.mark.parametrize(
    ("code", "kind"),
    # AirflowFailException is the one that Airflow never retries.
    [(SUCCESS, None), (FAILURE, "AirflowException"), (BAD_INPUT, "AirflowFailException"), (22, "AirflowException")],
)
def test_exit_code_decides_whether_a_retry_can_help(
    airflow: Any, deployment: dict[str, str], tmp_path: Path, code: int, kind: str | None
) -> None:
    ended = ending(airflow, tmp_path, code, deployment)
    assert ended["kind"] == kind, ended["message"]
    if kind:
        assert "emberline etl: no such path" in ended["message"]


def test_missing_connection_fails_instead_of_going_to_yarn(
    airflow: Any, deployment: dict[str, str], tmp_path: Path
) -> None:
    del deployment["AIRFLOW_CONN_EMBERLINE_SPARK"]
    ended = ending(airflow, tmp_path, SUCCESS, deployment)
    assert ended["kind"] is not None
    assert "emberline_spark" in ended["message"]


@pytest.mark.parametrize("name", ["CODE", "ROOT", "CENSUS_RAW"])
def test_missing_variable_fails_by_name(airflow: Any, deployment: dict[str, str], tmp_path: Path, name: str) -> None:
    del deployment[f"AIRFLOW_VAR_EMBERLINE_{name}"]
    ended = ending(airflow, tmp_path, SUCCESS, deployment)
    assert f"Variable emberline_{name.lower()} not found" in ended["message"]


def test_tries_after_the_first_go_on_with_a_training_and_a_cleared_one_starts_over(airflow: Any) -> None:
    expected = {
        (1, 2): True,  # scheduled
        (2, 2): False,  # its retries
        (3, 2): False,
        (2, 3): True,  # cleared after success at once: 1 try + 2 retries
        (3, 3): False,
        (4, 5): True,  # cleared after all tries failed
    }
    trains = airflow.ask("render_tries", dag_id=DAG, task_id="train", tries=list(expected))
    assert ["--overwrite" in arguments for arguments in trains] == list(expected.values())


def test_outputs_are_parted_by_logical_date_or_by_the_moment_of_a_run_without_one(airflow: Any) -> None:
    scheduled = airflow.ask("render", dag_id=DAG, when="2026-01-02", conf={})
    triggered = airflow.ask("render", dag_id=DAG, when=None, conf={})
    assert scheduled["etl"]["arguments"][5] == "hdfs:///emberline/datasets/census_wide_deep/20260102T000000"
    assert triggered["etl"]["arguments"][5] == "hdfs:///emberline/datasets/census_wide_deep/20260506T070809"


def test_override_that_is_no_assignment_is_refused(airflow: Any) -> None:
    with pytest.raises(AssertionError, match="Invalid input for param"):
        airflow.ask("render", dag_id=DAG, when="2026-01-02", conf={"overrides": ["--overwrite"]})
