"""A world to run DAGs in: Airflow, a standalone Spark cluster and an MLflow server, as processes of this machine."""

import contextlib
import json
import math
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pyspark

from emberline.pipelines.runtime.code_archive import bundle

ROOT = Path(__file__).parents[2]
SPARK_HOME = Path(pyspark.__file__).parent
DAILY = "emberline_census_wide_deep"
INCREMENTAL, SCORE, DRIFT, RETRAIN, TUNE = (
    f"{DAILY}_{name}" for name in ("incremental", "score", "drift", "retrain", "tune")
)
COMPARE = "emberline_census_compare"
MODEL = "emberline-census_wide_deep"
TRAIN_ROWS, TEST_ROWS = 1500, 600
SECRETS = {
    "MLFLOW_TRACKING_PASSWORD": "planted-password-0815",
    "AWS_ACCESS_KEY_ID": "planted-key-1234",
    "AWS_SECRET_ACCESS_KEY": "planted-secret-5678",
}
CONNECTION_PASSWORD = "planted-connection-9012"
"""What Airflow's workers know, and nobody may write down."""
LOCKED_TRIES = 5
OVERRIDES = ["training.epochs=2", "training.global_batch=64", "preparation.shards=2", "training.tensorboard=False"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: str, ready: Callable[[], Any], seconds: float = 120, every: float = 1.0) -> Any:
    """What `ready` returns as soon as it is true of it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := ready():
            return found
        time.sleep(every)
    raise AssertionError(f"{what}: not within {seconds:.0f} s")


@dataclass
class Processes:
    """Programs that a test starts, kills and starts again by name; all end with it."""

    folder: Path
    running: dict[str, tuple[subprocess.Popen[bytes], list[str], dict[str, str]]] = field(default_factory=dict)
    orphaned: list[int] = field(default_factory=list)

    def start(self, name: str, command: list[str], env: dict[str, str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command, env=env, cwd=self.folder, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self.running[name] = (process, command, env)

    def pid(self, name: str) -> int:
        return self.running[name][0].pid

    def kill(self, name: str, *, group: bool = True) -> None:
        process = self.running[name][0]
        (os.killpg if group else os.kill)(process.pid, signal.SIGKILL)
        process.wait(60)
        if not group:
            self.orphaned.append(process.pid)

    def again(self, name: str) -> None:
        _, command, env = self.running[name]
        self.start(name, command, env)

    def end(self) -> None:
        for name in reversed(list(self.running)):
            process = self.running[name][0]
            for kill in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(process.pid, kill)
                except ProcessLookupError:
                    break
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    continue
        for group in self.orphaned:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")


@dataclass
class World:
    """A cluster, a tracking server, an Airflow, and the days of raw data between them."""

    folder: Path
    processes: Processes
    api: str
    mlflow: str

    @property
    def raw(self) -> Path:
        return self.folder / "raw"

    @property
    def root(self) -> Path:
        return self.folder / "root"

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Airflow's REST API."""
        request = urllib.request.Request(
            f"{self.api}{path}", method=method, headers={"Content-Type": "application/json"}
        )
        if path.startswith("/api"):
            token = json.loads(urllib.request.urlopen(f"{self.api}/auth/token", timeout=30).read())["access_token"]
            request.add_header("Authorization", f"Bearer {token}")
        data = json.dumps(body).encode() if body is not None else None
        for tries_left in range(LOCKED_TRIES, -1, -1):
            try:
                with urllib.request.urlopen(request, data, timeout=60) as answer:
                    text = answer.read()
                break
            except urllib.error.HTTPError as error:
                if error.code == 500 and tries_left:  # Airflow's SQLite is locked by its scheduler
                    time.sleep(2)
                    continue
                raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()[:2000]}") from error
        return json.loads(text) if text else None

    def runs(self, dag: str, kind: str = "") -> list[dict[str, Any]]:
        """Runs in the order of their days; of one kind, such as `backfill`, or all."""
        found: list[dict[str, Any]] = self.ask("GET", f"/api/v2/dags/{dag}/dagRuns?limit=100")["dag_runs"]
        found = [run for run in found if kind in ("", run["run_type"])]
        return sorted(found, key=lambda run: run["logical_date"] or run["run_after"])

    def tasks(self, dag: str, run: str) -> dict[str, dict[str, Any]]:
        path = f"/api/v2/dags/{dag}/dagRuns/{urllib.parse.quote(run, safe='')}/taskInstances"
        return {task["task_id"]: task for task in self.ask("GET", path)["task_instances"]}

    def states(self, dag: str, run: str) -> dict[str, str]:
        return {name: task["state"] for name, task in self.tasks(dag, run).items()}

    def trigger(self, dag: str, day: str, **conf: Any) -> str:
        """Starts a run of a logical date such as `20260102`; returns its id."""
        date = f"{day[:4]}-{day[4:6]}-{day[6:]}T00:00:00Z"
        body = {"logical_date": date, "conf": {"overrides": OVERRIDES, **conf}}
        return str(self.ask("POST", f"/api/v2/dags/{dag}/dagRuns", body)["dag_run_id"])

    def ended(self, dag: str, run: str, seconds: float = 600) -> str:
        """The state in which a run ends."""

        def state() -> str | None:
            now = self.ask("GET", f"/api/v2/dags/{dag}/dagRuns/{urllib.parse.quote(run, safe='')}")["state"]
            return now if now in ("success", "failed") else None

        return str(wait_for(f"the end of {dag} {run}, now {self.states(dag, run)}", state, seconds))

    def clear(self, dag: str, run: str, task: str) -> None:
        """As a person clears a task together with those after it."""
        body = {
            "dry_run": False, "dag_run_id": run, "task_ids": [task], "include_downstream": True,
            "only_failed": False, "reset_dag_runs": True,
        }  # fmt: skip
        self.ask("POST", f"/api/v2/dags/{dag}/clearTaskInstances", body)

    def task_log(self, dag: str, run: str, task: str) -> str:
        """Everything that the tries of a task wrote."""
        folder = self.folder / "airflow" / "logs" / f"dag_id={dag}" / f"run_id={run}" / f"task_id={task}"
        return "\n".join(path.read_text(errors="replace") for path in sorted(folder.glob("*.log")))

    def scored(self, day: str) -> list[str]:
        """States of the runs that scored a day, in order."""
        return [run["state"] for run in self.runs(SCORE) if run["partition_key"] == day]

    def predictions(self, day: str) -> Any:
        return pq.read_table(self.root / "predictions" / "census_wide_deep" / day)

    def registry(self) -> Any:
        from mlflow.tracking import MlflowClient

        return MlflowClient(self.mlflow, self.mlflow)

    def champion(self) -> int:
        return int(self.registry().get_model_version_by_alias(MODEL, "champion").version)

    def versions(self) -> int:
        """How many models were ever registered."""
        return len(self.registry().search_model_versions(f"name='{MODEL}'"))

    def quiet(self) -> None:
        """Waits until no run of any DAG is under way."""

        def none_left() -> bool:
            path = "/api/v2/dags/~/dagRuns?state=queued&state=running"
            return not self.ask("GET", path)["dag_runs"]

        wait_for("an end of all runs", none_left, 400, 2)


def deliver(
    world: World, census: Path, day: str, number: int, change: Callable[[str, list[str]], list[str]] | None = None
) -> None:
    """Raw files of a day: the `number`th rows of the official files."""
    folder = world.raw / day
    folder.mkdir(parents=True)
    for name, rows, skip in (("adult.data", TRAIN_ROWS, 0), ("adult.test", TEST_ROWS, 1)):
        lines = (census / name).read_text().splitlines()[skip:]
        chosen = lines[number * rows : (number + 1) * rows]
        (folder / name).write_text("\n".join(change(name, chosen) if change else chosen) + "\n")


@dataclass(frozen=True)
class Application:
    """A Spark application, and between which lines of the master's log it lived."""

    began: int
    ended: float


def applications(world: World, job: str) -> list[Application]:
    """Those of a job, in order."""
    lines = world.processes.log("master").splitlines()
    found = []
    for number, line in enumerate(lines):
        if registered := re.search(rf"Registered app emberline {job} \S+ with ID (\S+)", line):
            over = (at for at, later in enumerate(lines) if f"Removing app {registered[1]}" in later)
            found.append(Application(number, next(over, math.inf)))
    return found


@contextlib.contextmanager
def open_world(folder: Path, airflow_program: str) -> Iterator[World]:
    """Everything that runs, for the block; what it wrote stays in the folder, and another block may go on with it."""
    airflow_home, dags = folder / "airflow", folder / "dags"
    for part in (airflow_home, folder / "mlflow", folder / "raw", folder / "conf"):
        part.mkdir(exist_ok=True, parents=True)
    shutil.copytree(ROOT / "airflow_dags", dags, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    code = folder / "code"
    shutil.copytree(ROOT / "jobs", code / "jobs", ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    bundle(str(code / "emberline.zip"))
    (folder / "conf" / "spark-defaults.conf").write_text(
        "spark.executor.memory 512m\nspark.executor.cores 1\nspark.cores.max 2\nspark.ui.enabled false\n"
    )
    spark, tracking, api = free_port(), free_port(), free_port()
    plain = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR", "JAVA_HOME") if name in os.environ}
    here = Path(sys.executable).parent
    plain["PATH"] = os.pathsep.join([str(here), os.environ["PATH"]])
    of_spark = plain | {
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_NO_DAEMONIZE": "1",
        "SPARK_CONF_DIR": str(folder / "conf"),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
    }
    of_airflow = (
        of_spark
        | SECRETS
        | {
            "AIRFLOW_HOME": str(airflow_home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{api}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__PARALLELISM": "2",
            "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "3",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(api),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{api}",
            "AIRFLOW__API_AUTH__JWT_SECRET": "only-for-this-test-and-long-enough-for-it" * 2,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{airflow_home / 'airflow.db'}",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
            "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
            "AIRFLOW_CONN_EMBERLINE_SPARK": json.dumps(
                {"conn_type": "spark", "host": f"spark://127.0.0.1:{spark}", "password": CONNECTION_PASSWORD}
            ),
            "AIRFLOW_VAR_EMBERLINE_CODE": str(code),
            "AIRFLOW_VAR_EMBERLINE_ROOT": str(folder / "root"),
            "AIRFLOW_VAR_EMBERLINE_MLFLOW": f"http://127.0.0.1:{tracking}",
            "AIRFLOW_VAR_EMBERLINE_CENSUS_RAW": str(folder / "raw"),
        }
    )
    processes = Processes(folder)
    world = World(folder, processes, f"http://127.0.0.1:{api}", f"http://127.0.0.1:{tracking}")
    try:
        _start_spark(processes, folder, spark, of_spark)
        processes.start("mlflow", [
            sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(tracking), "--workers", "1",
            "--backend-store-uri", f"sqlite:///{folder / 'mlflow' / 'mlflow.db'}",
            "--artifacts-destination", str(folder / "mlflow" / "artifacts"),
        ], of_spark)  # fmt: skip
        for command in (
            ["db", "migrate"],
            ["pools", "set", "emberline_training", "1", "trainings the cluster has room for", "--include-deferred"],
        ):
            done = subprocess.run(
                [airflow_program, *command],
                env=of_airflow,
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=900,  # on a machine that does much else
            )
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        for name in ("api-server", "scheduler", "dag-processor", "triggerer"):
            processes.start(name, [airflow_program, name], of_airflow)
        wait_for("MLflow", lambda: answers(f"{world.mlflow}/health"))
        wait_for("Airflow", lambda: answers(f"{world.api}/api/v2/monitor/health"), 180)

        all_dags = {path.stem for path in dags.glob("emberline_*.py")}

        def known() -> bool:
            return all_dags <= {dag["dag_id"] for dag in world.ask("GET", "/api/v2/dags")["dags"]}

        wait_for("the DAGs", known)
        yield world
    finally:
        processes.end()


def _start_spark(processes: Processes, folder: Path, port: int, env: dict[str, str]) -> None:
    program, deploy = str(SPARK_HOME / "bin" / "spark-class"), "org.apache.spark.deploy"
    master = ["--host", "127.0.0.1", "--port", str(port), "--webui-port", "0"]
    processes.start("master", [program, f"{deploy}.master.Master", *master], env)
    for number in (1, 2):
        work = ["--host", "127.0.0.1", "-c", "1", "-m", "1g", "--work-dir", str(folder / f"worker-{number}")]
        command = [program, f"{deploy}.worker.Worker", *work, "--webui-port", "0", f"spark://127.0.0.1:{port}"]
        processes.start(f"worker-{number}", command, env)
    registered = "Successfully registered with master"
    wait_for("Spark", lambda: all(registered in processes.log(f"worker-{number}") for number in (1, 2)))


def answers(url: str) -> bool:
    """Whether a server is up."""
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False
