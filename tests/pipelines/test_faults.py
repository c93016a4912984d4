"""Trainings on embedded Spark clusters that lose somebody, get stuck, or are interrupted; nothing is left running."""

import os
import shutil
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

TWO, FOUR = "local-cluster[2,1,1024]", "local-cluster[4,1,1024]"
LAUNCHERS = ("barrier", "tensorflowonspark")
SYNC = ("training.epochs=4", "training.checkpoint_every=1 epoch")
ASYNC = (*SYNC, "training.mode=async")
STEPS = 4 * (12_000 // 24)


def refused(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError:
        return True
    return False


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_at_the_driver_leaves_nothing_behind(train_job, number: signal.Signals) -> None:
    job = train_job(TWO, *SYNC)
    job.wait_for_checkpoint()
    ranks = job.ranks()
    assert [rank.role for rank in ranks] == ["chief", "worker"]
    if number == signal.SIGINT:
        os.killpg(job.process.pid, number)  # as a terminal does: to everything in the foreground
    else:
        job.process.terminate()  # as a scheduler does: to the driver
    assert job.finish(90)["kind"] == "Interrupted"
    assert job.process.returncode not in (0, 2), job.stderr[-3000:]
    assert not job.leftovers()
    assert all(refused(address) for address in ranks[0].addresses)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_asynchronous_training_does_without_a_lost_worker(train_job, launcher: str) -> None:
    job = train_job(FOUR, *ASYNC, f"training.launcher={launcher}")
    job.wait_for_checkpoint()
    (victim,) = [rank for rank in job.ranks() if (rank.role, rank.index) == ("worker", 1)]
    os.kill(victim.pid, signal.SIGKILL)
    result = job.finish()
    assert job.process.returncode == 0, job.stderr[-3000:]
    assert "Training goes on with 1 other" in job.stderr
    assert "again" not in job.stderr
    assert (result["steps"], result["resumed_from"]) == (STEPS, 0)
    assert not job.leftovers()


@pytest.mark.slow
@pytest.mark.parametrize("role", ["ps", "chief"])
def test_asynchronous_training_starts_again_without_its_head_or_its_variables(train_job, role: str) -> None:
    job = train_job(FOUR, *ASYNC)
    job.wait_for_checkpoint()
    (victim,) = [rank for rank in job.ranks() if rank.role == role]
    os.kill(victim.pid, signal.SIGKILL)
    result = job.finish()
    assert job.process.returncode == 0, job.stderr[-3000:]
    assert "Starting all workers again (1)" in job.stderr
    assert result["steps"] == STEPS
    assert result["resumed_from"] >= STEPS // 4
    assert not job.leftovers()


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_spark_never_starts_one_rank_again(train_job, launcher: str) -> None:
    job = train_job(TWO, *SYNC, f"training.launcher={launcher}", "training.max_restarts=0")
    job.wait_for_checkpoint()
    known = {rank.pid for rank in job.ranks()}
    os.kill(job.ranks()[1].python_worker, signal.SIGKILL)
    seen: set[int] = set()

    def watch() -> bool:
        seen.update(rank.pid for rank in job.ranks())
        return job.process.poll() is not None

    job.wait_for(watch, 120)
    job.finish()
    assert job.process.returncode == 1, job.stderr[-3000:]
    assert len(known) == 2
    assert seen <= known
    assert not job.leftovers()


@pytest.mark.slow
def test_a_rank_that_dies_before_the_others_have_joined_ends_them_all(train_job) -> None:
    """The other waits for it inside TensorFlow's start of the cluster, which has no end of its own."""
    job = train_job(TWO, *SYNC, "training.max_restarts=0")
    job.wait_for(lambda: len(job.ranks()) == 2)
    first, second = job.ranks()
    os.kill(second.pid, signal.SIGSTOP)
    job.wait_for(lambda: not refused(first.addresses[0]))  # it serves, and looks for the other
    os.kill(second.pid, signal.SIGKILL)
    job.finish(120)
    assert job.process.returncode == 1, job.stderr[-3000:]
    assert "was killed by SIGKILL" in job.stderr
    assert not job.leftovers()


@pytest.mark.slow
def test_an_executor_that_is_told_to_end_takes_its_rank_along(train_job) -> None:
    """As a cluster's manager does that wants a machine back."""
    job = train_job(TWO, *SYNC)
    job.wait_for_checkpoint()
    victim = job.ranks()[1]
    above = psutil.Process(victim.pid).parents()
    (executor,) = (one for one in above if any("CoarseGrainedExecutorBackend" in word for word in one.cmdline()))
    executor.terminate()
    job.wait_for(lambda: not psutil.pid_exists(victim.pid), 60)
    assert job.process.poll() is None
    result = job.finish()
    assert job.process.returncode == 0, job.stderr[-3000:]
    assert "Starting all workers again (1)" in job.stderr
    assert result["steps"] == STEPS
    assert result["resumed_from"] >= STEPS // 4
    assert not job.leftovers()


class PortThief:
    """Takes a port the moment it is released, as another program on the machine might, and keeps it."""

    def __init__(self, port: int) -> None:
        self._port, self.took, self._stop = port, threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with socket.socket() as thief:
            while not self._stop.is_set():
                try:
                    thief.bind(("", self._port))
                except OSError:
                    continue
                thief.listen()
                self.took.set()
                self._stop.wait(900)

    def close(self) -> None:
        self._stop.set()
        self._thread.join(60)


@pytest.mark.slow
@pytest.mark.parametrize("mode", [SYNC, ASYNC])
def test_a_stolen_port_starts_all_again(train_job, mode: tuple[str, ...]) -> None:
    job = train_job(TWO if mode is SYNC else FOUR, *mode)
    job.wait_for(job.ranks)
    thief = PortThief(int(job.ranks()[0].addresses[1].rpartition(":")[2]))
    try:
        result = job.finish()
    finally:
        thief.close()
    assert thief.took.is_set()
    assert job.process.returncode == 0, job.stderr[-3000:]
    assert "Starting all workers again (1)" in job.stderr
    assert result["steps"] == STEPS


def damaged(dataset: str, folder: Path, damage: Callable[[Path], None]) -> str:
    """A copy of a dataset version one shard of which is not what it was."""
    copy = folder / "damaged"
    shutil.copytree(dataset.removeprefix("file://"), copy)
    damage(sorted((copy / "train").glob("*.tfrecord"))[0])
    return str(copy)


def overwrite(shard: Path) -> None:
    content = bytearray(shard.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    shard.write_bytes(content)


def never_answer(shard: Path) -> None:
    shard.unlink()
    os.mkfifo(shard)


@pytest.mark.slow
@pytest.mark.parametrize("mode", [SYNC, ASYNC])
def test_a_worker_that_raises_ends_the_training_with_its_words(
    train_job, mode: tuple[str, ...], flowers: str, tmp_path: Path
) -> None:
    job = train_job(TWO if mode is SYNC else FOUR, *mode, dataset=damaged(flowers, tmp_path, overwrite))
    job.finish()
    assert job.process.returncode == 2, job.stderr[-3000:]
    assert "has CRC-32C" in job.stderr
    assert "again (1)" not in job.stderr, "another attempt reads the same bytes"
    assert not job.leftovers()


@pytest.mark.slow
def test_a_training_without_progress_is_given_up(train_job, flowers: str, tmp_path: Path) -> None:
    """A pipe in place of a shard: who reads it waits for ever, and gives signs of life all the while."""
    settings = (*SYNC, "training.stall_seconds=20", "training.max_restarts=1")
    job = train_job(TWO, *settings, dataset=damaged(flowers, tmp_path, never_answer))
    job.finish()
    assert job.process.returncode == 1, job.stderr[-3000:]
    assert "Starting all workers again (1)" in job.stderr
    assert "Given up after 1 restarts. No worker has made progress for 20 s" in job.stderr
    assert not job.leftovers()


DISCOVERY = """#!/bin/sh
# Every worker of the embedded cluster is asked once; each is given a GPU of its own.
for gpu in 3 5 7; do
    if mkdir {folder}/gpu-$gpu 2>/dev/null; then echo '{{"name": "gpu", "addresses": ["'$gpu'"]}}'; exit; fi
done
"""


def gpu_settings(folder: Path) -> dict[str, str]:
    script = folder / "discover"
    script.write_text(DISCOVERY.format(folder=folder))
    script.chmod(0o755)
    return {
        "spark.worker.resource.gpu.amount": "1",
        "spark.worker.resource.gpu.discoveryScript": str(script),
        "spark.executor.resource.gpu.amount": "1",
        "spark.task.resource.gpu.amount": "1",
    }


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_ranks_see_the_gpus_that_spark_gave_their_task(train_job, tmp_path: Path, launcher: str) -> None:
    """There are none on this machine, so TensorFlow trains on cores; what it was shown is what counts."""
    job = train_job(TWO, *SYNC, f"training.launcher={launcher}", conf=gpu_settings(tmp_path))
    job.wait_for(lambda: len(job.ranks()) == 2)
    assert sorted(rank.gpus for rank in job.ranks()) == ["3", "5"]
    job.finish()
    assert job.process.returncode == 0, job.stderr[-3000:]


@pytest.mark.slow
def test_gpus_that_tensorflow_cannot_find_are_named(train_job, tmp_path: Path) -> None:
    job = train_job(TWO, *SYNC, "training.gpus_per_worker=1", conf=gpu_settings(tmp_path))
    job.finish()
    assert job.process.returncode == 2
    assert "training.gpus_per_worker=1, and TensorFlow finds 0 GPUs" in job.stderr
    assert "again (1)" not in job.stderr


@pytest.mark.slow
def test_without_gpu_settings_ranks_see_no_gpu(train_job) -> None:
    job = train_job(TWO, *SYNC)
    job.wait_for(lambda: len(job.ranks()) == 2)
    assert [rank.gpus for rank in job.ranks()] == ["", ""]
