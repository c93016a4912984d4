"""The census DAG: its commands fit the jobs, look as expected, and once run for real."""

import importlib
import json
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipelines.bundle import bundle

ROOT = Path(__file__).parents[2]
DAG = "census_wide_deep"
TASKS = ["etl", "train", "evaluate", "register", "score"]
GOLDEN = Path(__file__).with_name("golden") / f"{DAG}.txt"
OVERRIDES = ["training.epochs=2", "training.global_batch=64"]
TRAIN_ROWS, TEST_ROWS = 3000, 1000
PARENT = "mlflow.parentRunId"


@pytest.fixture(scope="module")
def rendered(airflow: Any) -> dict[str, Any]:
    """The tasks of 2 January 2026, with two overrides."""
    answer: dict[str, Any] = airflow.ask("render", dag_id=DAG, when="2026-01-02", conf={"overrides": OVERRIDES})
    return answer


def test_tasks_run_in_order(rendered: dict[str, Any]) -> None:
    assert list(rendered) == TASKS


@pytest.mark.parametrize("task", TASKS)
def test_arguments_are_accepted_by_the_jobs_own_parser(rendered: dict[str, Any], task: str) -> None:
    given = importlib.import_module(f"jobs.{task}").parser().parse_args(rendered[task]["arguments"])
    assert given.pipeline == DAG
    assert given.overrides == dict(item.split("=") for item in OVERRIDES)
    assert "{{" not in " ".join(rendered[task]["command"])


@pytest.mark.parametrize("task", TASKS)
def test_wrong_argument_is_refused_by_the_jobs_own_parser(rendered: dict[str, Any], task: str) -> None:
    # Otherwise the test above would prove nothing.
    flag = "--training" if task in ("evaluate", "register") else "--output"
    wrong = [flag.replace("--", "--the-") if text == flag else text for text in rendered[task]["arguments"]]
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"jobs.{task}").parser().parse_args(wrong)
    assert ended.value.code == 2


@pytest.mark.parametrize("task", TASKS)
def test_submitted_file_is_a_job(rendered: dict[str, Any], task: str) -> None:
    inside = Path(rendered[task]["application"]).relative_to("/opt/emberline")
    assert (ROOT / inside).is_file()


def test_each_step_reads_what_the_one_before_wrote(rendered: dict[str, Any]) -> None:
    given = {
        task: importlib.import_module(f"jobs.{task}").parser().parse_args(rendered[task]["arguments"]) for task in TASKS
    }
    assert given["train"].dataset == given["etl"].output
    assert given["evaluate"].training == given["register"].training == given["train"].output
    assert given["score"].input == given["etl"].input
    assert len({given[task].tracking_uri for task in TASKS}) == 1
    assert {given[task].pipeline_run for task in TASKS} == {f"{DAG}/scheduled__2026-01-02"}


def test_commands_are_the_expected_ones(rendered: dict[str, Any]) -> None:
    """EMBERLINE_UPDATE_GOLDEN=1 writes them anew; read the difference before you commit it."""
    text = "\n".join(f"# {task}\n{shlex.join(rendered[task]['command'])}\n" for task in TASKS)
    if os.environ.get("EMBERLINE_UPDATE_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


def test_dag_runs_on_real_files(airflow: Any, census: Path, tmp_path: Path) -> None:
    raw, code, root = tmp_path / "raw", tmp_path / "code", tmp_path / "root"
    raw.mkdir()
    # The test file opens with a comment line.
    for name, lines in (("adult.data", TRAIN_ROWS), ("adult.test", TEST_ROWS + 1)):
        text = (census / name).read_text().splitlines(keepends=True)[:lines]
        (raw / name).write_text("".join(text))
    shutil.copytree(ROOT / "jobs", code / "jobs", ignore=shutil.ignore_patterns("__pycache__"))
    bundle(str(code / "emberline.zip"))
    store = f"sqlite:///{tmp_path / 'mlflow' / 'mlflow.db'}"
    here = Path(sys.executable).parent  # not resolved: the environment is where the link lies
    env = {
        "AIRFLOW_CONN_EMBERLINE_SPARK": json.dumps({"conn_type": "spark", "host": "local-cluster[2,1,1024]"}),
        "AIRFLOW_VAR_EMBERLINE_CODE": str(code),
        "AIRFLOW_VAR_EMBERLINE_ROOT": str(root),
        "AIRFLOW_VAR_EMBERLINE_MLFLOW": store,
        "AIRFLOW_VAR_EMBERLINE_CENSUS_RAW": str(raw),
        "PATH": os.pathsep.join([str(here), os.environ["PATH"]]),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    airflow.python("-m", "airflow", "db", "migrate", env=env, log="migrate.log")

    ran = airflow.ask(
        "run", env=env, seconds=1500, dag_id=DAG, when="2026-01-02T00:00:00+00:00",
        conf={"overrides": [*OVERRIDES, "preparation.shards=2"]},
    )  # fmt: skip

    log = (airflow.home / "run.log").read_text()
    assert {name: task["state"] for name, task in ran["tasks"].items()} == dict.fromkeys(TASKS, "success"), log[-8000:]
    assert ran["state"] == "success"
    print("\nseconds:", {name: round(task["seconds"]) for name, task in ran["tasks"].items()}, round(ran["seconds"]))
    day = "20260102T000000"
    assert (root / "datasets" / DAG / day / "_SUCCESS").exists()
    predictions = pq.read_table(root / "predictions" / DAG / day)
    assert predictions.num_rows == TRAIN_ROWS + TEST_ROWS
    from mlflow.tracking import MlflowClient

    registry = MlflowClient(store, store)
    champion = registry.get_model_version_by_alias(f"emberline-{DAG}", "champion")
    assert int(champion.version) == 1
    # Beside the store, not in whatever folder the worker happened to run in.
    assert str(tmp_path / "mlflow") in registry.get_model_version_download_uri(f"emberline-{DAG}", "1")
    assert predictions["model_version"].unique().to_pylist() == [1]
    (experiment,) = [item for item in registry.search_experiments() if item.name == f"emberline/{DAG}"]
    runs = registry.search_runs([experiment.experiment_id])
    (above,) = [run for run in runs if run.data.tags["emberline.step"] == "run"]
    assert above.info.status == "FINISHED"
    below = {run.data.tags["emberline.step"] for run in runs if run.data.tags.get(PARENT) == above.info.run_id}
    assert {"etl", "train", "evaluate", "register"} <= below
