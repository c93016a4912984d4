"""The tasks of a recipe, from which its DAGs are put together, and what all of its DAGs have in common.

Everything is written below `emberline_root`, in a folder per DAG and logical date: a re-run meets its own outputs only.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Param, task
from airflow.sdk.exceptions import AirflowSkipException

if __package__:  # of the wheel
    from emberline.airflow_dags import recipe_assets
    from emberline.airflow_dags.failure_report import report_failure
    from emberline.airflow_dags.spark_job import (
        DAY,
        OVERRIDES,
        PARTITION,
        ROOT,
        TRAINING_POOL,
        SparkJob,
        spark_job,
    )
else:  # a folder of DAGs
    import recipe_assets
    from failure_report import report_failure
    from spark_job import DAY, OVERRIDES, PARTITION, ROOT, TRAINING_POOL, SparkJob, spark_job

SETTINGS = {
    "start_date": datetime(2026, 1, 1, tzinfo=UTC),
    "catchup": False,
    # One after the other: a day's candidate is held against the champion that the day before left.
    "max_active_runs": 1,
    "dagrun_timeout": timedelta(days=2),
    "default_args": {
        "owner": "emberline",
        "retries": 3,
        "retry_exponential_backoff": 2,
        "max_retry_delay": timedelta(hours=1),
        "execution_timeout": timedelta(hours=6),
        "on_failure_callback": report_failure,
    },
}
"""Arguments of every DAG. The first delay before a retry is Airflow's own `core.default_task_retry_delay`."""

PARAMS = {
    "overrides": OVERRIDES,
    "input": Param(None, type=["null", "string"], description="URI of raw files; empty for those of the day"),
    "day": Param(
        None,
        type=["null", "string"],
        pattern=r"^\d{8}$",
        description="day whose rows are taken, such as 20260102; empty for that of the logical date or the event",
    ),
}
MODEL = Param(None, type=["null", "string"], description="URI of a model; empty for the recipe's champion")

EVERYTHING = "'all'"
CHAMPION = "champion"


@dataclass(frozen=True)
class RecipeTasks:
    """The tasks of one recipe, one method each.

    What a job may use of the cluster is said where the task is made, in the words of `SparkSubmitOperator`:
    `RECIPE.train(num_executors=8, executor_cores=4, executor_memory="8g", driver_memory="2g")`.

    Args:
        recipe: Its name.
        data: Name of its raw data; `emberline_<data>_raw` says where they are, in folders `20260102` for days and
            `all` for everything.
        folder: Of raw rows below that, as an expression.
        archives: Code of the recipe's project, which lies beside `emberline.zip`, such as `("mypackage.zip",)`.
    """

    recipe: str
    data: str
    folder: str = DAY
    archives: tuple[str, ...] = ()

    @property
    def raw(self) -> str:
        """Where the rows are, unless the run's parameters say otherwise."""
        return f"{{{{ params.input or (var.value.emberline_{self.data}_raw ~ '/' ~ {self.folder}) }}}}"

    @property
    def model(self) -> str:
        """The registered model by its alias, unless the run's parameters say otherwise."""
        return f"{{{{ params.model or 'models:/emberline-{self.recipe}@champion' }}}}"

    @property
    def dataset(self) -> str:
        """Dataset version of this run."""
        return self._place("datasets")

    @property
    def training(self) -> str:
        """Training of this run."""
        return self._place("trainings")

    def validate(self, **settings: Any) -> SparkJob:
        """Checks the raw rows; tells everybody who waits for the day that it is in order."""
        paths = ("--input", self.raw, "--output", self._place("reports"), "--overwrite")
        return self._job("validate", *paths, outlets=[recipe_assets.day(self.data)], **settings)

    def etl(self, *arguments: str, **settings: Any) -> SparkJob:
        """Writes the dataset version."""
        outlets = [recipe_assets.dataset_version(self.recipe)]
        paths = ("--input", self.raw, "--output", self.dataset, "--overwrite")
        return self._job("etl", *paths, *arguments, outlets=outlets, **settings)

    def train(self, *arguments: str, **settings: Any) -> SparkJob:
        """Trains the recipe's model; a retry resumes from the last checkpoint. Takes a slot of the training cluster."""
        paths = ("--dataset", self.dataset, "--output", self.training, "--overwrite")
        settings = {"pool": TRAINING_POOL, "execution_timeout": timedelta(hours=24)} | settings
        return self._job("train", *paths, *arguments, **settings)

    def tune(self, *arguments: str, **settings: Any) -> SparkJob:
        """Searches for hyperparameters; a retry resumes with the trials left. Takes a slot of the training cluster."""
        paths = ("--dataset", self.dataset, "--output", self._place("searches"))
        settings = {"pool": TRAINING_POOL, "execution_timeout": timedelta(hours=47)} | settings
        return self._job("tune", *paths, *arguments, **settings)

    def evaluate(self, **settings: Any) -> SparkJob:
        """Measures the model on held-out rows."""
        return self._job("evaluate", "--training", self.training, "--overwrite", **settings)

    def promote(self, **settings: Any) -> SparkJob:
        """Registers the model, as champion if it passes the gate."""
        return self._job("register", "--training", self.training, task_id="promote", **settings)

    def champion(self) -> Any:
        """Announces a new champion to the DAGs that wait for one; skipped, with the verdict, if the gate refused it."""
        named = recipe_assets.champion(self.recipe)

        @task(task_id=CHAMPION, outlets=[named])
        def champion(day: str, *, ti: Any, outlet_events: Any) -> None:
            registered = ti.xcom_pull(task_ids="promote")
            if registered["alias"] != CHAMPION:
                raise AirflowSkipException(f"Version {registered['version']} is not champion: {registered['verdict']}")
            outlet_events[named].add_partitions(day)

        return champion(f"{{{{ {DAY} }}}}")

    def score(self, **settings: Any) -> SparkJob:
        """Scores a day; its predictions replace those of the same day."""
        output = f"{ROOT}/predictions/{self.recipe}/{{{{ {DAY} }}}}"
        paths = ("--model", self.model, "--input", self.raw, "--output", output, "--overwrite")
        return self._job("score", *paths, outlets=[recipe_assets.predictions(self.recipe)], **settings)

    def drift(self, **settings: Any) -> SparkJob:
        """Compares a day with the rows that the champion was trained on."""
        return self._job("drift", "--model", self.model, "--input", self.raw, **settings)

    def champion_known(self) -> Any:
        """Skips what comes after it as long as nobody has named a champion."""
        named = recipe_assets.champion(self.recipe)

        @task.short_circuit(task_id="champion_known", inlets=[named])
        def champion_known(*, params: Any, inlet_events: Any) -> bool:
            return bool(params["model"]) or len(inlet_events[named].limit(1)) > 0

        return champion_known()

    def drifted(self) -> Any:
        """Skips what comes after it if the day's rows are like those that the model was trained on."""

        @task.short_circuit(task_id="drifted")
        def drifted(*, ti: Any) -> bool:
            return bool(ti.xcom_pull(task_ids="drift")["drifted"])

        return drifted()

    def retrain(self, dag: str) -> TriggerDagRunOperator:
        """Starts a full training, once for a day that drifted; if it makes a champion, that scores the day again.

        Not by an asset: the events of a run that was started for a day carry the day, and Airflow starts nothing with
        those that could also be started by the clock.

        Args:
            dag: The DAG that trains.
        """
        day = f"{{{{ {DAY} }}}}"
        return TriggerDagRunOperator(
            task_id="retrain",
            trigger_dag_id=dag,
            trigger_run_id=f"drift__{day}",
            conf={"day": day},
            skip_when_already_exists=True,
            fail_when_dag_is_paused=True,
        )

    def _place(self, kind: str) -> str:
        return f"{ROOT}/{kind}/{{{{ dag.dag_id }}}}/{self.recipe}/{PARTITION}"

    def _job(self, job: str, *arguments: str, **settings: Any) -> SparkJob:
        return spark_job(job, *arguments, recipe=self.recipe, archives=self.archives, **settings)


def compare(recipes: list[RecipeTasks]) -> SparkJob:
    """Compares the trainings of several recipes on one page."""
    page = f"{ROOT}/comparisons/{PARTITION}.html"
    return spark_job("compare", *(recipe.training for recipe in recipes), "--output", page)
