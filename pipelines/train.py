"""A dataset version to a trained model: checkpoints, one MLflow run, and a SavedModel from raw columns."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from emberline.features import storage
from emberline.features.dataset_rows import read_version
from emberline.features.dataset_version import DatasetVersion, differing_columns, open_version
from emberline.features.errors import BadInputError
from emberline.features.names import quoted
from emberline.features.profile.page import PROFILE
from emberline.pipelines.artifacts.earlier_training import earlier_training
from emberline.pipelines.artifacts.training_folder import TrainResult, is_resumable, unfinished_run, write_state
from emberline.pipelines.artifacts.warm_start import open_start
from emberline.pipelines.cluster.capacity import require_room
from emberline.pipelines.cluster.gang import train_on_cluster
from emberline.pipelines.cluster.launchers import require_launcher
from emberline.pipelines.cluster.roles import Gang
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.runtime.output_folder import require_apart
from emberline.pipelines.runtime.progress import Progress
from emberline.pipelines.runtime.shipping import ship_projects
from emberline.pipelines.saved_model.digest import TAG as MODEL_DIGEST
from emberline.pipelines.tasks import require_fit
from emberline.pipelines.tracking import Run, Tracker
from emberline.pipelines.training.assignment import Assignment
from emberline.pipelines.training.event_log import TrainingRecord, Watch, shown
from emberline.pipelines.training.input.feed import Feed
from emberline.pipelines.training.input.feed_rows import given_rows, source_rows

MOST_HELD_OUT = 2_000_000
"""Keys that are sent to every task, some 50 MB."""

AVAILABLE_NOW = MappingProxyType({"availableNow": True})
"""Reads what a stream's source holds at the start, and ends."""


def train(
    spark: SparkSession,
    recipe: Recipe,
    dataset: str,
    output: str,
    tracker: Tracker,
    *,
    overwrite: bool = False,
    warm_start: str | None = None,
    rows: DataFrame | None = None,
    trigger: Mapping[str, Any] = AVAILABLE_NOW,
    name: str = "",
    parent: str | None = None,
    watch: Watch | None = None,
) -> TrainResult:
    """Trains on the cluster; an interrupted training at the same output goes on from its last checkpoint.

    Args:
        spark: The session; one executor per worker.
        recipe: What to train; the workers get this very value.
        dataset: URI of a complete dataset version.
        output: URI of the training's folder.
        tracker: Where the run is recorded.
        overwrite: Replace a training that is finished, or was of other settings or data; it is kept until the new one
            has its first checkpoint. An unfinished one of the same settings still goes on, so that a scheduler's retry
            loses nothing.
        warm_start: URI of a model or a finished training whose weights the network starts from: `models:/NAME@alias`,
            `models:/NAME/VERSION`, `runs:/ID/model`, or a training's folder.
        rows: What `training.input=spark` feeds: raw rows by column name, batch or streaming; those that the dataset
            version holds out are left out. Without it, the files that the version was made of are read again.
        trigger: Of a streaming `rows`, as `DataStreamWriter.trigger` takes it; training ends with the stream.
        name: Of the run; default: the recipe's.
        parent: Run above it.
        watch: Called with epoch, counted from 1, and its metrics; what it raises ends the training.

    Raises:
        StoppedEarlyError: if `watch` raised it.
        BadInputError: if the dataset version is not complete or does not fit the recipe or the model to start from,
            or if `output` holds a finished training, or an unfinished one of other settings or data, or overlaps with
            what is read; if the launcher's library is not installed.
        OutputBusyError: if another process trains into `output`.
        ClusterSizeError: if the cluster has no room for all workers at once.
        ClusterError: if a worker fails; a re-run resumes.
    """
    require_apart(output, {"--dataset": dataset, "--warm-start": warm_start})
    progress = Progress("train")
    version = open_version(dataset)
    _require_fit(recipe, version)
    ship_projects(spark, *recipe.modules)
    gang = Gang.of(recipe.training)
    require_launcher(recipe.training)
    require_room(spark, gang)
    feed = _feed(spark, recipe, version, rows, trigger, progress, ranks=len(gang))
    identity = json.loads(json.dumps({"recipe": recipe.to_json(), "dataset_digest": version.digest}))
    if rows is None and recipe.training.input == "spark":
        require_apart(output, {"the raw rows": str(version.manifest["source"]["uri"])})
    with earlier_training(output, identity) as earlier:
        with open_start(tracker, warm_start, version, transfer=recipe.training.transfer) as start:
            identity |= {"warm_start": start.to_json()} if start else {}
            if overwrite and not is_resumable(output, identity):
                earlier.set_aside()
            resume = unfinished_run(output, identity)
            weights = start.place(output) if start else ""
        with tracker.step(
            recipe.name,
            "train",
            spark=spark,
            name=name,
            parent=parent,
            resume=resume,
            keep=output,
            params=recipe.to_json() | ({"warm_start": start.model} if start else {}),
            tags=_tags(version, output) | (start.tags if start else {}),
        ) as run:
            write_state(output, identity | {"run_id": run.id, "finished": False})
            _log_inputs(run, recipe, version)
            record = TrainingRecord(run, progress, recipe, watch)
            # Beside the driver nobody else computes: TensorFlow may take all cores.
            threads = 0 if recipe.training.mode == "local" else _threads(spark)
            assignment = Assignment(
                recipe=recipe,
                dataset=dataset,
                output=output,
                threads=threads,
                feed_secret=feed.secret if feed else "",
                weights=weights,
                run=run.id,
            )

            def hear(rank: int, event: dict[str, Any]) -> None:
                record(rank, event)
                if event["event"] in ("epoch", "exported"):
                    earlier.forget_if_replaced()
                if feed:
                    feed.on_event(rank, event)

            try:
                train_on_cluster(spark, assignment, gang=gang, on_event=hear)
            finally:
                if feed:
                    feed.stop()
                if recipe.training.tensorboard:
                    run.log_files(storage.join(output, "tensorboard"))
            result = TrainResult(
                training=output,
                recipe=recipe.name,
                run_id=run.id,
                dataset=dataset,
                dataset_digest=version.digest,
                metrics=record.metrics,
                steps=record.steps,
                resumed_from=record.resumed_from,
                model_digest=record.model_digest,
                warm_start=start.model if start else "",
            )
            run.log_tags({MODEL_DIGEST: record.model_digest})
            write_state(output, identity | {"run_id": run.id, "finished": True, "result": asdict(result)})
    progress.say(f"{record.steps:,} steps, " + shown(record.metrics))
    return result


def _feed(
    spark: SparkSession,
    recipe: Recipe,
    version: DatasetVersion,
    rows: DataFrame | None,
    trigger: Mapping[str, Any],
    progress: Progress,
    *,
    ranks: int,
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
    if rows is None:
        of_epoch = source_rows(spark, recipe, version)
    else:
        of_epoch = given_rows(rows, version.schema, _held_out(spark, rows, version, progress))
    return Feed(spark, of_epoch, recipe, version, trigger, progress.say, ranks=ranks)


def _held_out(spark: SparkSession, rows: DataFrame, version: DatasetVersion, progress: Progress) -> DataFrame | None:
    """Keys of the version's held-out split, which given rows may hold too; None if they are too many to look for."""
    count, key = version.split("eval").rows, version.schema.key
    if count > MOST_HELD_OUT:
        progress.say(
            f"warning: held-out rows are not looked for among the rows that were given: with {count:,} they are more "
            f"than {MOST_HELD_OUT:,}. Leave them out of the frame yourself, or the evaluation is too good."
        )
        return None
    if key in rows.columns:
        progress.say(f"of the rows that were given, those with the {key!r} of a held-out row are left out")
    else:
        progress.say(
            f"warning: the rows that were given have no column {key!r}. Held-out rows among them are known by the hash "
            "of all their columns, if these are the columns that etl read, and left out."
        )
    return read_version(spark, version.uri, "eval").select(quoted(key)).distinct()


def _require_fit(recipe: Recipe, version: DatasetVersion) -> None:
    require_fit(recipe, version.schema)
    if differing := differing_columns(version.features, recipe.stored_columns):
        raise BadInputError(
            f"The dataset version {version.uri!r} does not hold the columns that recipe {recipe.name!r} asks for: "
            f"{differing}. Run etl for this recipe."
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


def _tags(version: DatasetVersion, output: str) -> dict[str, str]:
    return {
        "emberline.training": output,
        "emberline.dataset": version.uri,
        "emberline.dataset_digest": version.digest,
        "emberline.source": str(version.manifest["source"]["uri"]),
        "emberline.synthetic": str(bool(version.synthetic)).lower(),
    }


def _log_inputs(run: Run, recipe: Recipe, version: DatasetVersion) -> None:
    """What is trained, and on what."""
    rows = {"rows": version.manifest["rows_read"], "rejected": version.manifest["rows_rejected"]}
    run.log_dataset(f"emberline-{recipe.dataset_name}", version.digest, version.uri, rows)
    run.log_json(recipe.to_json(), "recipe.json")
    run.log_json(version.features, "features.json")
    run.log_files(storage.join(version.uri, PROFILE))


def _threads(spark: SparkSession) -> int:
    """Cores a task may use: TensorFlow's threads must not fight with the neighbours'."""
    return int(spark.conf.get("spark.task.cpus", "1") or 1)
