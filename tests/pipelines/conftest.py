"""What tests of trainings with real processes share."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.foreign_project import write_project

ROOT = Path(__file__).parents[2]
FLOWERS = 12_000


@pytest.fixture(scope="session", autouse=True)
def stores_made_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fresh stores of this process are copies of the first: MLflow makes one by all migrations since its beginnings.

    Those of commands and servers, processes of their own, are made as MLflow makes them.
    """
    from mlflow.store.db import utils

    first = tmp_path_factory.mktemp("store") / "mlflow.db"
    migrated = utils._initialize_tables

    def initialize(engine: Any) -> None:
        file = engine.url.database
        if engine.url.get_backend_name() != "sqlite" or not file:
            migrated(engine)
        elif first.exists():
            _copy(str(first), file)
        else:
            migrated(engine)
            _copy(file, str(first))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "_initialize_tables", initialize)
        yield


def _copy(source: str, target: str) -> None:
    with closing(sqlite3.connect(source)) as here, closing(sqlite3.connect(target)) as there:
        here.backup(there)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The present folder is that of somebody's project; what was imported of it is forgotten afterwards."""
    folder = write_project(tmp_path / "checkout")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "rides"]:
        del sys.modules[name]


@dataclass(frozen=True)
class Rank:
    """A training process.

    Args:
        pid: Its process id.
        role: `chief`, `worker` or `ps`.
        index: Within its role.
        addresses: Of all ranks.
        gpus: What `CUDA_VISIBLE_DEVICES` says.
    """

    pid: int
    role: str
    index: int
    addresses: tuple[str, ...]
    gpus: str | None

    @property
    def python_worker(self) -> int:
        """The process that started it."""
        return parent_of(self.pid)


def parent_of(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[1])


def processes_marked(marker: str) -> dict[int, dict[str, str]]:
    """Environments of all processes, Java ones too, whose environment has `marker` in it."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                content = (entry / "environ").read_bytes().decode(errors="replace")
                if marker in content:
                    found[int(entry.name)] = dict(item.partition("=")[::2] for item in content.split("\0"))
        except OSError:
            continue  # it ended while we looked
    return found


def ranks_marked(marker: str) -> list[Rank]:
    """The training processes among them, by role and index."""
    ranks = []
    for pid, environment in processes_marked(marker).items():
        try:
            if b"emberline.pipelines.training.rank" not in Path(f"/proc/{pid}/cmdline").read_bytes():
                continue
        except OSError:
            continue
        config = json.loads(environment["TF_CONFIG"])
        addresses = tuple(address for group in config["cluster"].values() for address in group)
        task = config["task"]
        ranks.append(Rank(pid, task["type"], task["index"], addresses, environment.get("CUDA_VISIBLE_DEVICES")))
    return sorted(ranks, key=lambda rank: (rank.role, rank.index))


@dataclass
class Job:
    """`python -m emberline train iris_dnn` as a process of its own.

    Args:
        output: The training's folder.
        marker: In the environment of it and of everything below it.
        process: The driver.
    """

    output: Path
    marker: str
    process: subprocess.Popen[str]
    stderr: str = field(default="", init=False)

    def ranks(self) -> list[Rank]:
        return ranks_marked(self.marker)

    def wait_for(self, condition: Callable[[], Any], seconds: float = 240) -> None:
        deadline = time.monotonic() + seconds
        while not condition() and self.process.poll() is None:
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.2)

    def wait_for_checkpoint(self) -> None:
        """Until the first epoch is over: the next one is under way."""
        self.wait_for(lambda: list(self.output.glob("checkpoints/*/position.json")))

    def finish(self, seconds: float = 240) -> dict[str, Any]:
        """The result on its last line, once it has ended."""
        stdout, self.stderr = self.process.communicate(timeout=seconds)
        lines = stdout.strip().splitlines()
        return json.loads(lines[-1]) if lines else {}

    def leftovers(self) -> list[int]:
        """Processes that are still there some seconds after the driver's end."""
        deadline = time.monotonic() + 30
        while (left := processes_marked(self.marker)) and time.monotonic() < deadline:
            time.sleep(0.5)
        return list(left)


@dataclass
class MlflowServer:
    """A tracking server as a process of its own, on a store that outlives it.

    Args:
        folder: Of its database and artifacts.
        port: The same after each start.
    """

    folder: Path
    port: int = field(default_factory=lambda: free_port())
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns when it answers."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port),
                 "--workers", "1", "--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db",
                 "--artifacts-destination", str(self.folder / "artifacts")],
                env=environment, cwd=self.folder, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + 120
        while not self.answers():
            assert self.process.poll() is None, (self.folder / "server.log").read_text()[-3000:]
            assert time.monotonic() < deadline, "the server did not come up"
            time.sleep(0.3)

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def kill(self) -> None:
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(60)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """A running server; tests may kill it and start it again."""
    server = MlflowServer(tmp_path_factory.mktemp("mlflow"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def train_job(flowers: str, tmp_path: Path) -> Iterator[Callable[..., Job]]:
    """Starts trainings; what is left of them is killed at the end of the test."""
    jobs = []

    def start(
        master: str, *settings: str, conf: dict[str, str] | None = None, dataset: str = flowers, store: str = ""
    ) -> Job:
        output = tmp_path / f"training-{len(jobs)}"
        marker = f"EMBERLINE_TEST={output}"
        arguments = [argument for setting in settings for argument in ("--set", setting)]
        submit = " ".join(f"--conf {key}={value}" for key, value in (conf or {}).items())
        environment = os.environ | {"PYTHONPATH": str(ROOT), "EMBERLINE_TEST": str(output)}
        if submit:
            environment["PYSPARK_SUBMIT_ARGS"] = f"{submit} pyspark-shell"
        process = subprocess.Popen(
            [sys.executable, "-m", "emberline", "train", "--pipeline", "iris_dnn", *arguments, "--master", master,
             "--dataset", dataset, "--output", str(output), "--tracking-uri", store or f"sqlite:///{tmp_path}/mlflow.db"],
            env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
        jobs.append(Job(output, marker, process))
        return jobs[-1]

    yield start
    for job in jobs:
        for pid in processes_marked(job.marker):
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue
        job.process.wait(60)
