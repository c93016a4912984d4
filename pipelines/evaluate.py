"""The exported model on the held-out split: scores in executors, metrics in Spark, both kept and tracked."""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession

from features import storage
from features.dataset_version import open_version
from features.errors import BadInputError
from features.tfrecord.layouts import read_shard
from features.tfrecord.manifest import ShardSet
from pipelines.progress import Progress, StageProgress
from pipelines.scoring_model import arrow_arrays, load, ship, spark_columns
from pipelines.tasks import task_of
from pipelines.tasks.task import PredictionColumn
from pipelines.tracking import Tracker, local_copy
from pipelines.train import open_training

EVALUATION = "evaluation.json"
SCORES = "evaluation/scores.parquet"


@dataclass(frozen=True)
class EvaluateResult:
    """How good a trained model is on rows it never saw.

    Args:
        training: URI of the training.
        dataset_digest: Content of the dataset version evaluated.
        metrics: Numbers by name, as the task of the label defines them.
        scores: URI of a Parquet folder: key, label, prediction.
        details: What is no single number, such as the confusion matrix of several classes.
    """

    training: str
    dataset_digest: str
    metrics: dict[str, float]
    scores: str
    details: dict[str, Any] = field(default_factory=dict)


def evaluate(spark: SparkSession, training: str, tracker: Tracker, *, overwrite: bool = False) -> EvaluateResult:
    """Scores the held-out split of the training's dataset version.

    Args:
        spark: The session.
        training: URI of a finished training.
        tracker: Where its run is recorded; the metrics are added to it.
        overwrite: Evaluate again even if that was done.

    Raises:
        BadInputError: if the training is not finished, or was evaluated before.
    """
    progress = Progress("evaluate")
    trained = open_training(training)
    target = storage.join(training, EVALUATION)
    if storage.exists(target) and not overwrite:
        raise BadInputError(f"The training {training!r} was evaluated already. Pass --overwrite to do it again.")
    version = open_version(trained.dataset)
    if version.digest != trained.dataset_digest:
        raise BadInputError(f"The dataset version {trained.dataset!r} was replaced after the training. Train again.")
    shards = version.split("eval")
    schema, task = version.schema, task_of(version.schema.label)
    with tempfile.TemporaryDirectory() as scratch:
        archive = ship(spark, local_copy(storage.join(training, "model"), scratch), f"emberline-{trained.run_id}")
    job = _ShardScorer(storage.join(version.uri, "eval"), shards, schema.key, schema.label.name, task.columns, archive)
    files = spark.createDataFrame([(index,) for index in range(len(shards.shards))], "shard int")
    scored = files.repartitionByRange(len(shards.shards), "shard").mapInArrow(
        job, f"`{schema.key}` string, `{schema.label.name}` float, {spark_columns(task.columns)}"
    )
    scores = storage.join(training, SCORES)
    with StageProgress(spark.sparkContext, progress, "score held-out rows"):
        scored.write.mode("overwrite").parquet(scores)
        found = task.evaluate(spark.read.parquet(scores), schema.label.name)
    metrics = found.metrics
    if metrics["rows"] != shards.rows:
        raise RuntimeError(f"Scored {metrics['rows']:,.0f} of {shards.rows:,} held-out rows; rows were lost.")
    result = EvaluateResult(training, version.digest, metrics, scores, found.details)
    storage.write_bytes_atomic(target, json.dumps(asdict(result), indent=2).encode())
    final = {f"test_{name}": value for name, value in metrics.items()}
    with tracker.step(trained.recipe, "evaluate", spark=spark, keep=training) as run:
        run.at(trained.run_id).log_metrics(final, trained.steps)
        run.at(trained.run_id).log_json(asdict(result), EVALUATION)
    progress.say(", ".join(f"{name} {metrics[name]:,.4f}" for name in task.metrics))
    return result


def open_evaluation(training: str) -> EvaluateResult:
    """What `evaluate` found.

    Raises:
        BadInputError: if the training was not evaluated.
    """
    path = storage.join(training, EVALUATION)
    if not storage.exists(path):
        raise BadInputError(f"The training {training!r} was not evaluated. Run evaluate first.")
    return EvaluateResult(**json.loads(storage.read_bytes(path)))


class _ShardScorer:
    """Runs in an executor: shard numbers in, scored rows out."""

    def __init__(
        self,
        folder: str,
        shards: ShardSet,
        key: str,
        label: str,
        columns: tuple[PredictionColumn, ...],
        archive: str,
    ) -> None:
        self.folder, self.shards, self.key, self.label = folder, shards, key, label
        self.columns, self.archive = columns, archive

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        score = load(self.archive, threads=1).signatures["serve_transformed"]
        spec: dict[str, Any] = score.structured_input_signature[1]
        from features.batches import stored_tensor

        for batch in batches:
            for index in batch.column(0).to_pylist():
                for rows in read_shard(self.folder, self.shards, self.shards.shards[index]):
                    table = {name: stored_tensor(rows.column(name)) for name in spec}
                    known = [rows.column(self.key).cast(pa.string()), rows.column(self.label)]
                    yield pa.RecordBatch.from_arrays(
                        [*known, *arrow_arrays(score(**table), self.columns)],
                        names=[self.key, self.label, *(column.name for column in self.columns)],
                    )
