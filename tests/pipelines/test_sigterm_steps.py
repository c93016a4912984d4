"""SIGTERM in every step that works for a while: a last line, no staging, no process, an MLflow run that is KILLED."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from tests.pipelines.conftest import processes_marked

ROOT = Path(__file__).parents[2]

MODEL = "models:/emberline-iris_dnn-synthetic@champion"
STEPS = {
    "validate": ["--input", "{raw}", "--output", "{work}/out/report"],
    "evaluate": ["--training", "{work}/training"],
    "register": ["--training", "{work}/second"],
    "score": ["--model", MODEL, "--input", "{raw}", "--output", "{work}/out/scores"],
    "tune": [
        "--dataset", "{work}/dataset", "--output", "{work}/out/tuning", "--trials", "3", "--parallel", "1",
        "--space", "training.epochs=2|3|4",
    ],
}  # fmt: skip


class World:
    """A folder with all that the steps need, and how they are started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.marker = f"EMBERLINE_TEST={folder}"
        self.store = f"sqlite:///{folder}/mlflow.db"
        self.client = MlflowClient(self.store)

    def start(self, step: str, arguments: list[str]) -> "subprocess.Popen[str]":
        places = {"raw": self.folder / "raw", "work": self.folder}
        given = [argument.format(**places) for argument in arguments]
        inherited = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
        return subprocess.Popen(
            [sys.executable, "-m", "emberline", step, "--pipeline", "iris_dnn", *given, "--tracking-uri", self.store,
             "--master", "local[2]"],
            cwd=ROOT, env=inherited | {"PYTHONPATH": str(ROOT), "EMBERLINE_TEST": str(self.folder)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    def do(self, step: str, arguments: list[str]) -> None:
        job = self.start(step, arguments)
        _, stderr = job.communicate(timeout=300)
        assert job.returncode == 0, stderr[-3000:]

    def runs(self) -> dict[str, Any]:
        experiments = [found.experiment_id for found in self.client.search_experiments()]
        return {run.info.run_id: run for run in self.client.search_runs(experiments)}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    from emberline.pipelines.datasets import load_dataset

    world = World(tmp_path_factory.mktemp("sigterm"))
    (world.folder / "out").mkdir()
    load_dataset("iris").generate(str(world.folder / "raw"), seed=1)
    world.do("etl", ["--input", "{raw}", "--output", "{work}/dataset"])
    quick = ["--set", "training.epochs=2", "--set", "training.mode=local"]
    for training in ("training", "second"):
        world.do("train", ["--dataset", "{work}/dataset", "--output", f"{{work}}/{training}", *quick])
        world.do("evaluate", ["--training", f"{{work}}/{training}"])
    world.do("register", ["--training", "{work}/training"])
    return world


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_is_told_to_end_leaves_nothing(world: World, step: str) -> None:
    before = set(world.runs())
    versions = world.client.search_model_versions("name='emberline-iris_dnn-synthetic'")
    again = ["--overwrite"] if step == "evaluate" else []
    evaluated = (world.folder / "training" / "evaluation.json").read_bytes()
    job = world.start(step, [*STEPS[step], *again])
    try:
        deadline = time.monotonic() + 240
        while not set(world.runs()) - before and not os.listdir(world.folder / "out"):  # a claim, or staging
            assert job.poll() is None, job.communicate(timeout=60)[1][-3000:]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        job.terminate()
        stdout, stderr = job.communicate(timeout=120)
    finally:
        job.kill()
        job.wait(60)
    assert job.returncode == 1, stderr[-3000:]
    assert json.loads(stdout.splitlines()[-1])["kind"] == "Interrupted"
    statuses = {run.info.status for name, run in world.runs().items() if name not in before}
    assert statuses <= {"KILLED"}, statuses
    assert not os.listdir(world.folder / "out"), "nothing half done is there"
    assert not list(world.folder.glob("*staging*"))
    assert (world.folder / "training" / "evaluation.json").read_bytes() == evaluated
    assert world.client.search_model_versions("name='emberline-iris_dnn-synthetic'") == versions
    deadline = time.monotonic() + 30
    while processes_marked(world.marker) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert not processes_marked(world.marker)
