"""MLflow on PostgreSQL behind a server that passes artifacts on: whole runs, a restart in one, two clients at once."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import mlflow
import pytest

from emberline.pipelines.tracking import experiment_name
from tests.real.conftest import python_path, training_command
from tests.real.hadoop import free_port
from tests.real.jars import CACHE
from tests.real.postgresql import PostgreSQL

DRIVER = "psycopg[binary]==3.3.9"
START_SECONDS = 180
MODEL = "emberline-iris_dnn"


def driver() -> Path:
    """Returns a folder with the database's driver, which the server alone needs."""
    folder = CACHE / DRIVER.replace("[", "-").replace("]", "")
    if not folder.exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder), DRIVER]
        subprocess.run(pip, check=True, timeout=600)
    return folder


@dataclass
class TrackingServer:
    """MLflow's server.

    Args:
        database: Where it keeps runs.
        folder: Where it keeps artifacts, and its log.
    """

    database: PostgreSQL
    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns when it answers."""
        backend = f"postgresql+psycopg://{self.database.user}@127.0.0.1:{self.database.port}/postgres"
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", backend, "--serve-artifacts",
                 "--artifacts-destination", str(self.folder / "artifacts"), "--host", "127.0.0.1", "--port",
                 str(self.port), "--workers", "2"],
                env=os.environ | {"PYTHONPATH": str(driver())}, stdout=log, stderr=log, start_new_session=True,
                cwd=self.folder,
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self.process.poll() is None, (self.folder / "server.log").read_text()[-3000:]
            assert time.monotonic() < deadline, "the server did not come up"
            time.sleep(0.3)

    def kill(self) -> None:
        """Ends it as a power cut does."""
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(60)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 2) as connection:
                connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
                return b"200" in connection.recv(64)
        except OSError:
            return False


@pytest.fixture(scope="module")
def database() -> Iterator[PostgreSQL]:
    server = PostgreSQL("mlflow")
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def server(database: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrackingServer]:
    found = TrackingServer(database, tmp_path_factory.mktemp("mlflow"))
    try:
        found.start()
        yield found
    finally:
        found.kill()


@pytest.fixture(scope="module")
def client(server: TrackingServer) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(server.uri)


@pytest.fixture(scope="module")
def workspace(server: TrackingServer, flower_files: Path, emberline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a whole run."""
    folder = tmp_path_factory.mktemp("workspace")
    done = emberline("run", "iris_dnn", "--input", flower_files, "--workspace", folder, "--tracking-uri", server.uri,
                     "--set", "training.epochs=40", "--set", "training.workers=1")  # fmt: skip
    assert done.code == 0, done.stderr[-3000:]
    return folder


def dataset_of(workspace: Path) -> str:
    (found,) = workspace.rglob("manifest.json")
    return str(found.parent)


def test_a_whole_run_is_in_the_database_and_its_artifacts_behind_the_server(
    workspace: Path, database: PostgreSQL, client: mlflow.MlflowClient, server: TrackingServer
) -> None:
    champion = client.get_model_version_by_alias(MODEL, "champion")
    assert champion.version == "1"
    run = client.get_run(champion.run_id)
    assert run.info.artifact_uri.startswith("mlflow-artifacts:"), "clients have no other way to the artifacts"
    counted = database.sql(
        f"SELECT count(*) FROM model_versions WHERE name = '{MODEL}'; SELECT count(*) FROM runs WHERE status = "
        "'FINISHED'; SELECT count(*) FROM runs WHERE status <> 'FINISHED';"
    )
    versions, finished, others = map(int, counted.split())
    assert (versions, others) == (1, 0)
    assert finished >= 5, "a run for each step, below that of all"
    assert list((server.folder / "artifacts").rglob("saved_model.pb"))


def test_a_server_that_restarts_in_the_middle_of_a_training_misses_nothing(
    workspace: Path, server: TrackingServer, client: mlflow.MlflowClient, tmp_path: Path
) -> None:
    epochs = 120
    command = training_command(dataset_of(workspace), str(tmp_path / "training"), server.uri,
                               f"training.epochs={epochs}", "training.workers=1", "training.seed=2")  # fmt: skip
    process = subprocess.Popen(command, env=python_path(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 300
        while not list((tmp_path / "training").rglob("position.json")):
            assert process.poll() is None, process.communicate(timeout=60)[1][-3000:]
            assert time.monotonic() < deadline, "no checkpoint"
            time.sleep(0.2)
        server.kill()
        in_the_middle = process.poll() is None
        time.sleep(10)
        server.start()
        _, stderr = process.communicate(timeout=600)
    finally:
        process.kill()
        if server.process and server.process.poll() is not None:
            server.start()
    assert in_the_middle
    assert process.returncode == 0, stderr[-3000:]
    experiment = client.get_experiment_by_name(experiment_name("iris_dnn"))
    runs = client.search_runs([experiment.experiment_id], "tags.`emberline.step` = 'train'")
    (run,) = [found for found in runs if found.data.params.get("training.epochs") == str(epochs)]
    assert run.info.status == "FINISHED"
    names = [name for name in run.data.metrics if name.endswith("loss")]
    assert names
    losses = client.get_metric_history(run.info.run_id, "loss" if "loss" in names else names[0])
    assert len({point.step for point in losses}) == len(losses) >= epochs, "every epoch's, each once"


def test_two_clients_register_at_once_and_each_has_a_version(
    workspace: Path, server: TrackingServer, client: mlflow.MlflowClient, emberline, tmp_path: Path
) -> None:
    trainings = [str(tmp_path / f"training-{seed}") for seed in (3, 4)]
    for seed, training in zip((3, 4), trainings, strict=True):
        done = emberline("train", "--pipeline", "iris_dnn", "--dataset", dataset_of(workspace), "--output", training,
                         "--tracking-uri", server.uri, "--set", "training.epochs=40", "--set", "training.workers=1",
                         "--set", f"training.seed={seed}", "--master", "local[2]")  # fmt: skip
        assert done.code == 0, done.stderr[-3000:]
        done = emberline("evaluate", "--pipeline", "iris_dnn", "--training", training, "--tracking-uri", server.uri,
                         "--set", "training.epochs=40", "--set", "training.workers=1", "--set",
                         f"training.seed={seed}", "--master", "local[2]")  # fmt: skip
        assert done.code == 0, done.stderr[-3000:]
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "emberline", "register", "--pipeline", "iris_dnn", "--training", training,
             "--tracking-uri", server.uri],
            env=python_path(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for training in trainings
    ]  # fmt: skip
    for process in both:
        _, stderr = process.communicate(timeout=300)
        assert process.returncode == 0, stderr[-3000:]
    versions = client.search_model_versions(f"name = '{MODEL}'")
    assert sorted(int(version.version) for version in versions) == [1, 2, 3]
    assert len({version.run_id for version in versions}) == 3, "each of a training of its own"
    assert client.get_model_version_by_alias(MODEL, "champion").version in ("1", "2", "3")
