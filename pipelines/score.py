"""Raw rows to predictions: a registered model in executors, Arrow in and out, published all at once."""

import json
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from features import storage
from features.errors import BadInputError, nearest
from features.schema import Schema
from features.validation.checks import Anomaly
from features.validation.rows import RAW, REASON, SOURCE, check_rows
from pipelines.datasets import load_dataset
from pipelines.progress import Progress, StageProgress
from pipelines.recipe import Recipe
from pipelines.scoring_model import arrow_arrays, load, ship, spark_columns
from pipelines.scoring_skew import measure_skew, training_statistics
from pipelines.tasks import task_of
from pipelines.tasks.task import PredictionColumn
from pipelines.tracking import Tracker

REJECTED = "_rejected"
"""Beside the predictions, under a name that readers of the folder skip."""


@dataclass(frozen=True)
class ScoreResult:
    """What was scored.

    Args:
        predictions: URI of a Parquet folder: key, the columns of the task's prediction, model version, time of scoring.
        rows_read: Raw rows.
        rows_scored: Predictions written.
        rows_rejected: Rows put aside, with a reason each, in `_rejected` below `predictions`.
        model: Registered model.
        version: Its version.
        anomalies: How the rows differ from those the model was trained on.
    """

    predictions: str
    rows_read: int
    rows_scored: int
    rows_rejected: int
    model: str
    version: int
    anomalies: tuple[Anomaly, ...] = ()


def score(
    spark: SparkSession,
    recipe: Recipe,
    model: str,
    source: str,
    output: str,
    tracker: Tracker,
    *,
    overwrite: bool = False,
) -> ScoreResult:
    """Scores everything at `source`.

    Args:
        spark: The session.
        recipe: Names the dataset, whose reader and checks the raw rows go through.
        model: `models:/NAME@alias` or `models:/NAME/VERSION`.
        source: URI of raw rows, in the dataset's format or as Parquet with the same column names.
        output: URI of the predictions.
        tracker: The registry.
        overwrite: Replace predictions that are already there.

    Raises:
        BadInputError: if there is no such model, or it does not fit the rows; if every row is rejected.
    """
    if storage.exists(output) and not overwrite:
        raise BadInputError(f"The output {output!r} already exists. Pass --overwrite to replace it, or choose another.")
    progress = Progress("score")
    version = tracker.find(model)
    dataset = load_dataset(recipe.dataset)
    rows = dataset.read(spark, source)
    staging = f"{output.rstrip('/')}.staging-{uuid.uuid4().hex[:8]}"
    with tempfile.TemporaryDirectory() as scratch:
        folder = tracker.fetch(version, scratch)
        schema = model_schema(folder, dataset.schema, f"{version.name} version {version.version}")
        checked = check_rows(rows, schema, labelled=False).persist()
        training = training_statistics(folder)
        archive = ship(spark, folder, f"{version.name}-{version.version}-{uuid.uuid4().hex[:8]}")
    try:
        with StageProgress(spark.sparkContext, progress, f"score with version {version.version}"):
            good = checked.where(F.col(REASON).isNull()).select(schema.key, *(field.name for field in schema.fields))
            columns = task_of(schema.label).columns
            scored = good.mapInArrow(
                _RowScorer(schema, columns, archive), f"`{schema.key}` string, {spark_columns(columns)}"
            )
            stamp = datetime.now(UTC)
            scored.withColumns(
                {"model_version": F.lit(version.version), "scored_at": F.lit(stamp).cast("timestamp")}
            ).write.parquet(staging)
            bad = checked.where(F.col(REASON).isNotNull())
            rejected = bad.count()
            if rejected:
                bad.select(REASON, F.col(RAW).alias("raw"), F.col(SOURCE).alias("source")).write.parquet(
                    storage.join(staging, REJECTED)
                )
            written = spark.read.parquet(staging).count()
        if not written:
            reasons = [row[0] for row in bad.select(REASON).limit(3).collect()]
            raise BadInputError(
                f"No row could be scored: all {rejected:,} were rejected, for example: {'; '.join(reasons)}"
            )
        with StageProgress(spark.sparkContext, progress, "compare with the training rows"):
            # What the data set has and this model does not ask for is no news.
            read = [name for name in rows.columns if name in schema.names or name not in dataset.schema.names]
            anomalies = measure_skew(checked, written, training, schema, recipe, read, staging)
        storage.replace_folder(staging, output)
    except BaseException:
        storage.delete(staging)
        raise
    finally:
        checked.unpersist()
    for anomaly in anomalies:
        progress.say(f"warning: {anomaly}")
    progress.say(f"{written:,} predictions at {output}, {rejected:,} rows rejected")
    return ScoreResult(output, written + rejected, written, rejected, version.name, version.version, anomalies)


def model_schema(folder: str, known: Schema, called: str) -> Schema:
    """The raw columns a model asks for, among those a dataset has.

    Args:
        folder: Local SavedModel with its `features.json`.
        known: The dataset's schema.
        called: Name of the model, for the error.

    Raises:
        BadInputError: if the model asks for a column the rows do not have, or have in another type.
    """
    wanted = Schema.from_json(json.loads((Path(folder) / "features.json").read_text())["schema"])
    have = {field.name: field for field in known.fields}
    faults = []
    for field in wanted.fields:
        if field.name not in have:
            faults.append(f"it wants column {field.name!r}, which the rows lack. {nearest(field.name, have)}")
        elif have[field.name].kind != field.kind:
            faults.append(f"it wants {field.name!r} as {field.kind}, the rows have {have[field.name].kind}")
    if faults:
        raise BadInputError(f"The model {called} does not fit the rows: {'; '.join(faults)}")
    return wanted


class _RowScorer:
    """Runs in an executor: checked raw rows in, predictions out."""

    def __init__(self, schema: Schema, columns: tuple[PredictionColumn, ...], archive: str) -> None:
        self.schema, self.columns, self.archive = schema, columns, archive

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        score = load(self.archive, threads=1).signatures["serving_default"]
        from features.batches import raw_tensors

        inputs = self.schema.subset(set(score.structured_input_signature[1]))
        for batch in batches:
            scored = arrow_arrays(score(**raw_tensors(batch, inputs)), self.columns)
            yield pa.RecordBatch.from_arrays(
                [batch.column(self.schema.key), *scored],
                names=[self.schema.key, *(column.name for column in self.columns)],
            )
