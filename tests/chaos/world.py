"""Where the pipelines of a trial run: a standalone Spark cluster, MLflow and an S3 server, revived when they die."""

import contextlib
import os
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyspark

from emberline.features import storage
from tests.airflow_dags.airflow_world import ROOT, Processes, answers, free_port, wait_for
from tests.chaos.marked import MARK, processes, send
from tests.real.jars import s3_connector
from tests.real.object_store import START_SECONDS, ObjectStore, variables

WORKERS = ("spark-worker-1", "spark-worker-2")
MLFLOW, MASTER, STORE = "mlflow", "master", "object-store"
BUCKET = "s3://chaos"
REGISTERED = "Successfully registered with master"

SPARK_SETTINGS = {
    "spark.executor.memory": "512m",
    "spark.executor.cores": "1",
    # Two of four: a submission that is sent twice at once finds room twice.
    "spark.cores.max": "2",
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "2",
}


@dataclass
class World:
    """The servers of a trial.

    Args:
        folder: Takes everything that the trial writes; the mark of its processes.
        servers: Started and revived by name.
        spark: Port of the master.
        tracking: Port of MLflow.
        store: S3 server, for a trial that has one.
        revived: How often each server was started again.
    """

    folder: Path
    servers: Processes
    spark: int = field(default_factory=free_port)
    tracking: int = field(default_factory=free_port)
    store: ObjectStore | None = None
    revived: Counter[str] = field(default_factory=Counter)

    @property
    def mark(self) -> str:
        """What the processes carry in their environment."""
        return str(self.folder)

    @property
    def master(self) -> str:
        """URL of the cluster."""
        return f"spark://127.0.0.1:{self.spark}"

    @property
    def mlflow(self) -> str:
        """URL of the tracking server."""
        return f"http://127.0.0.1:{self.tracking}"

    @property
    def environment(self) -> dict[str, str]:
        """Of every process of the trial."""
        known = {name: os.environ[name] for name in ("HOME", "LANG", "JAVA_HOME") if name in os.environ}
        return (
            known
            | {
                MARK: self.mark,
                "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
                "PYTHONPATH": str(ROOT),
                "TMPDIR": str(self.folder / "tmp"),
                "SPARK_LOCAL_DIRS": str(self.folder / "tmp"),
                "SPARK_LOCAL_IP": "127.0.0.1",
                "SPARK_CONF_DIR": str(self.folder / "conf"),
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # eight processes for what no pipeline asks for
                "PYSPARK_PYTHON": sys.executable,
                "PYSPARK_DRIVER_PYTHON": sys.executable,
            }
            | (variables(self.store.url) if self.store else {})
        )

    def start(self) -> None:
        """Starts all servers; returns when they are up."""
        for name in ("tmp", "conf", "mlflow"):
            (self.folder / name).mkdir()
        settings = dict(SPARK_SETTINGS)
        if self.store:
            settings |= dict.fromkeys(["spark.driver.extraClassPath", "spark.executor.extraClassPath"], s3_connector())
            self.servers.start(STORE, self.store.command(), self.environment)
        lines = [f"{name} {value}" for name, value in settings.items()]
        (self.folder / "conf" / "spark-defaults.conf").write_text("\n".join(lines) + "\n")
        program = str(Path(pyspark.__file__).parent / "bin" / "spark-class")
        java = self.environment | {"SPARK_NO_DAEMONIZE": "1", "SPARK_DAEMON_MEMORY": "256m"}
        deploy, here = "org.apache.spark.deploy", ["--host", "127.0.0.1", "--webui-port", "0"]
        self.servers.start(MASTER, [program, f"{deploy}.master.Master", *here, "--port", str(self.spark)], java)
        for name in WORKERS:
            work = ["-c", "2", "-m", "2g", "--work-dir", str(self.folder / name)]
            self.servers.start(name, [program, f"{deploy}.worker.Worker", *here, *work, self.master], java)
        self.servers.start(MLFLOW, [
            sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.tracking),
            "--workers", "1", "--backend-store-uri", f"sqlite:///{self.folder / 'mlflow' / 'mlflow.db'}",
            "--artifacts-destination", str(self.folder / "mlflow" / "artifacts"),
        ], self.environment)  # fmt: skip
        self._wait(WORKERS)
        if self.store:
            storage.make_dirs(f"{BUCKET}?allow_bucket_creation=true")

    def revive(self, names: tuple[str, ...] = (MLFLOW, STORE, *WORKERS)) -> None:
        """Starts those servers again that have ended; returns at once."""
        for name in set(names) & set(self.servers.running):
            if self.servers.running[name][0].poll() is not None:
                with contextlib.suppress(ProcessLookupError):  # what its head has left
                    os.killpg(self.servers.pid(name), signal.SIGKILL)
                self.servers.again(name)
                self.revived[name] += 1

    def heal(self) -> None:
        """Ends all faults: nobody is stopped or without room, and all servers are up."""
        for process in processes(self.mark):
            send(process.pid, signal.SIGCONT)
            give_room(process.pid)
        before = {name: self._registrations(name) for name in WORKERS}
        dead = tuple(name for name in WORKERS if self.servers.running[name][0].poll() is not None)
        self.revive()
        self._wait(dead, before)

    def lose(self, name: str) -> None:
        """Kills a server with all of its processes."""
        with contextlib.suppress(ProcessLookupError):  # it was down already
            self.servers.kill(name)

    def _wait(self, workers: tuple[str, ...], before: dict[str, int] | None = None) -> None:
        for name in workers:
            known = (before or {}).get(name, 0)
            wait_for(name, lambda name=name, known=known: self._registrations(name) > known, 120)  # type: ignore[misc]
        deadline = time.monotonic() + 20
        while not answers(f"{self.mlflow}/health"):
            if time.monotonic() > deadline:  # its head lives, and whoever answers does not
                self.lose(MLFLOW)
                self.revive((MLFLOW,))
                deadline = time.monotonic() + 120
            time.sleep(0.5)
        if self.store:
            wait_for(STORE, self.store.answers, START_SECONDS)

    def _registrations(self, name: str) -> int:
        return self.servers.log(name).count(REGISTERED)


@contextlib.contextmanager
def open_world(folder: Path, *, with_store: bool = False) -> Iterator[World]:
    """Yields the servers for the block; at its end they are stopped, and whatever else the trial has left is killed."""
    world = World(folder, Processes(folder), store=ObjectStore(folder / STORE) if with_store else None)
    if world.store:
        os.environ.update(variables(world.store.url))  # the checker reads it too
    try:
        world.start()
        yield world
    finally:
        for process in processes(world.mark):
            send(process.pid, signal.SIGCONT)
        world.servers.end()
        for process in processes(world.mark):
            send(process.pid, signal.SIGKILL)


def take_room(pid: int, size: int) -> None:
    """Lets no file of a process grow beyond a size: a full disk, as far as one process can see."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, most))


def give_room(pid: int) -> None:
    """Undoes `take_room`."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        now, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        if now != most:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))
