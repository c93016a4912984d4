"""How a DAG calls a job: one spark-submit of `jobs/<name>.py`, and what its exit code means to Airflow.

What a deployment sets, once, in Airflow:

    connection emberline_spark       where to submit: master as host; `deploy-mode`, `queue`, `namespace` as extras
    variable   emberline_code        folder that holds `jobs/` and `emberline.zip` (`make bundle`)
    variable   emberline_root        folder or URI under which dataset versions, trainings and predictions are kept
    variable   emberline_mlflow      MLflow tracking URI
    variable   emberline_<name>_raw  raw files of a dataset

A missing one fails the task by name. `spark-submit` is taken from the worker's PATH: the provider accepts no
other place. The worker's environment says which Python the jobs run in (PYSPARK_PYTHON, PYSPARK_DRIVER_PYTHON: not
Airflow's own) and holds their secrets, which are never arguments.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import BaseHook, Param
from airflow.sdk.exceptions import AirflowException, AirflowFailException

CONNECTION = "emberline_spark"
CODE = "{{ var.value.emberline_code }}"
ROOT = "{{ var.value.emberline_root }}"
MLFLOW = "{{ var.value.emberline_mlflow }}"

PARTITION = "{{ logical_date | default(dag_run.run_after, true) | ts_nodash }}"
"""One folder per logical date, to the second: a re-run of a date meets its own outputs and no others."""

PIPELINE_RUN = "{{ dag.dag_id }}/{{ run_id }}"
"""What the tasks of one DAG run have in common: their MLflow runs lie below one."""

BAD_INPUT = 2
"""Exit code of a job that no retry can help: arguments or data must change first."""

DEFAULTS = {
    "owner": "emberline",
    "retries": 2,
    "retry_delay": timedelta(minutes=5),
    "retry_exponential_backoff": True,
}

OVERRIDES = Param(
    [],
    type="array",
    items={"type": "string", "pattern": r"^[a-z][\w.]*="},
    description="fields of the recipe to replace, one FIELD=VALUE a line, such as training.epochs=3",
)


class SparkJob(SparkSubmitOperator):
    """A submission that fails at once, without retries, when its job says that its input is bad.

    In client mode spark-submit exits with the job's own code. Where the driver runs in the cluster the code is
    lost on the way, and a job with bad input is retried like any other.
    """

    def execute(self, context: Any) -> None:
        """Submits and waits.

        Raises:
            AirflowFailException: if the job ended with `BAD_INPUT`; its reason is the last lines of the message.
            AirflowException: if it failed otherwise, which is retried.
        """
        BaseHook.get_connection(self._conn_id)  # raises; the provider would quietly submit to YARN instead
        try:
            super().execute(context)
        except AirflowException as error:
            if re.search(rf"Error code is: {BAD_INPUT}\.", str(error)):
                raise AirflowFailException(str(error)) from error
            raise


def spark_job(job: str, *arguments: str, recipe: str, **settings: Any) -> SparkJob:
    """The task that runs one job of a recipe.

    Args:
        job: Name of the job and of the task.
        arguments: Further arguments of the job, as templates; those that render to nothing are left out.
        recipe: The `--pipeline`. The run's parameter `overrides` adds `--set` to it.
        settings: Further arguments of `SparkSubmitOperator`, such as `num_executors` or `pool`.
    """
    return SparkJob(
        task_id=job,
        name=f"emberline {job} {recipe}",
        conn_id=CONNECTION,
        application=f"{CODE}/jobs/{job}.py",
        py_files=f"{CODE}/emberline.zip",
        application_args=_arguments("--pipeline", recipe, *arguments, "--pipeline-run", PIPELINE_RUN),
        # Retries belong to Airflow alone, which counts and shows them.
        conf={"spark.yarn.maxAppAttempts": "1"} | settings.pop("conf", {}),
        **settings,
    )


def _arguments(*parts: str) -> Callable[..., list[str]]:
    """A template field that Airflow calls: a list of templates cannot change its length, this can."""

    def render(context: Any, jinja_env: Any) -> list[str]:
        texts = context["task"].render_template(list(parts), context, jinja_env)
        return [text for text in texts if text] + [f"--set={item}" for item in context["params"]["overrides"]]

    return render
