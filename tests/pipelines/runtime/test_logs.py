"""With EMBERLINE_LOG=json whatever a process says is one JSON object a line, which knows whose line it is."""

import json
import logging
import threading
from contextvars import copy_context
from pathlib import Path

import pytest

from emberline.pipelines.runtime import logs
from emberline.pipelines.runtime.outcome import conclude
from emberline.pipelines.runtime.progress import Progress
from emberline.pipelines.tracking import Tracker


@pytest.fixture
def for_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(logs.SWITCH, "json")


def written(capsys: pytest.CaptureFixture[str]) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


@pytest.mark.usefixtures("for_machines")
def test_lines_of_a_step_carry_its_run_also_from_its_threads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    progress = Progress("train")
    progress.say("before")
    with Tracker(f"sqlite:///{tmp_path}/mlflow.db").step("flowers", "train") as run:
        progress.update("epoch 1")
        thread = threading.Thread(target=copy_context().run, args=(progress.say, "from a thread"))
        thread.start()
        thread.join()
    found = written(capsys)
    assert [(one["message"], one.get("run")) for one in found] == [
        ("before", None),
        ("epoch 1", run.id),
        ("from a thread", run.id),
    ]
    assert {one["role"] for one in found} == {"driver"}
    assert all({"time", "level", "host", "pid", "step"} <= one.keys() for one in found)


@pytest.mark.usefixtures("for_machines")
def test_a_failure_and_a_librarys_warning_are_objects_too(capsys: pytest.CaptureFixture[str]) -> None:
    record = logging.LogRecord("some.library", logging.WARNING, __file__, 1, "twice\n%s", ("two lines",), None)
    told = json.loads(logs._Lines().format(record))
    assert (told["message"], told["level"], told["logger"]) == ("twice\ntwo lines", "warning", "some.library")

    def work() -> None:
        raise ValueError("no\nmore")

    assert conclude("etl", work) == 1
    (line,) = written(capsys)
    assert (line["message"], line["level"], line["code"]) == ("no\nmore", "error", 1)


def test_people_get_lines_and_tasks_stay_silent(capsys: pytest.CaptureFixture[str]) -> None:
    Progress("etl").say("8 rows")
    logs.tell("shard written")
    assert capsys.readouterr().err == "etl       8 rows\n"
