"""The half of these tests that runs in Airflow's own environment: `python airflow_side.py COMMAND ANSWER REQUEST`.

REQUEST is JSON; the answer, JSON too, goes to the file ANSWER, because Airflow logs to both streams.
"""

import functools
import json
import os
import sys
import time
from copy import copy
from datetime import datetime, timedelta
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
    return {"errors": bag.import_errors, "dags": [_told(dag) for dag in bag.dags.values()], "heavy": heavy,
            "seconds": seconds}  # fmt: skip


def _told(dag: Any) -> dict[str, Any]:
    from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator

    return {
        "dag_id": dag.dag_id,
        "file": Path(dag.fileloc).name,
        "tags": sorted(dag.tags),
        "doc": dag.doc_md,
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "timetable": type(dag.timetable).__name__,
        "timeout": dag.dagrun_timeout.total_seconds(),
        "params": sorted(dag.params),
        "tasks": {
            task.task_id: {
                "type": type(task).__name__,
                "is_spark_submit": isinstance(task, SparkSubmitOperator),
                "owner": task.owner,
                "retries": task.retries,
                "backoff": task.retry_exponential_backoff,
                "timeout": task.execution_timeout.total_seconds(),
                "pool": task.pool,
                "reports": [callback.__name__ for callback in task.on_failure_callback],
                "outlets": sorted(asset.name for asset in task.outlets),
                "downstream": sorted(task.downstream_task_ids),
            }
            for task in dag.tasks
        },
    }


def render(folder: str, dag_id: str, when: str | None, conf: dict[str, Any], hours: int = 24) -> dict[str, Any]:
    """Each job of a DAG as it would be submitted on a logical date, with a data interval of so many hours."""
    dag = _bag(folder).dags[dag_id]
    tasks = {}
    for task in dag.topological_sort():
        if not hasattr(task, "application"):
            continue
        _render(dag, task, when, conf, hours)
        command = task._get_hook()._build_spark_submit_command(task.application)
        tasks[task.task_id] = {
            "application": task.application,
            "arguments": task.application_args,
            "py_files": task.py_files,
            "command": command,
            "submission": task.submission,
            "day": task.day,
        }
    return tasks


def render_all(folder: str, dag_ids: list[str], when: str | None, conf: dict[str, Any]) -> dict[str, Any]:
    """`render` of several DAGs."""
    return {dag_id: render(folder, dag_id, when, conf) for dag_id in dag_ids}


def execute(folder: str, dag_id: str, task_id: str, cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How a task ends with the `spark-submit` on the PATH.

    Each case may set or take away environment variables (`env`), put a submission's file there (`file`), and go on
    after a wait (`look`: `beat`, seconds since it `moved`, seconds `until` giving up) instead of beginning. The run may
    be of an event's `partition`, and have parameters (`conf`).
    """
    endings = []
    before = dict(os.environ)
    dag = _bag(folder).dags[dag_id]
    import submission_file

    submission_file.GAP_SECONDS = 0.01
    for case in cases:
        os.environ.clear()
        env = {**before, **case.get("env", {})}
        os.environ.update({name: value for name, value in env.items() if value is not None})
        task = dag.get_task(task_id).prepare_for_execution()
        ending: dict[str, Any] = {"kind": None, "message": "", "answer": None, "defers": None}
        context: dict[str, Any] = {}
        try:
            context = _render(dag, task, "2026-01-01", case.get("conf", {}), partition=case.get("partition"))
            file = Path(task.submission)
            file.unlink(missing_ok=True)
            if case.get("file"):
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(json.dumps(case["file"]))
            if look := case.get("look"):
                now = time.time()
                moments = {"moved": now - look["moved"], "until": now + look["until"]}
                ending["answer"] = task.look(context, None, beat=look["beat"], **moments)
            else:
                ending["answer"] = task.execute(context)
            ending["file"] = json.loads(file.read_text()) if file.exists() else None
        except BaseException as error:  # whatever it is, the test wants its name; waiting is no Exception either
            ending |= {"kind": type(error).__name__, "message": str(error)}
            if hasattr(error, "trigger"):
                ending["defers"] = {"to": error.method_name, "beat": error.kwargs["beat"]}
            ending["file"] = json.loads(file.read_text()) if context and file.exists() else None
        ending |= {"pushed": context.get("pushed"), "events": context.get("events")}
        endings.append(ending)
    return endings


def report(folder: str, outcomes: list[dict[str, Any] | None], mlflow: str) -> list[str]:
    """What a failed task's log ends with."""
    import logging

    _bag(folder)
    from failure_report import report_failure

    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("emberline").addHandler(handler)
    for outcome in outcomes:
        pull = lambda outcome=outcome, **_: outcome  # noqa: E731
        ti = SimpleNamespace(dag_id="d", task_id="t", map_index=-1, xcom_pull=pull)
        values = SimpleNamespace(emberline_mlflow=mlflow)
        report_failure({"ti": ti, "var": {"value": values}, "exception": ValueError("no connection")})
    return lines


def run(folder: str, dag_id: str, until: str, when: str, conf: dict[str, Any]) -> dict[str, Any]:
    """Runs a DAG once up to a task, in this process."""
    from airflow.utils.session import create_session

    sys.path.append(folder)
    dag = _bag(folder).dags[dag_id].partial_subset([until], include_upstream=True)
    began = time.perf_counter()
    done = dag.test(logical_date=datetime.fromisoformat(when), run_conf=conf)
    with create_session() as session:
        tasks = {
            instance.task_id: {"state": str(instance.state), "seconds": instance.duration}
            for instance in done.get_task_instances(session=session)
        }
    return {"state": str(done.state), "tasks": tasks, "seconds": time.perf_counter() - began}


def next_run(folder: str, dag_id: str, after: str) -> dict[str, Any]:
    """The clock's first run whose data begin at a moment, as its timetable says, and the day that it is about."""
    from airflow.timetables.base import TimeRestriction

    dag = _bag(folder).dags[dag_id]
    import pendulum
    import spark_job

    limits = TimeRestriction(earliest=pendulum.parse(after), latest=None, catchup=True)  # type: ignore[arg-type]
    info = dag.timetable.next_dagrun_info(last_automated_data_interval=None, restriction=limits)
    environment = dag.get_template_env()
    context = {
        "params": SimpleNamespace(day=""),
        "dag_run": SimpleNamespace(run_after=info.run_after, partition_key=None),
        "macros": SimpleNamespace(timedelta=timedelta),
        "logical_date": info.logical_date,
        "data_interval_start": info.data_interval.start,
        "data_interval_end": info.data_interval.end,
    }
    day = environment.from_string(f"{{{{ {spark_job.DAY} }}}}").render(context)
    return {"logical_date": f"{info.logical_date:%Y-%m-%d}", "run_after": info.run_after.isoformat(), "day": day}


@functools.cache
def _bag(folder: str) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    if folder not in sys.path:
        sys.path.append(folder)  # as the DAG processor and the workers do
    return DagBag(folder)


def _render(
    dag: Any, task: Any, when: str | None, conf: dict[str, Any], hours: int = 24, partition: str | None = None
) -> dict[str, Any]:
    """Fills a task's templates as a worker would, and returns their context."""
    from airflow.sdk.execution_time import macros
    from airflow.sdk.execution_time.context import VariableAccessor

    params = copy(dag.params)
    params.update(conf)
    date = datetime.fromisoformat(f"{when}T00:00:00+00:00") if when else None
    pushed: dict[str, Any] = {}
    events: list[str] = []
    context: dict[str, Any] = {
        "dag": dag,
        "macros": macros,
        "task": task,
        "params": params.validate(),
        "run_id": f"scheduled__{when}T00:00:00+00:00" if when else "manual__2026-05-06T07:08:09+00:00",
        "dag_run": SimpleNamespace(
            run_after=datetime.fromisoformat("2026-05-06T07:08:09+00:00"), partition_key=partition
        ),
        "var": {"value": VariableAccessor(deserialize_json=False)},
        "ti": SimpleNamespace(xcom_push=lambda key, value: pushed.__setitem__(key, value)),
        "outlet_events": {asset: SimpleNamespace(add_partitions=events.append) for asset in task.outlets},
        "pushed": pushed,
        "events": events,
    }
    if date:
        context |= {
            "logical_date": date,
            "data_interval_start": date,
            "data_interval_end": date + timedelta(hours=hours),
        }
    task.render_template_fields(context)
    return context


if __name__ == "__main__":
    command, answer, request = sys.argv[1:]
    commands = {function.__name__: function for function in (load, render, render_all, execute, report, run, next_run)}
    result = commands[command](**json.loads(request))
    Path(answer).write_text(json.dumps(result))
