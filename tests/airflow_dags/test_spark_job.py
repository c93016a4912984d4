"""How a task ends: by its job's exit code, by what its submission's file says, by what a deployment lacks."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from emberline.pipelines.runtime.outcome import BAD_INPUT, FAILURE, SUCCESS

DAG = "emberline_census_wide_deep"
VARIABLES = ("code", "root", "census_raw")
CODES = {
    SUCCESS: None,
    FAILURE: "AirflowException",
    BAD_INPUT: "AirflowFailException",  # the one that Airflow never retries
    22: "AirflowException",
}
WAITS = "TaskDeferred"
DAY_OUTCOME = {"job": "validate", "status": "succeeded", "rows_read": 3}
CLUSTER = {
    "AIRFLOW_CONN_EMBERLINE_SPARK": json.dumps(
        {"conn_type": "spark", "host": "yarn", "extra": json.dumps({"deploy-mode": "cluster"})}
    )
}


def record(code: int | None = None, beat: int = 4, *, reported: bool = False) -> dict[str, Any]:
    """A submission's file as a job writes it."""
    line = {0: DAY_OUTCOME, None: None}.get(code, {"job": "validate", "status": "failed", "reason": "no such path"})
    return {"holder": "a", "beat": beat, "code": code, "line": line, "reported": reported}


def submit(code: int, written: dict[str, Any] | None, **env: str) -> dict[str, Any]:
    """A spark-submit that ends with `code` and whose job wrote its file, if it came so far."""
    return {"env": {"CODE": str(code), "RECORD": json.dumps(written) if written else None, **env}}


HOUR = "20260103T13"
NO_DAYS = ("20260103T", "20260103T1/", "../..", "20260103/../../raw", "2026", "２０２６０１０３", "20260103\n")


CASES: dict[Any, dict[str, Any]] = {
    **{code: submit(code, record(code)) for code in CODES},
    **{("before python", code): submit(code, None) for code in CODES if code},
    **{name: {"env": {f"AIRFLOW_VAR_EMBERLINE_{name.upper()}": None}} for name in VARIABLES},
    "connection": {"env": {"AIRFLOW_CONN_EMBERLINE_SPARK": None}},
    "place": {"env": {"AIRFLOW_VAR_EMBERLINE_SUBMISSIONS": "nosuch://place"}},
    "unseen success": submit(22, None) | {"file": record(0)},
    "seen success": submit(0, record(0)) | {"file": record(0, reported=True)},
    "failed before": submit(0, record(0)) | {"file": record(1)},
    "running": submit(22, None) | {"file": record(None, beat=4)},
    "cluster": submit(0, None, **CLUSTER),
    "cluster, started": submit(0, record(None, beat=1), **CLUSTER),
    "wakes, moves": {"file": record(None, beat=5), "look": {"beat": 4, "moved": 500, "until": 500}},
    "wakes, still": {"file": record(None, beat=4), "look": {"beat": 4, "moved": 30, "until": 500}},
    "wakes, silent": {"file": record(None, beat=4), "look": {"beat": 4, "moved": 500, "until": 500}},
    "wakes, ended": {"look": {"beat": 4, "moved": 5, "until": 500}},
    "wakes, not started": {"look": {"beat": -1, "moved": 500, "until": 500}},
    "wakes, never started": {"look": {"beat": -1, "moved": 5000, "until": 500}},
    "wakes, too long": {"file": record(None, beat=5), "look": {"beat": 4, "moved": 5, "until": -5}},
    "wakes, succeeded": {"file": record(0), "look": {"beat": 4, "moved": 5, "until": 500}},
    **{("event", key): submit(0, record(0)) | {"partition": key} for key in ("20260103", HOUR, *NO_DAYS)},
    **{
        ("conf", text): submit(0, record(0)) | {"conf": {"overrides": [text]}}
        for text in ("name=mine", "gate.metric=auc")
    },
    "wakes, bad": {"file": record(BAD_INPUT), "look": {"beat": 4, "moved": 5, "until": 500}},
}


@pytest.fixture(scope="module")
def endings(airflow: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[Any, dict[str, Any]]:
    """How `validate` ends in each case."""
    program = tmp_path_factory.mktemp("bin") / "spark-submit"
    program.write_text(
        "#!/bin/sh\n"
        'echo "$@" >> $CALLS\n'
        'while [ $# -gt 0 ]; do [ "$1" = --submission ] && file="$2"; shift; done\n'
        '[ -n "$RECORD" ] && mkdir -p "$(dirname $file)" && printf %s "$RECORD" > "$file"\n'
        "echo 'emberline validate: no such path'\n"
        "exit ${CODE:-0}\n"
    )
    program.chmod(0o755)
    calls = program.with_name("calls")
    common = {
        "PATH": os.pathsep.join([str(program.parent), os.environ["PATH"]]),
        "AIRFLOW_VAR_EMBERLINE_SUBMISSIONS": str(program.parent / "submissions"),
    }
    cases = []
    for number, case in enumerate(CASES.values()):
        env = {**common, "CALLS": f"{calls}-{number}", **case.get("env", {})}
        cases.append({**case, "env": env})
    answers = airflow.ask("execute", dag_id=DAG, task_id="validate", cases=cases)
    for number, answer in enumerate(answers):
        made = Path(f"{calls}-{number}")
        answer["submitted"] = made.read_text().splitlines() if made.exists() else []
    return dict(zip(CASES, answers, strict=True))


@pytest.mark.parametrize(("code", "kind"), CODES.items())
def test_exit_code_decides_whether_a_retry_can_help(endings: dict[Any, Any], code: int, kind: str | None) -> None:
    assert endings[code]["kind"] == kind, endings[code]["message"]
    assert kind is None or "no such path" in endings[code]["message"]
    assert endings[code]["file"] == record(code, reported=True)


@pytest.mark.parametrize("code", [code for code in CODES if code])
def test_without_a_word_of_the_job_spark_submit_decides(endings: dict[Any, Any], code: int) -> None:
    ending = endings["before python", code]
    assert ending["kind"] == CODES[code]
    assert "emberline validate: no such path" in ending["message"]


def test_success_gives_the_jobs_last_line_and_an_event_of_the_day(endings: dict[Any, Any]) -> None:
    assert endings[SUCCESS]["answer"] == DAY_OUTCOME
    assert endings[SUCCESS]["events"] == ["20260101"]
    assert endings[FAILURE]["events"] == []


def test_an_events_partition_key_is_checked_like_a_parameter(endings: dict[Any, Any]) -> None:
    """It becomes part of the paths that `--overwrite` replaces."""
    for key in ("20260103", HOUR):
        assert endings["event", key]["events"] == [key]
    for key in NO_DAYS:
        ending = endings["event", key]
        assert (ending["kind"], ending["submitted"]) == ("AirflowFailException", [])
        assert "is no day: expected eight digits" in ending["message"]


def test_overrides_cannot_change_the_name(endings: dict[Any, Any]) -> None:
    assert endings["conf", "gate.metric=auc"]["kind"] is None
    assert endings["conf", "name=mine"]["kind"] == "ParamValidationError"
    assert endings["conf", "name=mine"]["submitted"] == []


@pytest.mark.parametrize("code", CODES)
def test_the_last_line_is_kept_for_those_who_look_into_a_failure(endings: dict[Any, Any], code: int) -> None:
    assert endings[code]["pushed"] == {"outcome": {"code": code, **record(code)["line"]}}


def test_a_job_that_succeeded_unseen_is_not_submitted_again(endings: dict[Any, Any]) -> None:
    ending = endings["unseen success"]
    assert (ending["kind"], ending["answer"], ending["submitted"]) == (None, DAY_OUTCOME, [])
    assert ending["events"] == ["20260101"]


@pytest.mark.parametrize("case", ["seen success", "failed before"])
def test_what_was_seen_or_failed_is_submitted_again(endings: dict[Any, Any], case: str) -> None:
    assert len(endings[case]["submitted"]) == 1
    assert endings[case]["kind"] is None


def test_a_job_that_runs_is_waited_for_without_a_slot(endings: dict[Any, Any]) -> None:
    ending = endings["running"]
    assert (ending["kind"], ending["submitted"]) == (WAITS, [])
    assert ending["defers"] == {"to": "look", "beat": 4}


def test_a_driver_in_the_cluster_is_waited_for_without_a_slot(endings: dict[Any, Any]) -> None:
    assert endings["cluster"]["defers"] == {"to": "look", "beat": -1}
    assert endings["cluster, started"]["defers"] == {"to": "look", "beat": 1}
    (command,) = endings["cluster"]["submitted"]
    assert "--deploy-mode cluster" in command
    assert "--conf spark.yarn.submit.waitAppCompletion=false" in command


def test_waiting_goes_on_as_long_as_the_job_may_be_alive(endings: dict[Any, Any]) -> None:
    assert endings["wakes, moves"]["defers"] == {"to": "look", "beat": 5}
    assert endings["wakes, still"]["defers"] == {"to": "look", "beat": 4}
    assert endings["wakes, not started"]["defers"] == {"to": "look", "beat": -1}


@pytest.mark.parametrize("case", ["wakes, silent", "wakes, never started"])
def test_a_lost_driver_is_retried_from_a_clean_beginning(endings: dict[Any, Any], case: str) -> None:
    assert endings[case]["kind"] == "AirflowException"
    assert "driver is lost" in endings[case]["message"]
    assert endings[case]["file"] is None


def test_a_job_whose_file_was_taken_away_is_not_waited_for(endings: dict[Any, Any]) -> None:
    assert endings["wakes, ended"]["kind"] == "AirflowException"
    assert "submits it again" in endings["wakes, ended"]["message"]


def test_waiting_ends_at_the_tasks_limit(endings: dict[Any, Any]) -> None:
    assert endings["wakes, too long"]["kind"] == "AirflowFailException"
    assert "6:00:00" in endings["wakes, too long"]["message"]


def test_an_end_in_the_cluster_is_the_tasks_end(endings: dict[Any, Any]) -> None:
    assert endings["wakes, succeeded"]["answer"] == DAY_OUTCOME
    assert endings["wakes, bad"]["kind"] == "AirflowFailException"


def test_missing_connection_fails_instead_of_going_to_yarn(endings: dict[Any, Any]) -> None:
    assert endings["connection"]["kind"] is not None
    assert "emberline_spark" in endings["connection"]["message"]


@pytest.mark.parametrize("name", VARIABLES)
def test_missing_variable_fails_by_name(endings: dict[Any, Any], name: str) -> None:
    assert f"Variable emberline_{name} not found" in endings[name]["message"]


def test_a_place_that_airflow_cannot_open_says_what_to_set(endings: dict[Any, Any]) -> None:
    assert "Set the variable emberline_submissions" in endings["place"]["message"]


def test_a_failed_task_ends_its_log_with_the_last_line_and_the_way_to_its_run(airflow: Any) -> None:
    outcome = {"code": 1, "job": "train", "reason": "executor lost", "mlflow_run": "ab12"}
    lines = airflow.ask("report", outcomes=[outcome, None], mlflow="http://mlflow:5000")
    assert lines == [
        f"d.t failed. Last line of its job: {json.dumps(outcome)}",
        "MLflow run: http://mlflow:5000/#/runs/ab12",
        "d.t failed before its job could say anything: no connection",
    ]
