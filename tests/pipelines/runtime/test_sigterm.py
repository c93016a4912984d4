"""SIGTERM, which schedulers send, ends a job as Ctrl-C does."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

WAITING = (
    "import sys, time\n"
    "from emberline.pipelines.runtime.outcome import conclude\n"
    "def work():\n"
    "    try:\n"
    "        print('working', flush=True)\n"
    "        time.sleep(120)\n"
    "    finally:\n"
    "        print('tidied', flush=True)\n"
    "sys.exit(conclude('wait', work))\n"
)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_job_tidies_up_and_says_its_last_line(number: signal.Signals) -> None:
    job = subprocess.Popen(
        [sys.executable, "-c", WAITING], stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    try:
        assert job.stdout is not None
        assert job.stdout.readline() == "working\n"
        job.send_signal(number)
        said = job.communicate(timeout=60)[0].splitlines()
    finally:
        job.kill()
        job.wait(60)
    assert said[0] == "tidied"
    assert json.loads(said[-1]) == {"job": "wait", "status": "failed", "kind": "Interrupted", "reason": "interrupted"}
    assert job.returncode == 1


def test_an_etl_leaves_nothing_and_its_run_is_killed(tmp_path: Path) -> None:
    import mlflow

    store = f"sqlite:///{tmp_path}/mlflow.db"
    inherited = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    command = [
        sys.executable, "-m", "emberline", "etl", "--pipeline", "iris_dnn", "--input", str(tmp_path / "raw"),
        "--output", str(tmp_path / "out" / "v1"), "--tracking-uri", store, "--master", "local[2]",
    ]  # fmt: skip
    from emberline.pipelines.datasets import load_dataset

    load_dataset("iris").generate(str(tmp_path / "raw"), seed=1)
    job = subprocess.Popen(command, cwd=ROOT, env=inherited | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True)  # fmt: skip
    try:
        deadline = time.monotonic() + 240
        while not list(tmp_path.glob("out/v1.staging-*/*")):
            assert job.poll() is None, job.communicate(timeout=60)
            assert time.monotonic() < deadline
            time.sleep(0.02)
        job.terminate()
        stdout, stderr = job.communicate(timeout=120)
    finally:
        job.kill()
        job.wait(60)
    assert job.returncode == 1, stderr[-2000:]
    assert json.loads(stdout.splitlines()[-1])["kind"] == "Interrupted"
    assert os.listdir(tmp_path / "out") == []
    client = mlflow.MlflowClient(store)
    (experiment,) = [found for found in client.search_experiments() if "iris" in found.name]
    assert [run.info.status for run in client.search_runs([experiment.experiment_id])] == ["KILLED"]
