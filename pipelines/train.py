"""A dataset version to a trained model: checkpoints, one MLflow run, and a SavedModel from raw columns."""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from features import storage
from features.dataset_version import DatasetVersion, open_version
from features.errors import BadInputError
from pipelines.capacity import require_feeder_room, require_room
from pipelines.cluster import train_on_cluster
from pipelines.progress import Progress
from pipelines.recipe import Recipe, flatten
from pipelines.tasks import require_fit
from pipelines.tracking import Tracker
from pipelines.training.assignment import Assignment
from pipelines.training.feed.job import Feed
from pipelines.training.feed.rows import given_rows, source_rows
from pipelines.version import code_version

TRAINING = "training.json"

AVAILABLE_NOW = MappingProxyType({"availableNow": True})
"""Reads what a stream's source holds at the start, and ends."""

HOW_IT_RUNS = (
    "workers", "parameter_servers", "gpus_per_worker", "launcher", "stall_seconds", "max_restarts", "checkpoint_every",
    "keep_checkpoints", "tensorboard", "profile_steps",
)  # fmt: skip
"""Fields of `Training` that may differ when an unfinished training goes on: the global batch is the same for any."""


@dataclass(frozen=True)
class TrainResult:
    """A finished training.

    Args:
        training: URI of its folder; the SavedModel is in `model/` below.
        run_id: MLflow run.
        dataset: URI of the dataset version.
        dataset_digest: Its content.
        metrics: Of the last epoch, and `best_…` of the best if one is chosen; `examples_per_second` over all epochs of
            this attempt.
        steps: Steps done in all.
        resumed_from: Step at which this attempt began; 0 for a fresh start.
    """

    training: str
    run_id: str
    dataset: str
    dataset_digest: str
    metrics: dict[str, float]
    steps: int
    resumed_from: int


def train(
    spark: SparkSession,
    recipe: Recipe,
    overrides: dict[str, str],
    dataset: str,
    output: str,
    tracker: Tracker,
    *,
    overwrite: bool = False,
    rows: DataFrame | None = None,
    trigger: Mapping[str, Any] = AVAILABLE_NOW,
) -> TrainResult:
    """Trains on the cluster; an interrupted training at the same output goes on from its last checkpoint.

    Args:
        spark: The session; one executor per worker.
        recipe: What to train.
        overrides: The `--set` values behind `recipe`; the workers repeat them.
        dataset: URI of a complete dataset version.
        output: URI of the training's folder.
        tracker: Where the run is recorded.
        overwrite: Replace a training that is finished, or was of other settings or data. An unfinished one of the
            same settings still goes on, so that a scheduler's retry loses nothing.
        rows: What `training.input=spark` feeds: raw rows by column name, batch or streaming. Without it, the files
            that the dataset version was made of are read again.
        trigger: Of a streaming `rows`, as `DataStreamWriter.trigger` takes it; training ends with the stream.

    Raises:
        BadInputError: if the dataset version is not complete or does not fit the recipe, or if `output` holds a
            finished training, or an unfinished one of other settings or data.
        ClusterSizeError: if the cluster has no room for all workers at once.
        ClusterError: if a worker fails; a re-run resumes.
    """
    progress = Progress("train")
    version = open_version(dataset)
    _require_fit(recipe, version)
    require_room(spark, recipe.training)
    feed = _feed(spark, recipe, version, rows, trigger, progress)
    identity = json.loads(json.dumps({"recipe": recipe.to_json(), "dataset_digest": version.digest}))
    if overwrite and not _resumable(output, identity):
        storage.delete(output)
    run_id = _unfinished_run(output, identity, tracker)
    if not run_id:
        run_id = tracker.start_run(
            experiment_name(recipe), f"{recipe.name}", flatten(recipe.to_json()), _tags(recipe, version, spark, output)
        )
        tracker.log_dataset(
            run_id, f"emberline-{recipe.dataset}", version.digest, dataset,
            {"rows": version.manifest["rows_read"], "rejected": version.manifest["rows_rejected"]},
        )  # fmt: skip
        tracker.log_json(run_id, recipe.to_json(), "recipe.json")
        tracker.log_json(run_id, version.features, "features.json")
        _write(output, identity | {"run_id": run_id, "finished": False})
    record = _Record(tracker, run_id, progress, recipe)
    # Beside the driver nobody else computes: TensorFlow may take all cores.
    threads = 0 if recipe.training.mode == "local" else _threads(spark)
    assignment = Assignment(recipe.name, overrides, dataset, output, threads, feed.secret if feed else "")

    def hear(rank: int, event: dict[str, Any]) -> None:
        record(rank, event)
        if feed:
            feed.on_event(rank, event)

    try:
        train_on_cluster(spark, assignment, training=recipe.training, on_event=hear)
    except BaseException:
        tracker.finish_run(run_id, succeeded=False)
        raise
    finally:
        if feed:
            feed.stop()
    result = TrainResult(
        output, run_id, dataset, version.digest, record.metrics, record.steps, resumed_from=record.resumed_from
    )
    _write(output, identity | {"run_id": run_id, "finished": True, "result": asdict(result)})
    tracker.finish_run(run_id, succeeded=True)
    progress.say(f"{record.steps:,} steps, " + _shown(record.metrics))
    return result


def open_training(uri: str) -> TrainResult:
    """The result of a finished training.

    Raises:
        BadInputError: if there is none at `uri`, or it was not finished.
    """
    path = storage.join(uri, TRAINING)
    if not storage.exists(path):
        raise BadInputError(f"No training at {uri!r}: it has no {TRAINING}. Run train with this --output first.")
    state = json.loads(storage.read_bytes(path))
    if not state["finished"]:
        raise BadInputError(
            f"The training at {uri!r} was not finished. Run train again with this --output; it resumes."
        )
    return TrainResult(**state["result"])


def experiment_name(recipe: Recipe) -> str:
    """The MLflow experiment of a recipe."""
    return f"emberline/{recipe.name}"


def _feed(
    spark: SparkSession,
    recipe: Recipe,
    version: DatasetVersion,
    rows: DataFrame | None,
    trigger: Mapping[str, Any],
    progress: Progress,
) -> Feed | None:
    """What feeds the workers, if the recipe wants them fed.

    Raises:
        BadInputError: if rows are given that nobody would read, a stream is to be read several times, or no task slot
            is left for a feeder.
    """
    training = recipe.training
    if training.input != "spark":
        if rows is not None:
            raise BadInputError(f"Rows were given to train, but training.input={training.input!r}: set it to 'spark'.")
        return None
    if rows is not None and rows.isStreaming and training.epochs != 1:
        raise BadInputError(f"A stream is read once: set training.epochs=1 instead of {training.epochs}.")
    require_feeder_room(spark, training)
    of_epoch = source_rows(spark, recipe, version) if rows is None else given_rows(rows, version.schema)
    return Feed(spark, of_epoch, recipe, version, trigger, progress.say)


def _require_fit(recipe: Recipe, version: DatasetVersion) -> None:
    from features.columns import describe

    require_fit(recipe, version.schema)
    wanted = json.loads(json.dumps([describe(column) for column in recipe.stored_columns]))
    if wanted != version.features["columns"]:
        have = {column["name"]: column for column in version.features["columns"]}
        need = {column["name"]: column for column in wanted}
        differing = sorted(name for name in need.keys() | have.keys() if need.get(name) != have.get(name))
        raise BadInputError(
            f"The dataset version {version.uri!r} was written for other columns than recipe {recipe.name!r} asks for; "
            f"they differ in {', '.join(differing) or 'their order'}. Run etl for this recipe."
        )
    rows, batch = version.split("train").rows, recipe.training.global_batch
    if recipe.training.mode == "async":
        if not storage.is_local(version.uri):
            raise BadInputError(
                f"training.mode=async reads shards from a path that every machine has mounted, and {version.uri!r} is "
                "none. Copy the dataset version, or train with training.mode=sync."
            )
        if rows < batch * recipe.training.workers:
            raise BadInputError(
                f"The training split has {rows:,} rows, fewer than training.global_batch={batch:,} for each of "
                f"{recipe.training.workers} workers. Lower either."
            )
    if rows < batch:
        raise BadInputError(
            f"The training split has {rows:,} rows, fewer than training.global_batch={batch:,}. Lower it."
        )


def _resumable(output: str, identity: dict[str, Any]) -> bool:
    """Whether an unfinished training of the same settings and data is at `output`."""
    path = storage.join(output, TRAINING)
    if not storage.exists(path):
        return False
    state = json.loads(storage.read_bytes(path))
    return not state["finished"] and _what(state) == _what(identity)


def _what(state: dict[str, Any]) -> Any:
    """What is trained on which data, apart from how it runs."""
    training = state["recipe"]["training"]
    kept = {name: value for name, value in training.items() if name not in HOW_IT_RUNS}
    return state["recipe"] | {"training": kept}, state["dataset_digest"]


def _unfinished_run(output: str, identity: dict[str, Any], tracker: Tracker) -> str | None:
    """The run to go on with, if an interrupted training of the same settings is at `output`."""
    path = storage.join(output, TRAINING)
    if not storage.exists(path):
        if storage.exists(output):
            raise BadInputError(
                f"The output {output!r} exists and is no training. Choose another, or pass --overwrite."
            )
        return None
    state = json.loads(storage.read_bytes(path))
    if state["finished"]:
        raise BadInputError(
            f"The output {output!r} already holds a finished training. Choose another, or pass --overwrite."
        )
    if not _resumable(output, identity):
        raise BadInputError(
            f"The unfinished training at {output!r} has other settings or data than this one. "
            "Choose another output, or pass --overwrite to start anew."
        )
    return str(state["run_id"]) if tracker.resume_run(state["run_id"]) else None


def _tags(recipe: Recipe, version: DatasetVersion, spark: SparkSession, output: str) -> dict[str, str]:
    context = spark.sparkContext
    return {
        "emberline.recipe": recipe.name,
        "emberline.version": code_version(),
        "emberline.training": output,
        "emberline.dataset": version.uri,
        "emberline.dataset_digest": version.digest,
        "emberline.synthetic": str(bool(version.synthetic)).lower(),
        "spark.application_id": str(context.applicationId),
        "spark.master": str(context.master),
        "mlflow.source.name": "emberline train",
        "mlflow.source.type": "JOB",
    }


def _threads(spark: SparkSession) -> int:
    """Cores a task may use: TensorFlow's threads must not fight with the neighbours'."""
    return int(spark.sparkContext.getConf().get("spark.task.cpus", "1") or 1)


def _write(output: str, state: dict[str, Any]) -> None:
    storage.write_bytes_atomic(storage.join(output, TRAINING), json.dumps(state, indent=2).encode())


def _shown(metrics: dict[str, float]) -> str:
    return ", ".join(
        f"{name} {value:,.4f}"
        for name, value in metrics.items()
        if name == "loss" or name.startswith(("eval_", "best_"))
    )


def _first_line(reason: str) -> str:
    """What failed, without the traceback: its first line, and the error's own when that line only opens one."""
    first, *rest = reason.splitlines()
    errors = [line for line in rest if re.match(r"[\w.]+(Error|Exception)\b", line)]
    return f"{first.partition('Traceback')[0]}{errors[-1][:300]}." if "Traceback" in first and errors else first


@dataclass
class _Record:
    """Turns rank 0's events into progress lines and MLflow metrics."""

    tracker: Tracker
    run_id: str
    progress: Progress
    recipe: Recipe
    metrics: dict[str, float] = field(default_factory=dict)
    steps: int = 0
    resumed_from: int = 0
    lost: int = 0
    _began: float = 0.0
    _rates: list[float] = field(default_factory=list)

    def __call__(self, rank: int, event: dict[str, Any]) -> None:
        if event["event"] == "restart":
            self.progress.say(f"{_first_line(event['reason'])} Starting all workers again ({event['attempt']}).")
            self.tracker.log_metrics(self.run_id, {"restarts": event["attempt"]}, self.steps, int(time.time() * 1000))
        if event["event"] == "worker lost":
            others = f"{event['left']} other{'s' if event['left'] > 1 else ''}"
            self.progress.say(f"{_first_line(event['reason'])} Training goes on with {others}.")
            self.lost += 1
            self.tracker.log_metrics(self.run_id, {"lost_workers": self.lost}, self.steps, int(time.time() * 1000))
        if rank:
            return
        match event["event"]:
            case "start":
                self._began = time.monotonic()
                self.steps = self.resumed_from = event["step"]
                if event["step"]:
                    self.progress.say(f"resumed after epoch {event['epoch']}, step {event['step']:,}")
            case "progress":
                self.progress.update(self._line(event))
            case "epoch":
                self.steps = event["step"]
                self._rates.append(event["metrics"]["examples_per_second"])
                self.metrics = event["metrics"] | {"examples_per_second": sum(self._rates) / len(self._rates)}
                self.tracker.log_metrics(self.run_id, event["metrics"], event["step"], int(time.time() * 1000))
                epochs = self.recipe.training.epochs
                self.progress.say(f"epoch {event['epoch']}/{epochs}  {_shown(event['metrics'])}  "
                                  f"{event['metrics']['examples_per_second']:,.0f} examples/s")  # fmt: skip

            case "note":
                self.progress.say(event["text"])
            case "best":
                self.metrics |= event["metrics"]
                self.tracker.log_metrics(self.run_id, event["metrics"], event["step"], int(time.time() * 1000))
                self.progress.say(f"the model is that of step {event['step']:,}: {_shown(event['metrics'])}")

    def _line(self, event: dict[str, Any]) -> str:
        per_step = (time.monotonic() - self._began) / max(event["step"] - self.resumed_from, 1)
        left = per_step * (event["steps"] - event["step"])
        steps_per_second = event["examples_per_second"] / self.recipe.training.global_batch
        return (
            f"epoch {event['epoch']}/{event['epochs']}  step {event['step']:,}/{event['steps']:,}  "
            f"loss {event['loss']:.4f}  {steps_per_second:,.0f} steps/s  {left:.0f} s left"
        )
