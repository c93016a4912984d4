"""The DAG of somebody else's project: the factory from the package, without the rooms, beside our DAG folder or not."""

import json
from pathlib import Path
from typing import Any

import pytest

from emberline.jobs import etl
from emberline.pipelines.console.new_project import new_project
from tests.airflow_dags.conftest import DAGS, DEPLOYMENT, ROOT

WITH_OURS = """
import json, sys
sys.path[:0] = [{root!r}, *{flat!r}]
from emberline.airflow_dags.recipe_tasks import RecipeTasks
from emberline.airflow_dags import spark_job
names = sorted(name for name in sys.modules if name.partition(".")[2] == "spark_job" or name == "spark_job"
               or name == "emberline.airflow_dags.spark_job")
files = {{sys.modules[name].__file__: id(sys.modules[name]) for name in names}}
same = len({{id(sys.modules[name]) for name in names}}) == 1
ours = [name for name in sys.modules if name.startswith("emberline.")]
rooms = [name for name in ours if not name.startswith("emberline.airflow_dags")]
open({answer!r}, "w").write(json.dumps([names, same, RecipeTasks.__module__, rooms]))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(new_project("ride_tips", tmp_path_factory.mktemp("new")).folder)


def test_a_projects_dag_loads_and_submits_both_archives(airflow: Any, project: Path) -> None:
    env = DEPLOYMENT | {"PYTHONPATH": str(ROOT), "AIRFLOW_VAR_EMBERLINE_RIDE_TIPS_RIDES_RAW": "hdfs:///raw/rides"}
    folder = str(project / "dags")
    loaded = airflow.ask("load", env=env, folder=folder)
    assert loaded["errors"] == {}
    assert loaded["heavy"] == []
    (dag,) = loaded["dags"]
    tasks = airflow.ask("render", env=env, folder=folder, dag_id=dag["dag_id"], when="2026-01-02", conf={})
    assert list(tasks) == ["validate", "etl", "train", "evaluate", "promote"]
    assert {task["py_files"] for task in tasks.values()} == {
        "/opt/emberline/emberline.zip,/opt/emberline/ride_tips.zip"
    }
    given = etl.parser().parse_args(tasks["etl"]["arguments"])
    assert (given.pipeline, given.input) == ("ride_tips_tips", "hdfs:///raw/rides/20260102")


def test_a_task_says_what_it_takes_of_the_cluster(airflow: Any, project: Path) -> None:
    """Executors and memory stand where the task is made; other tasks keep the cluster's own."""
    env = DEPLOYMENT | {"PYTHONPATH": str(ROOT), "AIRFLOW_VAR_EMBERLINE_RIDE_TIPS_RIDES_RAW": "hdfs:///raw/rides"}
    tasks = airflow.ask(
        "render", env=env, folder=str(project / "dags"), dag_id="ride_tips_tips", when="2026-01-02", conf={}
    )
    command = " ".join(tasks["train"]["command"])
    assert "--num-executors 2" in command
    assert "--executor-memory 4g" in command
    assert "--num-executors" not in " ".join(tasks["etl"]["command"])


@pytest.mark.parametrize("beside", [False, True])
def test_a_helper_is_one_module(airflow: Any, tmp_path: Path, beside: bool) -> None:
    """Beside our own folder of DAGs, whose files import it by its plain name, and without."""
    flat = [str(DAGS)] if beside else []
    answer = tmp_path / "answer.json"
    script = WITH_OURS.format(root=str(ROOT), flat=flat, answer=str(answer))
    airflow.python("-c", script, log=f"one-{beside}.log", env=DEPLOYMENT)

    names, same, module, rooms = json.loads(answer.read_text())
    assert same
    assert rooms == []
    assert names == (
        ["emberline.airflow_dags.spark_job", "spark_job"] if beside else ["emberline.airflow_dags.spark_job"]
    )
    assert module == ("recipe_tasks" if beside else "emberline.airflow_dags.recipe_tasks")
