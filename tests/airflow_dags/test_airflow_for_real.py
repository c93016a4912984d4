"""Airflow's own processes run the census DAGs on a standalone Spark cluster beside an MLflow server; then parts fail.

The tests of this file follow one another, like days: each goes on where the one before has ended.
"""

import contextlib
import json
import math
import os
import random
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
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pyspark
import pytest

from pipelines.bundle import bundle

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SPARK_HOME = Path(pyspark.__file__).parent
DAILY, SCORE = "emberline_census_wide_deep", "emberline_census_wide_deep_score"
DRIFT = "emberline_census_wide_deep_drift"
MODEL = "emberline-census_wide_deep"
TRAIN_ROWS, TEST_ROWS = 1500, 600
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
        process.wait()
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
        try:
            with urllib.request.urlopen(request, data, timeout=60) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
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


def at_random(name: str, lines: list[str]) -> list[str]:
    """Labels that say nothing about their rows: the model that learns them is worse than any champion."""
    if name != "adult.data":
        return lines
    labels = [line.rpartition(", ")[2] for line in lines]
    random.Random(1).shuffle(labels)
    return [f"{line.rpartition(', ')[0]}, {label}" for line, label in zip(lines, labels, strict=True)]


@pytest.fixture(scope="module")
def world(airflow: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    # A world that outlives its tests can be looked at, and gone on with: `-k` chooses the next day.
    folder = Path(os.environ.get("EMBERLINE_TEST_WORLD") or tmp_path_factory.mktemp("world"))
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
        "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_NO_DAEMONIZE": "1", "SPARK_CONF_DIR": str(folder / "conf"),
        "PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable,
    }  # fmt: skip
    of_airflow = of_spark | {
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
        "AIRFLOW_CONN_EMBERLINE_SPARK": json.dumps({"conn_type": "spark", "host": f"spark://127.0.0.1:{spark}"}),
        "AIRFLOW_VAR_EMBERLINE_CODE": str(code),
        "AIRFLOW_VAR_EMBERLINE_ROOT": str(folder / "root"),
        "AIRFLOW_VAR_EMBERLINE_MLFLOW": f"http://127.0.0.1:{tracking}",
        "AIRFLOW_VAR_EMBERLINE_CENSUS_RAW": str(folder / "raw"),
    }
    processes = Processes(folder)
    world = World(folder, processes, f"http://127.0.0.1:{api}", f"http://127.0.0.1:{tracking}")
    airflow_program = str(airflow.python_program.with_name("airflow"))
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
                [airflow_program, *command], env=of_airflow, cwd=folder, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        for name in ("api-server", "scheduler", "dag-processor", "triggerer"):
            processes.start(name, [airflow_program, name], of_airflow)
        wait_for("MLflow", lambda: _answers(f"{world.mlflow}/health"))
        wait_for("Airflow", lambda: _answers(f"{world.api}/api/v2/monitor/health"), 180)

        def known() -> bool:
            return {DAILY, SCORE} <= {dag["dag_id"] for dag in world.ask("GET", "/api/v2/dags")["dags"]}

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


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


def test_the_clock_starts_a_first_day_that_ends_with_a_champion_and_its_predictions(world: World, census: Path) -> None:
    day = f"{datetime.now(UTC):%Y%m%d}"
    deliver(world, census, day, 0)
    for dag in (DAILY, SCORE):
        world.ask("PATCH", f"/api/v2/dags/{dag}", {"is_paused": False})
    wait_for("the clock", lambda: world.runs(DAILY))
    (run,) = (one["dag_run_id"] for one in world.runs(DAILY))
    assert world.ended(DAILY, run) == "success", world.states(DAILY, run)
    assert set(world.states(DAILY, run).values()) == {"success"}
    assert world.champion() == world.versions() == 1
    wait_for("predictions", lambda: world.scored(day) == ["success", "success"], 300)
    # The day came before there was a champion: nothing to score with yet.
    early, late = (one["dag_run_id"] for one in world.runs(SCORE))
    assert world.states(SCORE, early) == {"champion_known": "success", "score": "skipped"}
    assert world.states(SCORE, late) == {"champion_known": "success", "score": "success"}
    table = world.predictions(day)
    assert table.num_rows == len(set(table["row"].to_pylist())) == TRAIN_ROWS + TEST_ROWS
    assert table["model_version"].unique().to_pylist() == [1]


@pytest.mark.parametrize(
    ("day", "change", "reason"),
    [
        (
            "20260102",
            lambda name, lines: [line if at % 3 else f"old, {line}" for at, line in enumerate(lines)],
            "rejected",
        ),
        ("20260103", lambda name, lines: [line.partition(", ")[2] for line in lines], "rejected"),
        ("20260104", lambda name, lines: [], "no rows"),
    ],
    ids=["corrupt", "without a column", "empty"],
)
def test_a_bad_day_ends_at_the_check_and_changes_nothing(
    world: World, census: Path, day: str, change: Callable[[str, list[str]], list[str]], reason: str
) -> None:
    champion, versions = world.champion(), world.versions()
    deliver(world, census, day, 1, change)
    run = world.trigger(DAILY, day)
    assert world.ended(DAILY, run) == "failed"
    tasks = world.tasks(DAILY, run)
    assert tasks["validate"]["state"] == "failed"
    assert tasks["validate"]["try_number"] == 1  # bad data stays bad
    assert {task["state"] for name, task in tasks.items() if name != "validate"} == {"upstream_failed"}
    log = world.task_log(DAILY, run, "validate")
    assert reason in log
    assert "Last line of its job" in log
    assert f"MLflow run: {world.mlflow}/#/runs/" in log
    assert world.scored(day) == []
    assert not (world.root / "predictions" / "census_wide_deep" / day).exists()
    assert not (world.root / "datasets" / DAILY / "census_wide_deep" / f"{day}T000000").exists()
    assert world.champion() == champion
    assert world.versions() == versions


def test_a_day_like_the_champions_own_starts_no_retraining(world: World) -> None:
    day = world.runs(SCORE)[0]["partition_key"]
    world.ask("PATCH", f"/api/v2/dags/{DRIFT}", {"is_paused": False})
    run = world.trigger(DRIFT, day)
    assert world.ended(DRIFT, run) == "success"
    assert world.states(DRIFT, run) == {"champion_known": "success", "drift": "success", "drifted": "skipped"}
    world.ask("PATCH", f"/api/v2/dags/{DRIFT}", {"is_paused": True})


def test_a_backfilled_days_worse_model_is_refused_whatever_fails_meanwhile(world: World, census: Path) -> None:
    """No MLflow when it begins, and a scheduler that is killed during `etl`."""
    day, versions, champion = "20260105", world.versions(), world.champion()
    deliver(world, census, day, 2, at_random)
    world.processes.kill("mlflow")
    date = f"{day[:4]}-{day[4:6]}-{day[6:]}T00:00:00Z"
    body = {
        "dag_id": DAILY, "from_date": date, "to_date": date, "max_active_runs": 1, "run_backwards": False,
        "dag_run_conf": {"overrides": OVERRIDES}, "reprocess_behavior": "none",
    }  # fmt: skip
    world.ask("POST", "/api/v2/backfills", body)
    wait_for("the backfill", lambda: world.runs(DAILY, "backfill"))
    (run,) = (one["dag_run_id"] for one in world.runs(DAILY, "backfill"))
    wait_for("a retry", lambda: world.tasks(DAILY, run)["validate"]["try_number"] > 1, 180)
    world.processes.again("mlflow")
    wait_for("MLflow", lambda: _answers(f"{world.mlflow}/health"))
    before = len(applications(world, "etl"))
    wait_for("etl in Spark", lambda: len(applications(world, "etl")) > before, 240, 0.5)
    world.processes.kill("scheduler", group=False)
    time.sleep(5)
    world.processes.again("scheduler")

    assert world.ended(DAILY, run) == "success", world.states(DAILY, run)
    world.quiet()
    # Refused is not failed: what follows is skipped, and everything stays as it was.
    states = world.states(DAILY, run)
    assert states.pop("champion") == "skipped"
    assert set(states.values()) == {"success"}
    assert world.champion() == champion
    assert world.versions() == versions + 1
    # Nobody began while another was at it.
    ran = applications(world, "etl")[before:]
    assert all(earlier.ended <= later.began for earlier, later in pairwise(ran)), ran
    assert world.scored(day) == ["success"]
    table = world.predictions(day)
    assert table.num_rows == len(set(table["row"].to_pylist())) == TRAIN_ROWS + TEST_ROWS
    assert table["model_version"].unique().to_pylist() == [champion]


def test_a_day_with_a_few_bad_rows_outlives_a_spark_worker_killed_in_training(world: World, census: Path) -> None:
    day, versions, spoilt = "20260106", world.versions(), 20

    def a_few(name: str, lines: list[str]) -> list[str]:
        return [line if number >= spoilt else f"old, {line}" for number, line in enumerate(lines)]

    deliver(world, census, day, 3, a_few)
    # Long enough to be interrupted.
    run = world.trigger(DAILY, day, overrides=[*OVERRIDES[1:], "training.epochs=40"])
    training = world.root / "trainings" / DAILY / "census_wide_deep" / f"{day}T000000"
    wait_for("a checkpoint", lambda: list(training.rglob("position.json")), 400, 0.5)
    world.processes.kill("worker-1")
    time.sleep(3)
    world.processes.again("worker-1")

    assert world.ended(DAILY, run) == "success", world.states(DAILY, run)
    world.quiet()
    assert world.versions() == versions + 1
    version = world.root / "datasets" / DAILY / "census_wide_deep" / f"{day}T000000"
    assert json.loads((version / "manifest.json").read_text())["rows_rejected"] == 2 * spoilt
    promoted = world.states(DAILY, run)["champion"] == "success"
    assert world.scored(day) == ["success"] * (2 if promoted else 1)
    table = world.predictions(day)
    assert table.num_rows == len(set(table["row"].to_pylist())) == TRAIN_ROWS + TEST_ROWS - 2 * spoilt
    assert table["model_version"].unique().to_pylist() == [world.champion()]


def test_clearing_a_day_replaces_its_outputs_and_doubles_nothing(world: World) -> None:
    run, day = world.runs(DAILY, "manual")[-1]["dag_run_id"], "20260106"
    before, versions = world.predictions(day), world.versions()
    world.clear(DAILY, run, "evaluate")
    wait_for("a new beginning", lambda: world.states(DAILY, run)["evaluate"] not in ("success",))
    assert world.ended(DAILY, run) == "success"
    world.quiet()
    assert world.predictions(day).num_rows == before.num_rows
    # register left alone what it had registered before.
    assert world.versions() == versions
