"""Killed trainings resume where their last checkpoint stands; failing workers are heard; nothing is left running."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from mlflow.tracking import MlflowClient

ROOT = Path(__file__).parents[2]
MASTER = ["--master", "local-cluster[2,1,1024]"]
TRAIN = ["train", "--pipeline", "census_wide_deep", "--set", "training.epochs=6", "--set", "training.global_batch=128"]


def ranks_below(folder: Path) -> list[int]:
    """Process ids of training processes whose assignment names `folder`."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and b"pipelines.training.rank" in (entry / "cmdline").read_bytes():
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
    arguments = [*TRAIN, "--dataset", census_run.summary["dataset"], "--output", str(output), "--tracking-uri", store]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "EMBERLINE_TEST": str(tmp_path)}
    driver = subprocess.Popen(
        [sys.executable, "-m", "jobs", *arguments, *MASTER],
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
    assert "failed: ended with code -9" in stderr or "Traceback" in stderr
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
