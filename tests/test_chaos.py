"""The checker of `make test-chaos` sees what was planted for it; the trial itself takes minutes and is no test."""

import contextlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mlflow.tracking import MlflowClient

from tests.airflow_dags.airflow_world import wait_for
from tests.chaos import checker, faults
from tests.chaos.marked import MARK, listening, processes, role_of
from tests.chaos.pipeline import last_line
from tests.chaos.world import give_room, take_room

MODEL = "emberline-flowers"

LISTENER = "import socket; s = socket.create_server(('127.0.0.1', 0)); print('ready', flush=True); input()"
WRITER = """
for name in iter(input, ""):
    try:
        open(name, "wb").write(b"x" * 10_000)
        print("written", flush=True)
    except OSError as error:
        print(error.errno, flush=True)
"""


@contextlib.contextmanager
def program(text: str, mark: object, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """A process of a trial."""
    process = subprocess.Popen(
        [sys.executable, "-c", text, *arguments], env=os.environ | {MARK: str(mark)}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=60)


def test_an_orphan_is_seen_and_nobody_elses_process(tmp_path: Path) -> None:
    with program(LISTENER, tmp_path / "mine") as orphan, program(LISTENER, tmp_path / "mine-too") as other:
        for process in (orphan, other):
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
        (found,) = checker.check_processes(str(tmp_path / "mine"), 0)
        assert f"process {orphan.pid}" in found
        assert [one.pid for one in processes(str(tmp_path / "mine"))] == [orphan.pid]
    assert not checker.check_processes(str(tmp_path / "mine"), 10)


def test_a_port_is_seen_as_long_as_it_is_listened_at(tmp_path: Path) -> None:
    with program(LISTENER, tmp_path) as server:
        assert server.stdout
        server.stdout.readline()
        seen = listening([server.pid])
        assert len(seen) == 1
        assert checker.check_ports(seen) == [f"port {next(iter(seen.values()))} is still listened at"]
    assert not checker.check_ports(seen)


def test_a_full_disk_is_one_until_there_is_room_again(tmp_path: Path) -> None:
    with program(WRITER, tmp_path) as writer:
        assert writer.stdin
        assert writer.stdout
        for change, said in ((lambda pid: take_room(pid, 4_096), "27\n"), (give_room, "written\n")):
            change(writer.pid)
            writer.stdin.write(f"{tmp_path}/file\n")
            writer.stdin.flush()
            assert writer.stdout.readline() == said


@dataclass
class Servers:
    """Stands for the servers of a trial; nothing of them is needed here."""

    mark: str
    healed: int = 0
    store: None = None

    def heal(self) -> None:
        self.healed += 1

    def revive(self) -> None:
        """They all live."""


@pytest.mark.parametrize(("kind", "state"), [(faults.KILL, ""), (faults.STOP, "T")])
def test_a_fault_waits_for_whom_it_is_meant_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, state: str
) -> None:
    monkeypatch.setattr(faults, "KINDS", {kind: 1})
    monkeypatch.setattr(faults, "VICTIMS", ("rank",))
    monkeypatch.setattr(faults, "STOPPED_SECONDS", (60, 60))
    servers = Servers(str(tmp_path))
    made = faults.Faults(servers, random.Random(1))  # type: ignore[arg-type]

    def states() -> dict[str, str]:
        return {one.role: one.state for one in processes(servers.mark)}

    with program(LISTENER, tmp_path), made.during("train", [0.0]):
        time.sleep(1.5)
        assert not made.history, "there is nobody but another process"
        with program(LISTENER, tmp_path, "emberline.pipelines.training.rank"):
            wait_for("a fault", lambda: made.history, 20, 0.1)
            wait_for("its effect", lambda: states().get("rank", "") == state, 20, 0.1)
    assert [(one.kind, one.role, one.step) for one in made.history] == [(kind, "rank", "train")]
    assert made.counted() == {kind: {"rank": 1}}
    assert len(made.sockets) >= 1
    assert servers.healed == 1


@pytest.mark.parametrize(
    ("keys", "wrong"),
    [
        (["a", "b", "c"], []),
        (["a", "b"], ["predictions: 2 rows, expected 3"]),
        (["a", "b", "b"], ["predictions: 1 keys occur more than once"]),
        (["a", "b", "c", "c"], ["predictions: 4 rows, expected 3", "predictions: 1 keys occur more than once"]),
    ],
)
def test_a_lost_row_and_a_doubled_one_are_seen(tmp_path: Path, keys: list[str], wrong: list[str]) -> None:
    """Five raw rows, two of which were rejected."""
    (tmp_path / "_rejected").mkdir()
    pq.write_table(pa.table({"_reason": ["?", "?"]}), tmp_path / "_rejected" / "part.parquet")
    for number, key in enumerate(keys):
        pq.write_table(pa.table({"row": [key], "score": [0.5]}), tmp_path / f"part-{number}.parquet")
    assert checker.check_predictions(str(tmp_path), 5) == wrong


LEFT = (
    "dataset.staging-0123abcd",
    ".dataset.replaced-0123abcd",
    ".predictions.copied-0123abcd",
    ".dataset.claim",
    ".training.earlier",
    "training/evaluation/scores.parquet/_temporary",
    "training/.evaluation.json.0123456789abcdef0123456789abcdef",
)


def test_what_a_killed_writer_leaves_is_seen(tmp_path: Path) -> None:
    for name in ("dataset/_SUCCESS", "dataset/train/.part-0.tfrecord.crc", "training/checkpoints/12/position.json"):
        (tmp_path / name).mkdir(parents=True)
    assert not checker.check_folder(str(tmp_path))
    for name in LEFT:
        (tmp_path / name).mkdir(parents=True)
    assert checker.check_folder(str(tmp_path)) == [f"left behind: {name}" for name in sorted(LEFT)]


def test_what_is_kept_for_another_run_than_the_last_is_seen(tmp_path: Path) -> None:
    (tmp_path / "dataset.undelivered").mkdir()
    (tmp_path / "dataset.undelivered" / "_undelivered-abc.jsonl").touch()
    assert not checker.check_kept(str(tmp_path), ["abc"])
    expected = ["kept for an earlier attempt: dataset.undelivered/_undelivered-abc.jsonl"]
    assert checker.check_kept(str(tmp_path), ["def"]) == expected


def test_a_second_version_and_a_run_without_an_end_are_seen(tmp_path: Path) -> None:
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db", f"sqlite:///{tmp_path}/mlflow.db")
    run = client.create_run(client.create_experiment("flowers", f"file://{tmp_path}/artifacts"), run_name="train").info
    assert checker.check_runs(client) == [f"the run {run.run_id} (train) is still RUNNING"]
    client.set_terminated(run.run_id, "KILLED")
    assert not checker.check_runs(client)

    def register(training: str) -> None:
        client.create_model_version(MODEL, f"file://{tmp_path}", run.run_id, tags={"emberline.training": training})

    client.create_registered_model(MODEL)
    register("one")
    register("another")
    client.set_registered_model_tag(MODEL, "emberline.champions", "[1]")
    client.set_registered_model_alias(MODEL, "champion", "1")
    assert not checker.check_versions(client, MODEL, "one")
    register("one")
    assert checker.check_versions(client, MODEL, "one") == [f"one has 2 versions of {MODEL}: [3, 1], expected one"]
    client.set_registered_model_alias(MODEL, "champion", "2")
    assert "ends otherwise: [1]" in checker.check_versions(client, MODEL, "another")[0]


@pytest.mark.parametrize(
    ("command", "role"),
    [
        ("java -cp x org.apache.spark.executor.CoarseGrainedExecutorBackend --driver-url y", "executor"),
        ("java -cp x org.apache.spark.deploy.worker.Worker --host 127.0.0.1", "spark worker"),
        ("java -cp x org.apache.spark.deploy.SparkSubmit --name emberline pyspark-shell", "driver's JVM"),
        ("python -m emberline.pipelines.training.rank", "rank"),
        ("python -m pyspark.daemon pyspark.worker", "python worker"),
        ("python -m mlflow server --port 1", "mlflow"),
        ("python -m emberline etl --tracking-uri http://127.0.0.1:1", "driver"),
        ("sleep 1", "other"),
    ],
)
def test_a_process_is_known_by_its_command(command: str, role: str) -> None:
    assert role_of(command) == role


@pytest.mark.parametrize(("text", "line"), [("", {}), ("half {", {}), ('noise\n{"job": "etl"}\n', {"job": "etl"})])
def test_a_killed_job_has_no_last_line(tmp_path: Path, text: str, line: dict[str, str]) -> None:
    (tmp_path / "out").write_text(text)
    assert last_line(tmp_path / "out") == line
