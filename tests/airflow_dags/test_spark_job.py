"""How a task ends, by the exit code of its spark-submit, and what a deployment must have set."""

import os
from typing import Any

import pytest

from pipelines.outcome import BAD_INPUT, FAILURE, SUCCESS

DAG = "census_wide_deep"
VARIABLES = ("code", "root", "census_raw")
CODES = {
    SUCCESS: None,
    FAILURE: "AirflowException",
    BAD_INPUT: "AirflowFailException",  # the one that Airflow never retries
    22: "AirflowException",
}


@pytest.fixture(scope="module")
def endings(airflow: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[Any, dict[str, Any]]:
    """How `etl` ends with each exit code of spark-submit, and with each part of the deployment taken away."""
    program = tmp_path_factory.mktemp("bin") / "spark-submit"
    program.write_text("#!/bin/sh\necho 'emberline etl: no such path'\nexit ${CODE:-0}\n")
    program.chmod(0o755)
    path = os.pathsep.join([str(program.parent), os.environ["PATH"]])
    cases = {code: {"CODE": str(code)} for code in CODES}
    cases |= {name: {f"AIRFLOW_VAR_EMBERLINE_{name.upper()}": None} for name in VARIABLES}
    cases |= {"connection": {"AIRFLOW_CONN_EMBERLINE_SPARK": None}}
    answers = airflow.ask(
        "execute", dag_id=DAG, task_id="etl", cases=[{"PATH": path, **case} for case in cases.values()]
    )
    return dict(zip(cases, answers, strict=True))


@pytest.mark.parametrize(("code", "kind"), CODES.items())
def test_exit_code_decides_whether_a_retry_can_help(endings: dict[Any, Any], code: int, kind: str | None) -> None:
    assert endings[code]["kind"] == kind, endings[code]["message"]
    assert kind is None or "emberline etl: no such path" in endings[code]["message"]


def test_missing_connection_fails_instead_of_going_to_yarn(endings: dict[Any, Any]) -> None:
    assert endings["connection"]["kind"] is not None
    assert "emberline_spark" in endings["connection"]["message"]


@pytest.mark.parametrize("name", VARIABLES)
def test_missing_variable_fails_by_name(endings: dict[Any, Any], name: str) -> None:
    assert f"Variable emberline_{name} not found" in endings[name]["message"]


def test_outputs_are_parted_by_logical_date_or_by_the_moment_of_a_run_without_one(airflow: Any) -> None:
    scheduled = airflow.ask("render", dag_id=DAG, when="2026-01-02", conf={})
    triggered = airflow.ask("render", dag_id=DAG, when=None, conf={})
    assert scheduled["etl"]["arguments"][5] == "hdfs:///emberline/datasets/census_wide_deep/20260102T000000"
    assert triggered["etl"]["arguments"][5] == "hdfs:///emberline/datasets/census_wide_deep/20260506T070809"


def test_override_that_is_no_assignment_is_refused(airflow: Any) -> None:
    with pytest.raises(AssertionError, match="Invalid input for param"):
        airflow.ask("render", dag_id=DAG, when="2026-01-02", conf={"overrides": ["--overwrite"]})
