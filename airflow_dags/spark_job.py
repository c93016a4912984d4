"""How a DAG calls a job: one spark-submit of `jobs/<name>.py`, and what its end means to Airflow.

What a deployment sets, once, in Airflow (`docs/airflow.md` shows the commands):

    connection emberline_spark       where to submit: master as host; `deploy-mode`, `queue`, `namespace` as extras
    variable   emberline_code        folder that holds `jobs/` and `emberline.zip` (`make bundle`)
    variable   emberline_root        folder or URI under which dataset versions, trainings and predictions are kept
    variable   emberline_mlflow      MLflow tracking URI
    variable   emberline_<name>_raw  raw files of a dataset, a folder for each day
    variable   emberline_submissions where submissions are noted, if Airflow cannot open <emberline_root>/submissions
    pool       emberline_training    a slot for each training that the cluster has room for

A missing one fails the task by name; without the pool, trainings stay `scheduled`, with a word in the scheduler's log.
`spark-submit` is taken from the worker's PATH: the provider accepts no other place. The worker's environment says which
Python the jobs run in (PYSPARK_PYTHON, PYSPARK_DRIVER_PYTHON: not Airflow's own) and holds their secrets, which are
never arguments.
"""

import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import BaseHook, Param
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from airflow.timetables.interval import CronDataIntervalTimetable

if __package__:  # of the wheel
    from emberline.airflow_dags import submission_file
    from emberline.airflow_dags.submission_file import Submission
else:  # a folder of DAGs
    import submission_file
    from submission_file import Submission

CONNECTION = "emberline_spark"
TRAINING_POOL = "emberline_training"
CODE = "{{ var.value.emberline_code }}"
ROOT = "{{ var.value.emberline_root }}"
MLFLOW = "{{ var.value.emberline_mlflow }}"

PARTITION = "{{ logical_date | default(dag_run.run_after, true) | ts_nodash }}"
"""One folder per logical date, to the second: a re-run of a date meets its own outputs and no others."""

DAILY = CronDataIntervalTimetable("@daily", timezone="UTC")
"""Every day, about the day that has just ended, which is its logical date, by the clock as in a backfill."""

_ENDED = "dag_run.run_after - macros.timedelta(days=1)"
_LENGTH = "data_interval_end - data_interval_start"
_OF_HOURS = (
    "((data_interval_start | default(none, true)) and "
    f"macros.timedelta(0) < {_LENGTH} and {_LENGTH} < macros.timedelta(days=1))"
)

DAY = (
    f"(params.day or dag_run.partition_key or ((data_interval_start | ts_nodash)[:11] if {_OF_HOURS} else "
    f"[logical_date | default({_ENDED}, true), {_ENDED}] | min | ds_nodash))"
)
"""Which day a run is about, such as 20260102, as an expression: its parameter's, its event's, its logical date's, or
the day before it runs where that is earlier, as of runs by hand: the present day has not all its rows yet. Where data
intervals are shorter than a day, it is the hour that one begins with, such as 20260102T13."""

PIPELINE_RUN = "{{ dag.dag_id }}/{{ run_id }}"
"""What the tasks of one DAG run have in common: their MLflow runs lie below one."""

SUBMISSION = (
    "{{ var.value.get('emberline_submissions', var.value.emberline_root ~ '/submissions') }}/{{ dag.dag_id }}/"
    "{{ run_id | replace(':', '') | replace('+', '_') }}/{{ task.task_id }}.json"
)
"""One file per task of a DAG run, whatever the try; without the colons that HDFS refuses."""

BAD_INPUT = 2
"""Exit code of a job that no retry can help: arguments or data must change first."""

LOOK_SECONDS = 20
SILENT_SECONDS = 90
"""A job whose beats stand still for so long is lost; it beats every ten seconds."""
START_SECONDS = 3600
"""How long a cluster may take to start a driver."""

NO_WAITING = {
    "spark.yarn.submit.waitAppCompletion": "false",
    "spark.kubernetes.submission.waitAppCompletion": "false",
}
"""In cluster mode spark-submit ends when the cluster has the application: the submission's file tells the rest."""

OVERRIDES = Param(
    [],
    type="array",
    items={"type": "string", "pattern": r"^(?!name=)[a-z][\w.]*="},
    description="fields of the recipe to replace, one FIELD=VALUE a line, such as training.epochs=3; the name stays: "
    "another registered model would get the version",
)


class SparkJob(SparkSubmitOperator):
    """A submission that is made once, however often Airflow loses sight of it.

    It looks into its file first: a job that succeeded unseen is not repeated, one that runs is waited for. Where the
    driver runs in the cluster, or was found running, the task waits without a worker slot. Input that is bad fails it
    at once, whatever its retries. The provider's own `durable` knows cluster mode only, and holds the slot.

    Args:
        submission: URI of the file, as a template.
        day: What the events of its outlets are about, as a template.
        kwargs: As of `SparkSubmitOperator`.
    """

    template_fields = (*SparkSubmitOperator.template_fields, "submission", "day")

    def __init__(self, *, submission: str = SUBMISSION, day: str = f"{{{{ {DAY} }}}}", **kwargs: Any) -> None:
        super().__init__(durable=False, track_driver_via_k8s_api=True, **kwargs)
        self.submission = submission
        self.day = day

    def execute(self, context: Any) -> Any:
        """Submits, unless that was done before, and waits.

        Raises:
            AirflowFailException: if the job ended with `BAD_INPUT`, with its reason, or the day is none.
            AirflowException: if it failed otherwise, which is retried.
        """
        if not re.fullmatch(r"[0-9]{8}(?:T[0-9]{2})?", self.day):
            # The parameter has its own pattern; an event's partition key has none, and becomes part of paths.
            raise AirflowFailException(
                f"{self.day!r} is no day: expected eight digits, such as 20260102, or with an hour, 20260102T13. "
                "Nothing was run."
            )
        found = submission_file.read(self.submission)
        if found and found.unseen_success:
            self.log.info("This submission has succeeded before: %s", self.submission)
            return self._conclude(context, found)
        if found and found.running:
            self.log.info("This submission is running already: %s", self.submission)
            self._wait(found.beat)
        submission_file.forget(self.submission)  # of an end that was seen, or a failure: this is a new beginning
        self._hook = self._get_hook()
        try:
            self._hook.submit(self.application)
        except AirflowException as error:
            # In client mode spark-submit ends with the job's own code. The file is there unless Python never started.
            ended = submission_file.read(self.submission)
            if ended and not ended.running:
                return self._conclude(context, ended, str(error))
            if re.search(rf"Error code is: {BAD_INPUT}\.", str(error)):
                raise AirflowFailException(str(error)) from error
            raise
        ended = submission_file.read(self.submission)
        if ended and not ended.running:
            return self._conclude(context, ended)
        return self._wait(ended.beat if ended else -1)

    def look(self, context: Any, event: Any = None, *, beat: int, moved: float, until: float) -> Any:
        """Reads the submission file and concludes the task, or waits on if the job has not ended.

        Args:
            context: As of `execute`.
            event: Of the trigger; says nothing.
            beat: The job's last one known; -1 if it has not started yet.
            moved: When that was new, in seconds since the epoch of this machine's clock.
            until: When to give up.
        """
        found = submission_file.read(self.submission)
        if found and not found.running:
            return self._conclude(context, found)
        now = time.time()
        if found is None and beat >= 0:
            raise AirflowException(f"{self.submission} is gone: its job was ended. The next try submits it again.")
        if found and found.beat != beat:
            beat, moved = found.beat, now
        if now > until:
            raise AirflowFailException(
                f"No end after {self.execution_timeout}. Look at the application in the cluster."
            )
        if now - moved > (START_SECONDS if beat < 0 else SILENT_SECONDS):
            submission_file.forget(self.submission)
            raise AirflowException(
                f"The job of {self.submission} was not heard of for {now - moved:.0f} s: its driver is lost. The next "
                "try submits it again; what it has finished stays."
            )
        return self._defer(beat, moved, until)

    def on_kill(self) -> None:
        """Ends spark-submit, and with its file the job, wherever that runs; the next try need not wait for either."""
        super().on_kill()
        submission_file.forget(self.submission)

    def _wait(self, beat: int) -> None:
        now = time.time()
        limit = self.execution_timeout or timedelta(days=1)
        self._defer(beat, now, now + limit.total_seconds())

    def _defer(self, beat: int, moved: float, until: float) -> None:
        self.defer(
            trigger=TimeDeltaTrigger(timedelta(seconds=LOOK_SECONDS)),
            method_name="look",
            kwargs={"beat": beat, "moved": moved, "until": until},
        )

    def _conclude(self, context: Any, ended: Submission, output: str = "") -> Any:
        """The job's last line, or its failure; from then on a submission is a new one."""
        line = ended.line or {}
        context["ti"].xcom_push(key="outcome", value={"code": ended.code} | line)
        submission_file.mark_reported(self.submission, ended)
        if ended.code == 0:
            for outlet in self.outlets:
                context["outlet_events"][outlet].add_partitions(self.day)
            return line
        failure = AirflowFailException if ended.code == BAD_INPUT else AirflowException
        raise failure(f"{line.get('job')}: {line.get('reason')} (exit code {ended.code})\n{output}".strip())

    def _get_hook(self) -> Any:
        connection = BaseHook.get_connection(self._conn_id)  # raises; the provider would quietly submit to YARN instead
        if connection.extra_dejson.get("deploy-mode") == "cluster":
            self.conf = NO_WAITING | (self.conf or {})
        return super()._get_hook()


def spark_job(
    job: str,
    *arguments: str,
    recipe: str = "",
    task_id: str = "",
    tracked: bool = True,
    archives: tuple[str, ...] = (),
    **settings: Any,
) -> SparkJob:
    """Returns the task that runs one job.

    Args:
        job: Name of the job.
        arguments: Further arguments of the job, as templates; those that render to nothing are left out.
        recipe: The `--pipeline`. The run's parameter `overrides` adds `--set` to it. Empty for jobs that take none.
        task_id: Of the task; default: the job's name.
        tracked: The job takes `--tracking-uri`.
        archives: Files beside `emberline.zip` whose code it needs too, as `emberline bundle` wrote them.
        settings: Further arguments of `SparkSubmitOperator`, such as `num_executors` or `pool`.
    """
    common = ("--pipeline", recipe) if recipe else ()
    last = ("--tracking-uri", MLFLOW) if tracked else ()
    last += ("--pipeline-run", PIPELINE_RUN) if recipe and tracked else ()
    return SparkJob(
        task_id=task_id or job,
        name=f"emberline {job} {recipe}".strip(),
        conn_id=CONNECTION,
        application=f"{CODE}/jobs/{job}.py",
        py_files=",".join(f"{CODE}/{archive}" for archive in ("emberline.zip", *archives)),
        application_args=_arguments(*common, *arguments, *last, "--submission", SUBMISSION, overrides=bool(recipe)),
        # Retries belong to Airflow alone, which counts and shows them.
        conf={"spark.yarn.maxAppAttempts": "1"} | settings.pop("conf", {}),
        **settings,
    )


def _arguments(*parts: str, overrides: bool) -> Callable[..., list[str]]:
    """A template field that Airflow calls: a list of templates cannot change its length, this can."""

    def render(context: Any, jinja_env: Any) -> list[str]:
        texts = context["task"].render_template(list(parts), context, jinja_env)
        sets = [f"--set={item}" for item in context["params"]["overrides"]] if overrides else []
        return [text for text in texts if text] + sets

    return render
