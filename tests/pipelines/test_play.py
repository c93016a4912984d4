"""`emberline play`: a learner on an executor, players on the others, a run in MLflow, and what cannot work."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession

from emberline.features.errors import BadInputError
from emberline.pipelines.play import Players, spaces_of, train_policy
from emberline.pipelines.reinforcement import policies
from emberline.pipelines.reinforcement.rollouts import play
from emberline.pipelines.runtime.claim import OutputBusyError, claim
from emberline.pipelines.tracking import Tracker

ROOT = Path(__file__).parents[2]
CART = ("play", "--environment", "CartPole-v1")


def test_what_can_be_played() -> None:
    assert spaces_of("CartPole-v1") == (4, 2)
    assert spaces_of("Acrobot-v1") == (6, 3)


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ("CartPool-v1", "Gymnasium has no environment 'CartPool-v1'"),
        ("FrozenLake-v1", r"shows Discrete\(16\) and takes Discrete\(4\); expected a vector to see"),
        ("MountainCarContinuous-v0", r"takes Box\(-1.0, 1.0, \(1,\), float32\); expected .* actions numbered from 0"),
    ],
)
def test_what_cannot_be_played_is_explained(environment: str, reason: str) -> None:
    with pytest.raises(BadInputError, match=reason):
        spaces_of(environment)


def test_an_output_is_a_folder_of_ones_own(spark: SparkSession, tmp_path: Path) -> None:
    def play(output: Path) -> None:
        tracker = Tracker(f"sqlite:///{tmp_path}/m.db")
        train_policy(spark, "CartPole-v1", "dqn", str(output), tracker, target_return=1.0, rounds=1)

    (tmp_path / "diary.txt").write_text("dear")
    with pytest.raises(BadInputError, match="is a file, and a folder is written"):
        play(tmp_path / "diary.txt")
    with claim(str(tmp_path / "policy")), pytest.raises(OutputBusyError, match="Another process writes"):
        play(tmp_path / "policy")


def test_gymnasium_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(BadInputError, match=r"pip install 'emberline\[play\]', here and on executors"):
        spaces_of("CartPole-v1")


def test_executors_without_gymnasium_are_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def rollouts(*_: Any) -> None:
        raise RuntimeError("PythonException: ... ModuleNotFoundError: No module named 'gymnasium'")

    monkeypatch.setattr("emberline.pipelines.play.rollouts", rollouts)
    session = SimpleNamespace(addTag=lambda tag: None, removeTag=lambda tag: None)
    players = Players(session, "CartPole-v1", "a secret", tasks=1)  # type: ignore[arg-type]
    with pytest.raises(BadInputError, match=r"pip install 'emberline\[play\]' on the executors"):
        players._play(policies.Greedy(policies.Scores(())), 1, 1)
    assert isinstance(players.fault, BadInputError), "it is what the job ends with"


def lines_of_processes(ancestors_of: int) -> list[str]:
    """Command lines of a process and of all above it."""
    lines = []
    while ancestors_of > 1:
        folder = Path(f"/proc/{ancestors_of}")
        lines.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        ancestors_of = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
    return lines


class Started:
    """`emberline play` as a process of its own."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.marker = f"EMBERLINE_TEST={folder}"
        places = ["--output", str(folder / "policy"), "--tracking-uri", f"sqlite:///{folder}/mlflow.db"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "emberline", *CART, *places, *arguments],
            env=os.environ | {"PYTHONPATH": str(ROOT), "EMBERLINE_TEST": str(folder)},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def processes(self) -> Iterator[int]:
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and self.marker.encode() in (entry / "environ").read_bytes():
                    yield int(entry.name)
            except OSError:
                continue

    def learner(self) -> int:
        """Process id of the learner, once there is one."""
        deadline = time.monotonic() + 200
        while time.monotonic() < deadline and self.process.poll() is None:
            for process in self.processes():
                try:
                    if b"emberline.pipelines.reinforcement.rank" in Path(f"/proc/{process}/cmdline").read_bytes():
                        return process
                except OSError:
                    continue
            time.sleep(0.2)
        raise AssertionError("no learner came up")


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Any]:
    runs: list[Started] = []

    def start(*arguments: str) -> Started:
        runs.append(Started(tmp_path, *arguments))
        return runs[-1]

    yield start
    for run in runs:
        for process in run.processes():
            try:
                os.kill(process, signal.SIGKILL)
            except OSError:
                continue
        run.process.wait(60)


@pytest.mark.slow
def test_the_learner_is_on_an_executor_and_its_run_in_mlflow(started: Any, tmp_path: Path, emberline: Any) -> None:
    options = "--algorithm policy_gradient --target-return 475 --rounds 12 --master local-cluster[2,1,2048]"
    job = started(*options.split())
    above = lines_of_processes(job.learner())
    assert any("CoarseGrainedExecutorBackend" in line for line in above), "the learner is below an executor"
    assert "pyspark" in above[1], "its parent is a Python worker of Spark's"
    stdout, stderr = job.process.communicate(timeout=400)
    assert job.process.returncode == 0, stderr[-4000:]
    result = json.loads(stdout.strip().splitlines()[-1])
    assert (result["rounds"], result["episodes"], result["solved"]) == (12, 12 * 16, False)
    run = Tracker(f"sqlite:///{tmp_path}/mlflow.db").read_run(result["run_id"])
    assert run.params["algorithm"] == "policy_gradient"
    assert run.params["per_round"] == "16"
    assert "secret" not in run.params
    assert run.metrics["mean"] == pytest.approx(result["mean"])
    assert {"episode_return", "evaluation_return", "episodes", "steps", "rounds"} <= set(run.metrics)
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    returns = [one.value for one in client.get_metric_history(result["run_id"], "episode_return")]
    assert len(returns) == 12
    assert np.mean(returns[-3:]) > 1.5 * np.mean(returns[:3]), "it gets better"
    assert "policy.npz" in {file.path for file in client.list_artifacts(result["run_id"])}
    policy = policies.from_bytes(Path(result["policy"].removeprefix("file://")).read_bytes())
    mine = np.mean([play("CartPole-v1", policy, (1 << 30) + 1000 + seed).episode_return for seed in range(100)])
    assert mine == pytest.approx(result["mean"]), "the policy acts as the one that was judged"
    again = emberline(*CART, "--target-return", "475", "--output", tmp_path / "policy", "--master", "local[2]")
    assert again.code == 2
    assert "is there already" in again.stderr
    single = emberline(*CART, "--target-return", "475", "--output", tmp_path / "other", "--master", "local[1]")
    assert single.code == 2
    assert "The learner holds a task slot, and the players need another; local[1] has one." in single.stderr


@pytest.mark.slow
def test_a_lost_learner_ends_the_job(started: Any) -> None:
    job = started("--target-return", "500", "--master", "local-cluster[2,1,2048]")
    learner = job.learner()
    for line in job.process.stderr:
        if "round 1" in line:
            break
    os.kill(learner, signal.SIGKILL)
    _, stderr = job.process.communicate(timeout=200)
    assert job.process.returncode == 1
    assert "The learner is gone, and what it knew with it; run the job again." in stderr


@pytest.mark.slow
def test_cartpole_is_solved(tmp_path: Path, emberline: Any) -> None:
    options = "--algorithm actor_critic --target-return 475 --master local[2]"
    places = ["--output", tmp_path, "--tracking-uri", f"sqlite:///{tmp_path}/mlflow.db"]
    finished = emberline(*CART, *options.split(), *places)
    assert finished.code == 0, finished.stderr[-4000:]
    assert finished.result["mean"] >= 475
    assert finished.result["solved"]
