"""A job that is submitted twice runs once."""

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from emberline.features.errors import BadInputError
from emberline.pipelines.runtime import submission
from emberline.pipelines.runtime.outcome import FAILURE, SUCCESS, conclude
from emberline.pipelines.runtime.submission import Record, once, read

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(submission, "SILENT_SECONDS", 0.6)
    monkeypatch.setattr(submission, "SETTLE_SECONDS", 0.1)


@pytest.fixture
def file(tmp_path: Path) -> str:
    return str(tmp_path / "runs" / "etl.json")


class Work:
    """Counts how often it was done."""

    def __init__(self, code: int = SUCCESS, seconds: float = 0.0) -> None:
        self.times, self._code, self._seconds = 0, code, seconds

    def __call__(self) -> tuple[int, dict[str, Any]]:
        self.times += 1
        time.sleep(self._seconds)
        return self._code, {"job": "etl", "times": self.times}


def silence(text: str) -> None:
    """Nobody listens."""


def test_one_that_succeeded_is_repeated_without_its_work(file: str) -> None:
    work = Work()
    first, second = (once(file, work, silence) for _ in range(2))
    assert first == second == (SUCCESS, {"job": "etl", "times": 1})
    assert work.times == 1


def test_one_that_failed_is_done_again(file: str) -> None:
    work = Work(FAILURE)
    once(file, work, silence)
    assert read(file).code == FAILURE
    once(file, work, silence)
    assert work.times == 2


def test_one_whose_end_was_seen_is_done_again(file: str) -> None:
    work = Work()
    once(file, work, silence)
    submission.write(file, replace(read(file), reported=True))
    assert once(file, work, silence)[1]["times"] == 2


def test_the_second_waits_for_the_first_and_says_what_it_said(file: str) -> None:
    # Longer than a silent one is given: it is the beats that keep the second from taking over.
    work, answers, said = Work(seconds=1.5), [], []
    first = threading.Thread(target=lambda: answers.append(once(file, work, silence)))
    first.start()
    time.sleep(0.5)
    answers.append(once(file, work, said.append))
    first.join()
    assert answers == [(SUCCESS, {"job": "etl", "times": 1})] * 2
    assert work.times == 1
    assert any("waiting" in text for text in said)


def test_many_at_the_same_moment_do_the_work_once(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    work, answers = Work(seconds=0.3), []
    together, looked = threading.Barrier(6), threading.local()

    def first_look_together(uri: str) -> Record | None:
        found = read(uri)
        if not hasattr(looked, "before") and threading.current_thread() in several:
            looked.before = True
            together.wait(60)  # nobody has written before all have looked
            time.sleep(0.1 * several.index(threading.current_thread()))
        return found

    monkeypatch.setattr(submission, "SETTLE_SECONDS", 1.0)
    monkeypatch.setattr(submission, "read", first_look_together)
    several = [threading.Thread(target=lambda: answers.append(once(file, work, silence))) for _ in range(6)]
    for one in several:
        one.start()
    for one in several:
        one.join()
    assert work.times == 1
    assert answers == [(SUCCESS, {"job": "etl", "times": 1})] * 6


def test_a_silent_one_is_taken_over(file: str) -> None:
    submission.write(file, Record("somebody who died", beat=7))
    said: list[str] = []
    assert once(file, Work(), said.append)[0] == SUCCESS
    assert any("taking over" in text for text in said)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "manifest.json"
    other.write_text('{"format": 1}')
    with pytest.raises(BadInputError, match="not the file of a submission"):
        once(str(other), Work(), silence)
    assert other.read_text() == '{"format": 1}'


@pytest.mark.parametrize("background", [False, True], ids=["in front", "in the background"])
@pytest.mark.parametrize("left", [Record("another"), None], ids=["taken over", "forgotten"])
def test_one_that_lost_its_file_ends_itself_and_says_nothing_more(
    file: str, left: Record | None, background: bool
) -> None:
    script = (
        "import signal, sys, time\n"
        "from emberline.pipelines.runtime import submission\n"
        "from emberline.pipelines.runtime.outcome import conclude\n"
        # as a shell does to `job &` in a script
        f"{'signal.signal(signal.SIGINT, signal.SIG_IGN)' if background else ''}\n"
        "submission.BEAT_SECONDS, submission.SETTLE_SECONDS = 0.1, 0.1\n"
        "sys.exit(conclude('etl', lambda: time.sleep(60), sys.argv[1]))\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", script, file], env=env, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while (found := read(file)) is None or not found.beat:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    if left:
        submission.write(file, left)
    else:
        os.unlink(file)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == FAILURE
    assert json.loads(output.splitlines()[-1])["reason"] == "interrupted"
    assert read(file) == left


def test_a_job_says_its_last_line_each_time(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    codes = [conclude("etl", lambda: {"rows": 3}, file) for _ in range(2)]
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert codes == [SUCCESS, SUCCESS]
    assert lines[0] == lines[1]
    assert lines[0]["rows"] == 3


@pytest.mark.parametrize("job", sorted(path.stem for path in (ROOT / "jobs").glob("[a-z]*.py")))
def test_every_job_that_takes_a_submission_hands_it_on(job: str) -> None:
    source = (ROOT / "jobs" / f"{job}.py").read_text()
    takes = "add_pipeline_run" in source or "add_submission" in source
    assert takes == ("given.submission)" in source or "run_recipe_job(" in source)
