"""The half of these tests that runs in Airflow's own environment: `python airflow_side.py COMMAND ANSWER REQUEST`.

REQUEST is JSON; the answer, JSON too, goes to the file ANSWER, because Airflow logs to both streams.
"""

import json
import os
import sys
import time
from copy import copy
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

HEAVY = ("pyspark", "tensorflow", "keras", "mlflow", "tensorflowonspark", "features", "models", "pipelines", "jobs")


def load(folder: str) -> dict[str, Any]:
    """Every DAG of a folder as the DAG processor sees it, what loading it imported, and how long that took."""
    import airflow.sdk  # noqa: F401  (the DAG processor has it already; two seconds that no DAG file can save)

    began = time.perf_counter()
    bag = _bag(folder)
    seconds = time.perf_counter() - began
    heavy = sorted({name.partition(".")[0] for name in sys.modules} & set(HEAVY))
    from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator

    dags = [
        {
            "dag_id": dag.dag_id,
            "file": Path(dag.fileloc).name,
            "tags": sorted(dag.tags),
            "doc": dag.doc_md,
            "catchup": dag.catchup,
            "tasks": {
                task.task_id: {
                    "type": type(task).__name__,
                    "is_spark_submit": isinstance(task, SparkSubmitOperator),
                    "owner": task.owner,
                    "retries": task.retries,
                    "downstream": sorted(task.downstream_task_ids),
                }
                for task in dag.tasks
            },
        }
        for dag in bag.dags.values()
    ]
    return {"errors": bag.import_errors, "dags": dags, "heavy": heavy, "seconds": seconds}


def render(folder: str, dag_id: str, when: str | None, conf: dict[str, Any]) -> dict[str, Any]:
    """Each task of a DAG as it would be submitted on a logical date."""
    dag = _bag(folder).dags[dag_id]
    tasks = {}
    for task in dag.topological_sort():
        _render(dag, task, when, conf)
        command = task._get_hook()._build_spark_submit_command(task.application)
        tasks[task.task_id] = {
            "application": task.application,
            "arguments": task.application_args,
            "py_files": task.py_files,
            "command": command,
        }
    return tasks


def execute(folder: str, dag_id: str, task_id: str, cases: list[dict[str, str | None]]) -> list[dict[str, Any]]:
    """How a task ends with the `spark-submit` on the PATH; each case sets or takes away environment variables."""
    endings = []
    before = dict(os.environ)
    for case in cases:
        os.environ.clear()
        os.environ.update({name: value for name, value in {**before, **case}.items() if value is not None})
        dag = _bag(folder).dags[dag_id]
        task = dag.get_task(task_id)
        try:
            task.execute(_render(dag, task, "2026-01-01", {}))
        except Exception as error:  # whatever it is, the test wants its name
            endings.append({"kind": type(error).__name__, "message": str(error)})
        else:
            endings.append({"kind": None, "message": ""})
    return endings


def run(folder: str, dag_id: str, when: str, conf: dict[str, Any]) -> dict[str, Any]:
    """Runs a DAG once, in this process."""
    from airflow.utils.session import create_session

    sys.path.append(folder)
    dag = _bag(folder).dags[dag_id]
    began = time.perf_counter()
    done = dag.test(logical_date=datetime.fromisoformat(when), run_conf=conf)
    with create_session() as session:
        tasks = {
            instance.task_id: {"state": str(instance.state), "seconds": instance.duration}
            for instance in done.get_task_instances(session=session)
        }
    return {"state": str(done.state), "tasks": tasks, "seconds": time.perf_counter() - began}


def _bag(folder: str) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    if folder not in sys.path:
        sys.path.append(folder)  # as the DAG processor and the workers do
    return DagBag(folder)


def _render(dag: Any, task: Any, when: str | None, conf: dict[str, Any]) -> dict[str, Any]:
    """Fills a task's templates as a worker would, and returns their context."""
    from airflow.sdk.execution_time.context import VariableAccessor

    params = copy(dag.params)
    params.update(conf)
    date = datetime.fromisoformat(f"{when}T00:00:00+00:00") if when else None
    context: dict[str, Any] = {
        "dag": dag,
        "task": task,
        "params": params.validate(),
        "run_id": f"{'scheduled' if when else 'manual'}__{when or '2026-05-06'}",
        "dag_run": SimpleNamespace(run_after=datetime.fromisoformat("2026-05-06T07:08:09+00:00")),
        "var": {"value": VariableAccessor(deserialize_json=False)},
    }
    if date:
        context["logical_date"] = date
    task.render_template_fields(context)
    return context


if __name__ == "__main__":
    command, answer, request = sys.argv[1:]
    commands = {function.__name__: function for function in (load, render, execute, run)}
    result = commands[command](**json.loads(request))
    Path(answer).write_text(json.dumps(result))
