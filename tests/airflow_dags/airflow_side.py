"""The half of these tests that runs in Airflow's own environment: `python airflow_side.py COMMAND ANSWER REQUEST`.

REQUEST is JSON; the answer, JSON too, goes to the file ANSWER, because Airflow logs to both streams.
"""

import json
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


def render_tries(folder: str, dag_id: str, task_id: str, tries: list[tuple[int, int]]) -> list[list[str]]:
    """A task's arguments for each pair of `try_number` and `max_tries`."""
    answers = []
    for try_number, max_tries in tries:
        dag = _bag(folder).dags[dag_id]
        task = dag.get_task(task_id)
        _render(dag, task, "2026-01-02", {}, try_number=try_number, max_tries=max_tries)
        answers.append(task.application_args)
    return answers


def execute(folder: str, dag_id: str, task_id: str) -> dict[str, Any]:
    """How a task ends with the `spark-submit` that is on the PATH."""
    dag = _bag(folder).dags[dag_id]
    task = dag.get_task(task_id)
    try:
        task.execute(_render(dag, task, "2026-01-01", {}))
    except Exception as error:  # whatever it is, the test wants its name
        return {"kind": type(error).__name__, "message": str(error)}
    return {"kind": None, "message": ""}


def run(folder: str, dag_id: str, when: str, conf: dict[str, Any], clear: str) -> dict[str, Any]:
    """Runs a DAG once, in this process; then clears one task, to see how Airflow counts its tries."""
    from airflow.models.taskinstance import clear_task_instances
    from airflow.utils.session import create_session

    sys.path.append(folder)
    dag = _bag(folder).dags[dag_id]
    began = time.perf_counter()
    done = dag.test(logical_date=datetime.fromisoformat(when), run_conf=conf)
    with create_session() as session:
        instances = {instance.task_id: instance for instance in done.get_task_instances(session=session)}
        tasks = {
            name: {"state": str(instance.state), "seconds": instance.duration} for name, instance in instances.items()
        }
        chosen = session.merge(instances[clear])
        before = {"try_number": chosen.try_number, "max_tries": chosen.max_tries}
        clear_task_instances([chosen], session=session)
        session.flush()
        after = {"try_number": chosen.try_number, "max_tries": chosen.max_tries, "state": chosen.state}
    return {
        "state": str(done.state),
        "tasks": tasks,
        "seconds": time.perf_counter() - began,
        "before_clear": before,
        "after_clear": after,
    }


def _bag(folder: str) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    if folder not in sys.path:
        sys.path.append(folder)  # as the DAG processor and the workers do
    return DagBag(folder)


def _render(
    dag: Any, task: Any, when: str | None, conf: dict[str, Any], try_number: int = 1, max_tries: int = 2
) -> dict[str, Any]:
    """Fills a task's templates as a worker would, and returns their context."""
    from airflow.sdk.execution_time.context import VariableAccessor

    params = copy(dag.params)
    params.update(conf)
    date = datetime.fromisoformat(f"{when}T00:00:00+00:00") if when else None
    context: dict[str, Any] = {
        "dag": dag,
        "task": task,
        "params": params.validate(),
        "dag_run": SimpleNamespace(run_after=datetime.fromisoformat("2026-05-06T07:08:09+00:00")),
        "ti": SimpleNamespace(try_number=try_number, max_tries=max_tries),
        "var": {"value": VariableAccessor(deserialize_json=False)},
    }
    if date:
        context["logical_date"] = date
    task.render_template_fields(context)
    return context


if __name__ == "__main__":
    command, answer, request = sys.argv[1:]
    commands = {function.__name__: function for function in (load, render, render_tries, execute, run)}
    result = commands[command](**json.loads(request))
    Path(answer).write_text(json.dumps(result))
