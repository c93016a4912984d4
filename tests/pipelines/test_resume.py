"""Killed trainings resume where their last checkpoint stands; failing workers are heard; nothing is left running."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

ROOT = Path(__file__).parents[2]
MASTER = ["--master", "local-cluster[2,1,1024]"]
TRAIN = ["train", "--pipeline", "census_wide_deep", "--set", "training.epochs=6", "--set", "training.global_batch=128"]


def ranks_below(folder: Path) -> list[int]:
    """Process ids of training processes whose assignment names `folder`."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and b"emberline.pipelines.training.rank" in (entry / "cmdline").read_bytes():
                environment = (entry / "environ").read_bytes().decode(errors="ignore")
                if str(folder) in environment:
                    found.append(int(entry.name))
        except OSError:
            continue  # it ended while we looked
    return found


def wait_until(condition, seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.5)


def test_a_killed_training_resumes_and_a_killed_worker_is_reported(census_run, tmp_path: Path, emberline) -> None:
    output, store = tmp_path / "training", census_run.tracking_uri
    arguments = [
        *TRAIN,
        "--set",
        "training.max_restarts=0",
        "--set",
        "training.launcher=tensorflowonspark",
        "--dataset",
        census_run.summary["dataset"],
        "--output",
        str(output),
        "--tracking-uri",
        store,
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "EMBERLINE_TEST": str(tmp_path)}
    driver = subprocess.Popen(
        [sys.executable, "-m", "emberline", *arguments, *MASTER],
        env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        wait_until(lambda: list(output.glob("checkpoints/*/position.json")), 240, "no checkpoint appeared")
        # One rank dies in mid-epoch: the other is blocked in a collective and must not keep the driver waiting.
        os.kill(ranks_below(tmp_path)[-1], signal.SIGKILL)
        _, stderr = driver.communicate(timeout=90)
    finally:
        if driver.poll() is None:
            os.killpg(driver.pid, signal.SIGKILL)
    assert driver.returncode == 1
    assert "was killed by SIGKILL (code -9)" in stderr or "Traceback" in stderr
    wait_until(lambda: not ranks_below(tmp_path), 30, f"orphans: {ranks_below(tmp_path)}")
    state = json.loads((output / "training.json").read_text())
    assert not state["finished"]
    assert MlflowClient(store).get_run(state["run_id"]).info.status == "FAILED"

    # With --overwrite, as a scheduler's retry says: what is unfinished goes on, only a finished one would start over.
    finished = emberline(*arguments, "--overwrite", *MASTER)
    assert finished.code == 0, finished.stderr[-3000:]
    assert finished.result["run_id"] == state["run_id"], "one training is one run, however often it was interrupted"
    assert finished.result["resumed_from"] > 0
    assert finished.result["steps"] == 6 * (5998 // 128)
    assert "resumed after epoch" in finished.stderr
    history = MlflowClient(store).get_metric_history(state["run_id"], "loss")
    assert sorted({point.step for point in history}) == [46 * epoch for epoch in range(1, 7)]
    assert MlflowClient(store).get_run(state["run_id"]).info.status == "FINISHED"


def parent_of(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[1])


def executor_of(process: int) -> int:
    """The executor JVM above a training process: Spark's Python daemon lies between them."""
    return parent_of(parent_of(parent_of(process)))


FAULTS = {
    "killed process": lambda rank: os.kill(rank, signal.SIGKILL),
    "hung process": lambda rank: os.kill(rank, signal.SIGSTOP),
    "killed Python worker": lambda rank: os.kill(parent_of(rank), signal.SIGKILL),
    "killed executor": lambda rank: os.kill(executor_of(rank), signal.SIGKILL),
}


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["barrier", "tensorflowonspark"])
@pytest.mark.parametrize("fault", FAULTS)
def test_all_workers_start_again_after_a_fault(launcher: str, fault: str, census_run, tmp_path: Path) -> None:
    output, store = tmp_path / "training", census_run.tracking_uri
    tables = "rows" if launcher == "barrier" else "dense"
    settings = ["--set", f"training.launcher={launcher}", "--set", f"training.tables={tables}",
                "--dataset", census_run.summary["dataset"]]  # fmt: skip
    driver = subprocess.Popen(
        [sys.executable, "-m", "emberline", *TRAIN, *settings, "--output", str(output), "--tracking-uri", store,
         *MASTER],
        env=os.environ | {"PYTHONPATH": str(ROOT), "EMBERLINE_TEST": str(tmp_path)},
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        wait_until(lambda: list(output.glob("checkpoints/*/position.json")), 240, "no checkpoint appeared")
        FAULTS[fault](ranks_below(tmp_path)[-1])
        stdout, stderr = driver.communicate(timeout=240)
    finally:
        if driver.poll() is None:
            os.killpg(driver.pid, signal.SIGKILL)
    assert driver.returncode == 0, stderr[-3000:]
    result = json.loads(stdout.splitlines()[-1])
    assert "Starting all workers again (1)" in stderr
    assert result["steps"] == 6 * (5998 // 128)
    assert result["resumed_from"] > 0
    wait_until(lambda: not ranks_below(tmp_path), 30, f"orphans: {ranks_below(tmp_path)}")
    run = MlflowClient(store).get_run(result["run_id"])
    assert (run.info.status, run.data.metrics["restarts"]) == ("FINISHED", 1)


@pytest.mark.slow
def test_another_number_of_workers_goes_on_in_mid_epoch(census_run, tmp_path: Path, emberline) -> None:
    """Two workers that exchange rows of tables are killed behind a checkpoint of a step; one worker does the rest, on
    averages and all.
    """
    output, store = tmp_path / "training", census_run.tracking_uri
    settings = ["checkpoint_every=7 steps", "steps_per_call=5", "average_decay=0.99", "clip_norm=1.0", "accumulate=2",
                "max_restarts=0", "best_metric=eval_auc", "tables=rows"]  # fmt: skip
    arguments = [
        *TRAIN, *[text for setting in settings for text in ("--set", f"training.{setting}")],
        "--dataset", census_run.summary["dataset"], "--output", str(output), "--tracking-uri", store, *MASTER,
    ]  # fmt: skip
    driver = subprocess.Popen(
        [sys.executable, "-m", "emberline", *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT), "EMBERLINE_TEST": str(tmp_path)},
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        wait_until(lambda: list(output.glob("checkpoints/*/position.json")), 240, "no checkpoint appeared")
        os.kill(ranks_below(tmp_path)[-1], signal.SIGKILL)
        _, stderr = driver.communicate(timeout=120)
    finally:
        if driver.poll() is None:
            os.killpg(driver.pid, signal.SIGKILL)
    assert driver.returncode == 1, stderr[-3000:]
    finished = emberline(*arguments, "--set", "training.workers=1")
    assert finished.code == 0, finished.stderr[-3000:]
    assert finished.result["resumed_from"] % 7 == 0 or finished.result["resumed_from"] % 46 == 0
    assert finished.result["steps"] == 6 * (5998 // 128)
    assert "kB a step, instead of" in stderr
    assert finished.result["metrics"]["eval_auc"] > 0.85
    assert list((output / "tensorboard").glob("events.out.tfevents.*"))
