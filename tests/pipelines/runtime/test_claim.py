"""Claims: one writer at a time, whatever dies, sleeps, or lies on which storage."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from emberline.features import storage
from emberline.pipelines.runtime import submission
from emberline.pipelines.runtime.claim import OutputBusyError, claim, is_abandoned
from emberline.pipelines.runtime.submission import Record

ROOT = Path(__file__).parents[3]
HOLD = (
    "import sys, time\n"
    "from emberline.pipelines.runtime.claim import claim\n"
    "with claim(sys.argv[1]):\n"
    "    print('held', flush=True)\n"
    "    time.sleep(120)\n"
)


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds a claim at `out`."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "out")]
    other = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        yield other
    finally:
        other.kill()
        other.wait(60)


def test_the_second_is_told_at_once_who_the_first_is(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    began = time.monotonic()
    who = rf"Another process writes .*out: .* process {holder.pid} since"
    with pytest.raises(OutputBusyError, match=who), claim(str(tmp_path / "out")):
        pass
    assert time.monotonic() - began < 5
    os.kill(holder.pid, signal.SIGSTOP)  # asleep, not dead
    with pytest.raises(OutputBusyError), claim(str(tmp_path / "out")):
        pass


def test_a_claim_ends_with_its_process(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    assert is_abandoned(out) is False
    holder.kill()
    holder.wait(60)
    assert is_abandoned(out) is True
    assert is_abandoned(out) is None
    with claim(out) as held:
        held.require_held()
    assert os.listdir(tmp_path) == []


def test_waiting_for_another(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    os.kill(holder.pid, signal.SIGTERM)
    with claim(str(tmp_path / "out"), wait_seconds=60):
        pass


def test_a_file_that_was_taken_away_is_no_claim_any_more(tmp_path: Path) -> None:
    with claim(str(tmp_path / "out")) as held:
        (tmp_path / ".out.claim").unlink()
        with pytest.raises(OutputBusyError, match="Nothing was published"):
            held.require_held()


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> str:
    """A place on a store without locks, with beats a hundred times as fast."""
    monkeypatch.setattr(submission, "BEAT_SECONDS", 0.1)
    monkeypatch.setattr(submission, "SILENT_SECONDS", 1.0)
    monkeypatch.setattr(submission, "SETTLE_SECONDS", 0.1)
    monkeypatch.setattr(submission, "GAP_SECONDS", 0.0)
    return f"memory:/{uuid.uuid4().hex}/out"


def test_elsewhere_beats_tell_who_lives(elsewhere: str) -> None:
    with claim(elsewhere) as held:
        held.require_held()
        with pytest.raises(OutputBusyError, match="Another process writes"), claim(elsewhere):
            pass
    assert storage.list_names(elsewhere.rpartition("/")[0]) == []


def test_elsewhere_one_without_beats_is_passed_over(elsewhere: str) -> None:
    file = elsewhere.replace("/out", "/.out.claim")
    submission.write(file, Record("somebody who died", beat=7))
    with claim(elsewhere) as held:
        held.require_held()
        submission.write(file, Record("another who took over"))
        with pytest.raises(OutputBusyError):
            held.require_held()
        submission.write(file, Record(held.holder))
