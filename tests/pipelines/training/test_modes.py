"""The modes of a training with real processes, started beside the test instead of on executors.

The ways to start them on executors are the business of `tests/pipelines/test_resume.py`.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from emberline.features import storage
from emberline.pipelines.cluster import gang
from emberline.pipelines.cluster.gang import DRIVER, ClusterError, train_on_cluster
from emberline.pipelines.cluster.launchers import local as beside_driver
from emberline.pipelines.cluster.roles import Gang
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.training.assignment import Assignment
from emberline.pipelines.training.checkpoint import checkpoints

ROOT = Path(__file__).parents[3]
ASYNC = {
    "training.mode": "async",
    "training.workers": "2",
    "training.epochs": "4",
    "training.checkpoint_every": "1 epoch",
}
STEPS = 4 * 2 * (12_000 // (24 * 2))
"""Epochs x workers x whole batches of 24 in a worker's half of the rows."""

Event = dict[str, Any]


@pytest.fixture
def train(flowers: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[int, Event]]]:
    """Trains, all ranks as children of this process, and returns the events."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(gang, "launch", lambda _, *rest: beside_driver.launch(*rest))
    spark = SimpleNamespace(conf={"spark.driver.host": "127.0.0.1"})

    def run(
        overrides: dict[str, str], on_event: Callable[[int, Event], None] = lambda *_: None
    ) -> list[tuple[int, Event]]:
        events = []

        def hear(rank: int, event: Event) -> None:
            events.append((rank, event))
            on_event(rank, event)

        recipe = load_recipe("iris_dnn", overrides)
        assignment = Assignment(recipe=recipe, dataset=flowers, output=str(tmp_path / "training"), threads=1)
        train_on_cluster(spark, assignment, gang=Gang.of(recipe.training), on_event=hear)
        return events

    return run


def children() -> dict[tuple[str, int], int]:
    """Process ids of the ranks this process has started, by role and index."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            if not entry.name.isdigit() or b"emberline.pipelines.training.rank" not in (entry / "cmdline").read_bytes():
                continue
            if int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]) != os.getpid():
                continue
            environment = dict(item.partition("=")[::2] for item in (entry / "environ").read_text().split("\0"))
            task = json.loads(environment["TF_CONFIG"])["task"]
            found[task["type"], task["index"]] = int(entry.name)
        except OSError:
            continue  # it ended while we looked
    return found


def kill_once(role: tuple[str, int], after_step: int) -> Callable[[int, Event], None]:
    """Kills one rank when the chief has reported so many steps."""
    done = []

    def on_event(rank: int, event: Event) -> None:
        if not done and event["event"] == "progress" and event["step"] > after_step:
            os.kill(children()[role], signal.SIGKILL)
            done.append(role)

    return on_event


def named(events: list[tuple[int, Event]], name: str) -> list[Event]:
    return [event for _, event in events if event["event"] == name]


def test_local_mode_trains_in_one_process(train, tmp_path: Path) -> None:
    """Of two workers in the recipe one is left, with the same global batch and so the same steps."""
    seen = []
    events = train({"training.mode": "local", "training.epochs": "2"}, lambda *_: seen.append(set(children())))
    assert set.union(*seen) == {("chief", 0)}
    assert [event["step"] for event in named(events, "epoch")] == [500, 1000]
    assert named(events, "epoch")[-1]["metrics"]["eval_accuracy"] > 0.9
    assert storage.exists(str(tmp_path / "training" / "model" / "saved_model.pb"))
    assert not children()


def test_a_lost_worker_does_not_stop_asynchronous_training(train, tmp_path: Path) -> None:
    events = train(ASYNC, kill_once(("worker", 0), after_step=600))
    assert not named(events, "restart")
    (lost,) = named(events, "worker lost")
    assert (lost["rank"], lost["left"]) == (1, 1)
    assert "SIGKILL" in lost["reason"]
    assert "out of memory" in lost["reason"]
    assert [event["step"] for event in named(events, "epoch")] == [STEPS // 4 * epoch for epoch in (1, 2, 3, 4)]
    assert max(event["step"] for event in named(events, "progress")) == STEPS
    assert named(events, "epoch")[-1]["metrics"]["eval_accuracy"] > 0.9
    assert checkpoints.complete(str(tmp_path / "training" / "checkpoints"))[-1].endswith(f"step-{STEPS:010d}")
    assert storage.exists(str(tmp_path / "training" / "model" / "saved_model.pb"))
    assert not children()


@pytest.mark.slow
@pytest.mark.parametrize("role", [("chief", 0), ("ps", 0)])
def test_a_lost_chief_or_parameter_server_starts_all_again(train, role: tuple[str, int], tmp_path: Path) -> None:
    """Killed once there is a checkpoint: it is written while the next epoch begins."""
    kill = kill_once(role, after_step=600)

    def on_event(rank: int, event: Event) -> None:
        if checkpoints.complete(str(tmp_path / "training" / "checkpoints")):
            kill(rank, event)

    events = train(ASYNC, on_event)
    (restart,) = named(events, "restart")
    assert restart["attempt"] == 1
    first, second = [event["step"] for event in named(events, "start")]
    assert first == 0
    assert second in (STEPS // 4, STEPS // 2, STEPS // 4 * 3)
    assert named(events, "epoch")[-1]["step"] == STEPS
    assert not children()


@pytest.mark.slow
def test_the_last_worker_is_not_done_without(train) -> None:
    settings = ASYNC | {"training.workers": "1", "training.max_restarts": "0"}
    with pytest.raises(ClusterError, match=r"Worker 1 failed: was killed by SIGKILL \(code -9\)"):
        train(settings, kill_once(("worker", 0), after_step=600))
    assert not children()


@pytest.mark.slow
def test_a_hung_worker_is_ended_and_done_without(train) -> None:
    stopped = []

    def stop(rank: int, event: Event) -> None:
        if not stopped and event["event"] == "progress" and event["step"] > 600:
            stopped.append(children()["worker", 1])
            os.kill(stopped[0], signal.SIGSTOP)

    events = train(ASYNC, stop)
    assert [(rank, event["rank"]) for rank, event in events if event["event"] == "worker lost"] == [(DRIVER, 2)]
    assert named(events, "epoch")[-1]["step"] == STEPS
    assert not children()


MIRRORED = """
import sys
import tensorflow as tf
from emberline.features.dataset_version import open_version
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.training.loop import Loop

devices = int(sys.argv[3])
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * devices)
several = tf.distribute.MirroredStrategy([f"CPU:{index}" for index in range(devices)])
strategy = several if devices > 1 else tf.distribute.get_strategy()
recipe = load_recipe("iris_dnn", {"training.workers": "1", "training.epochs": "1"})
events = []
loop = Loop(recipe, open_version(sys.argv[1]), sys.argv[2], strategy, 0, events.append)
model = loop.run()
print(events[-1]["step"], events[-1]["metrics"]["loss"], events[-1]["metrics"]["eval_loss"])
"""


def test_several_devices_of_one_process_share_each_step(flowers: str, tmp_path: Path) -> None:
    """Half of each batch on each device gives the loss, and the metrics, of one device."""
    found = []
    for devices in (1, 2):
        done = subprocess.run(
            [sys.executable, "-c", MIRRORED, flowers, str(tmp_path / str(devices)), str(devices)],
            capture_output=True, text=True, check=False, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
            timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        found.append([float(value) for value in done.stdout.split()])
    assert found[0] == pytest.approx(found[1], rel=1e-4)
    assert found[0][0] == 500
