"""Runs: one for a pipeline run, below it one for each step."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

import mlflow
from mlflow.entities import Param, RunStatus
from mlflow.exceptions import MlflowException
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from emberline.features.errors import BadInputError
from emberline.features.names import metric_name
from emberline.pipelines.recipe import Recipe, flatten
from emberline.pipelines.runtime import logs
from emberline.pipelines.runtime.outcome import note
from emberline.pipelines.runtime.progress import Progress
from emberline.pipelines.runtime.secrets_in_uris import without_secrets
from emberline.pipelines.tracking.delivery import KEEP, STEP, Delivery, Uploaded, upload
from emberline.pipelines.tracking.run_facts import cluster_facts, code_facts, environment
from emberline.pipelines.tracking.store import Store, TrackingError, against_others, quoted_text

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PARAM_LIMIT = 6000
BATCH_LIMIT = 100
PARENT = "mlflow.parentRunId"
TABLES = "mlflow.loggedArtifacts"
KEY = "emberline.pipeline_run"
APPEAR_SECONDS = 10
"""How long the run of somebody who was first may take to appear."""


Status = Literal["FINISHED", "FAILED", "KILLED"]
"""How a run may end, in MLflow's words."""


class StoppedEarlyError(Exception):
    """A step that was ended on purpose: its run counts as killed, not as failed."""


def experiment_name(recipe: str) -> str:
    """Returns the MLflow experiment of a recipe."""
    return f"emberline/{recipe}"


class Run:
    """A run that is being written. Nothing here waits for MLflow, or fails when it does not answer.

    Args:
        run_id: The run.
        delivery: Carries the writes.
    """

    def __init__(self, run_id: str, delivery: Delivery) -> None:
        self.id = run_id
        self._delivery = delivery
        self._tables: list[dict[str, str]] = []

    def at(self, run_id: str) -> "Run":
        """Returns another run, written through the same delivery: the training's, for the metrics of its evaluation."""
        return Run(run_id, self._delivery)

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Writes metrics of one step; MLflow has them under `metric_name`s."""
        now = int(time.time() * 1000)
        points = [[metric_name(key), float(value), now, step] for key, value in metrics.items()]
        self._put("metrics", metrics=points)

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Writes tags."""
        self._put("tags", tags=_plain(tags))

    def log_text(self, text: str, file: str) -> None:
        """Writes an artifact, such as an HTML page."""
        self._put("text", text=text, file=file)

    def log_json(self, value: Any, file: str) -> None:
        """Writes an artifact of plain values."""
        self.log_text(json.dumps(value, indent=2), file)

    def log_table(self, columns: Sequence[str], rows: Sequence[Sequence[Any]], file: str) -> None:
        """Writes an artifact that MLflow's pages show as a table; `file` ends with `.json`."""
        self.log_json({"columns": list(columns), "data": [list(row) for row in rows]}, file)
        self._tables.append({"path": file, "type": "table"})
        self.log_tags({TABLES: json.dumps(self._tables)})

    def log_files(self, source: str, path: str = "") -> None:
        """Copies a file (to `path`) or a folder (below `path`) of any storage into the run's artifacts."""
        self._put("files", source=source, path=path or PurePosixPath(source).name)

    def log_dataset(
        self, name: str, digest: str, source: str, profile: Mapping[str, Any], context: str = "training"
    ) -> None:
        """Records data that the run read or wrote, by its digest; nothing is iterated for it.

        Args:
            name: Of the data.
            digest: Its content; MLflow keeps 36 characters.
            source: URI.
            profile: Facts such as the number of rows.
            context: What it was for.
        """
        source = without_secrets(source)
        self._put("dataset", name=name, digest=digest, source=source, profile=dict(profile), context=context)

    def settle(self) -> None:
        """Ends the runs of earlier attempts of this step at this output, which were killed."""
        self._put("settle")

    def end(self, status: Status) -> None:
        """Records how the run ended, as of now; nothing is written after it."""
        self._put("end", status=status, at=int(time.time() * 1000))

    def _put(self, do: str, **what: Any) -> None:
        self._delivery.put({"run": self.id, "do": do} | what)


def _plain(texts: Mapping[str, Any]) -> dict[str, str]:
    """Settings or facts as texts, without secrets: not all come through arguments that refuse them."""
    return {name: without_secrets(str(text)) for name, text in texts.items()}


@dataclass(frozen=True)
class TrackedRun:
    """What the store knows of one run.

    Args:
        run_id: Identifies it.
        name: As people call it.
        params: Its settings, as text.
        tags: What else was noted.
        metrics: The last value of each.
    """

    run_id: str
    name: str
    params: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, float]


@contextmanager
def _told_to_tasks(spark: "SparkSession | None", run_id: str) -> Iterator[None]:
    """Spark's tasks of the block can ask which run they work for; those of Spark Connect cannot."""
    try:
        context = spark.sparkContext if spark else None
        before = context.getLocalProperty(logs.RUN) if context else None
    except (AttributeError, PySparkException, Py4JError):
        context = None
    if context is None:
        yield
        return
    context.setLocalProperty(logs.RUN, run_id)
    try:
        yield
    finally:
        with suppress(AttributeError, PySparkException, Py4JError):  # the session may be stopped by now
            context.setLocalProperty(logs.RUN, before or "")


class Runs(Store):
    """The runs of a store."""

    _parent: str | None = None
    _key: str = ""

    @contextmanager
    def step(
        self,
        recipe: str,
        step: str,
        *,
        spark: "SparkSession | None" = None,
        name: str = "",
        parent: str | None = None,
        resume: str | None = None,
        keep: str = "",
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Iterator[Run]:
        """Opens a run for the block, below the pipeline run if any; finished, failed or killed as the block ends.

        Code version, environment, and what Spark gave are logged by themselves.

        Args:
            recipe: Name of the recipe, whose experiment takes the run.
            step: Such as `etl`.
            spark: The session, if the step has one.
            name: Of the run; default: the step's, and the key of the pipeline run.
            parent: Run above it, instead of that of `pipeline_run`.
            resume: A run to continue; a new one is made if the store does not know it.
            keep: URI of the folder that takes what could not be delivered: the step's output if that has a folder of
                its own from the beginning, else one beside it.
            params: Settings; nested ones are flattened.
            tags: Facts as text. Lineage reads `emberline.source`, `emberline.dataset`, `emberline.dataset_digest`,
                `emberline.training_run`, `emberline.model` (`NAME/VERSION`) and `emberline.predictions`.

        Raises:
            TrackingError: if the store does not answer at the beginning.
        """
        facts = {"emberline.recipe": recipe, STEP: step, KEEP: keep} | code_facts() | dict(tags or {})
        facts |= {"mlflow.source.name": f"emberline {step}", "mlflow.source.type": "JOB"}
        if spark:
            facts |= cluster_facts(spark)
        facts = _plain(facts)
        run_id = resume if resume and self._resume(resume, facts) else None
        if run_id is None:
            run_id = self._create(
                recipe, name or f"{step} {self._key}".strip(), params or {}, facts, parent or self._parent
            )
        note(mlflow_run=run_id)
        with logs.about(run=run_id), _told_to_tasks(spark, run_id):
            yield from self._delivered(Delivery(self, Progress(step), keep, run_id), run_id, spark)

    def _delivered(self, delivery: Delivery, run_id: str, spark: "SparkSession | None") -> Iterator[Run]:
        """The run for the block of `step`, and how it ends."""
        run = Run(run_id, delivery)
        status: Status = "FINISHED"
        try:
            run.log_text(environment(spark), "environment.txt")
            yield run
            if spark:
                run.log_tags(cluster_facts(spark))  # by now all executors have come up
            run.settle()
        except BaseException as error:
            status = "KILLED" if isinstance(error, StoppedEarlyError | KeyboardInterrupt) else "FAILED"
            run.log_tags({"emberline.failure": without_secrets(f"{type(error).__name__}: {error}")[:1000]})
            raise
        finally:
            run.end(status)
            delivery.close()

    @contextmanager
    def pipeline_run(self, recipe: Recipe, key: str) -> Iterator[str | None]:
        """Opens the run of one pipeline run for the block; the steps of the block go below it, on any job or machine.

        Args:
            recipe: The recipe, whose experiment takes the run.
            key: The same for all jobs of a pipeline run; with an empty one, steps have no run above them.

        Yields:
            Id of the run.

        Raises:
            TrackingError: if the store does not answer.
        """
        if not key:
            yield None
            return
        try:
            run_id = self._pipeline_run(recipe, key)
            self.client.update_run(run_id, status="RUNNING")
        except MlflowException as error:
            raise TrackingError(f"MLflow at {self.uri} has no run for {key!r}: {error}") from error
        delivery = Delivery(self, Progress("run"), "", run_id)
        run = Run(run_id, delivery)
        status: Status = "FAILED"
        before = (self._parent, self._key)
        self._parent = run_id
        self._key = key
        try:
            run.log_json(recipe.to_json(), "recipe.json")
            yield run_id
            status = "FINISHED"
        except KeyboardInterrupt:
            status = "KILLED"
            raise
        finally:
            self._parent, self._key = before
            run.end(status)
            delivery.close()

    def read_run(self, run_id: str) -> TrackedRun:
        """Returns name, settings, tags and last metrics of a run.

        Raises:
            BadInputError: if there is none.
            TrackingError: if the store does not answer.
        """
        try:
            run = self.client.get_run(run_id)
        except MlflowException as error:
            self._require_refusal(error)
            raise BadInputError(f"No run {run_id!r} in {self.uri}, and no training there.") from error
        data = run.data
        return TrackedRun(run_id, str(run.info.run_name), dict(data.params), dict(data.tags), dict(data.metrics))

    def read_json(self, run_id: str, file: str) -> Any:
        """Returns a JSON artifact of a run; None if there is no such file."""
        try:
            return mlflow.artifacts.load_dict(f"runs:/{run_id}/{file}")
        except (MlflowException, OSError):
            return None

    def upload(self, folder: str) -> Uploaded:
        """Delivers what steps could not and have kept in their output; see `delivery.upload`."""
        return upload(self, folder)

    def _pipeline_run(self, recipe: Recipe, key: str) -> str:
        """The run that carries the key, made by exactly one of those who ask for it."""
        number = 0
        while (found := self._find_key(recipe, key)) is None:
            number += 1
            if self._claim(f"pipeline-run/{recipe.name}/{key}/{number}"):
                facts = {"emberline.recipe": recipe.name, "emberline.step": "run", KEY: key} | code_facts()
                facts |= {"mlflow.source.name": "emberline run", "mlflow.source.type": "JOB"}
                return self._create(recipe.name, key, recipe.to_json(), facts, None)
            deadline = time.monotonic() + APPEAR_SECONDS
            while not self._find_key(recipe, key) and time.monotonic() < deadline:
                time.sleep(0.2)
        return found

    def _find_key(self, recipe: Recipe, key: str) -> str | None:
        experiment = self.client.get_experiment_by_name(experiment_name(recipe.name))
        if not experiment:
            return None
        wanted = f"tags.`{KEY}` = {quoted_text(key)}"
        runs = self.client.search_runs([experiment.experiment_id], wanted, max_results=1)
        return str(runs[0].info.run_id) if runs else None

    def _create(
        self, recipe: str, name: str, params: Mapping[str, Any], tags: Mapping[str, str], parent: str | None
    ) -> str:
        """Begins a run and returns its id.

        Raises:
            TrackingError: if the store does not answer.
        """
        above = {PARENT: parent} if parent else {}
        try:
            experiment_id = against_others(lambda: self._experiment(experiment_name(recipe)))
            run = self.client.create_run(experiment_id, run_name=name, tags=dict(tags) | above)
            plain = _plain(flatten(dict(params)))
            texts = [Param(key, value[:PARAM_LIMIT]) for key, value in plain.items()]
            for start in range(0, len(texts), BATCH_LIMIT):
                self.client.log_batch(run.info.run_id, params=texts[start : start + BATCH_LIMIT])
        except MlflowException as error:
            raise TrackingError(f"MLflow at {self.uri} did not take a new run: {error}") from error
        return str(run.info.run_id)

    def _experiment(self, name: str) -> str:
        """Id of an experiment, which is made if absent."""
        if found := self.client.get_experiment_by_name(name):
            return str(found.experiment_id)
        location = f"{self._artifacts}/{name.replace('/', '-')}" if self._artifacts else None
        # Without a kind, MLflow's page opens on the views for language-model applications.
        kind = {"mlflow.experimentKind": "custom_model_development"}
        return str(self.client.create_experiment(name, artifact_location=location, tags=kind))

    def _resume(self, run_id: str, tags: Mapping[str, str]) -> bool:
        """Marks an unfinished run as running again; False if the store does not know it."""
        try:
            self.client.update_run(run_id, status=RunStatus.to_string(RunStatus.RUNNING))
            for key, value in tags.items():
                self.client.set_tag(run_id, key, value)
        except MlflowException:
            return False
        return True
