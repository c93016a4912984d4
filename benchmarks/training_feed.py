"""Rows per second into one executor's training process: our `spark` input against TensorFlowOnSpark's row feed.

Both on one executor of two cores in one Spark application, on the same cached rows (the 40-column row of the TFRecord
benchmarks: label, 13 numbers, 26 texts). Theirs is what its guide shows: `InputMode.SPARK`, `DataFeed.next_batch`, the
columns as arrays. Ours also hashes the 26 texts to ids in the transform graph, and ends in batches of tensors. Starts
of Spark, Python and TensorFlow do not count on either side.
"""

import multiprocessing
import time
from typing import Any, Self

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks.ratios import Comparison, compare, print_table, seconds
from benchmarks.sizes import Size
from emberline.features.columns import Embedding, HashBucket, Numeric
from emberline.features.dataset_version import DatasetVersion
from emberline.features.schema import Field, Label, Schema
from emberline.features.tfrecord.manifest import Shard, ShardSet
from emberline.models.tabular import dnn
from emberline.pipelines.recipe import Optimizer, Recipe, Training
from emberline.pipelines.runtime.session import session
from emberline.pipelines.training.input.feed import Feed
from emberline.pipelines.training.input.feed_rows import given_rows

NUMBERS = tuple(f"f{index:02d}" for index in range(13))
TEXTS = tuple(f"s{index:02d}" for index in range(26))
SCHEMA = Schema(
    (*(Field(name, "float") for name in NUMBERS), *(Field(name, "string") for name in TEXTS)),
    Label("label", (("no",), ("yes",))),
    key="row",
)
BATCH = 1024
FEATURES = {
    "schema": SCHEMA.to_json(),
    "cardinalities": dict.fromkeys(TEXTS, 1000),
    "statistics": {"rows": 1, "classes": [], "fields": {}},
}
HELD_OUT = ShardSet(
    pa.schema([]), "block", None, BATCH, (Shard("nowhere.tfrecord", BATCH, 1, 0, 0, ((1, 0),)),)
).to_json()
"""The manifest of held-out rows, which nobody reads here."""

COLUMNS = (
    *(Numeric(name, default=0.0) for name in NUMBERS),
    *(Embedding(HashBucket(name, 1000), 4) for name in TEXTS),
)
RECIPE = Recipe(
    "benchmark",
    "",
    "none",
    dnn.Config(COLUMNS),
    Training((Optimizer("sgd", 0.1),), epochs=1, global_batch=BATCH, workers=1, input="spark"),
)


def compare_feeds(size: Size) -> Comparison:
    """Measures both sides in turns."""
    ours, theirs, repeats = size.of((1_000_000, 20_000, 5), (200_000, 10_000, 3), (5_000, 500, 1))
    with session("benchmark feed", "local-cluster[1,2,2048]") as spark, Consumer() as consumer:
        many, few = frame(spark, ours), frame(spark, theirs)
        tuples = few.rdd.map(tuple)  # cheaper to pickle than Spark's rows, which carry their names
        cluster = start_row_feed(spark)
        try:
            return compare(
                lambda: ours / fed(spark, many, consumer),
                lambda: theirs / seconds(lambda: cluster.train(tuples)),  # returns when all rows are taken
                repeats=repeats,
            )
        finally:
            cluster.shutdown()


def frame(spark: SparkSession, rows: int) -> DataFrame:
    """The rows, cached, in four partitions."""
    numbers = [(F.rand(seed) * 100).alias(name) for seed, name in enumerate(NUMBERS)]
    texts = [F.substring(F.md5(F.concat(F.col("id").cast("string"), F.lit(name))), 1, 8).alias(name) for name in TEXTS]
    label = F.when(F.col("id") % 2 == 0, "yes").otherwise("no").alias("label")
    made = spark.range(0, rows, 1, 4).select(label, *numbers, *texts).cache()
    made.count()
    return made


def fed(spark: SparkSession, rows: DataFrame, consumer: "Consumer") -> float:
    """Seconds until a training process has all rows as batches of tensors."""
    version = DatasetVersion("file:///nowhere", {}, FEATURES)
    feed = Feed(spark, given_rows(rows, SCHEMA), RECIPE, version, {}, lambda _: None, ranks=RECIPE.training.workers)
    began = time.perf_counter()
    consumer.consume(feed)
    taken = time.perf_counter() - began
    feed.stop()
    return taken


class Consumer:
    """A training process without a training: it takes batches from the feed as fast as they come."""

    def __init__(self) -> None:
        self._pipe, child = multiprocessing.get_context("spawn").Pipe()
        self._process = multiprocessing.get_context("spawn").Process(target=_consume, args=(child,), daemon=True)
        self._process.start()
        self._pipe.recv()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.send("")
        self._process.join(10)

    def consume(self, feed: Feed) -> None:
        """One epoch of the feed."""
        self._pipe.send(feed.secret)
        while (event := self._pipe.recv())["event"] != "fed":
            feed.on_event(0, event)


def _consume(pipe: Any) -> None:
    import tensorflow as tf

    from emberline.pipelines.training.checkpoint.position import Position
    from emberline.pipelines.training.input.fed_batches import FedBatches

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)

    @tf.function
    def steps(batches: Any, count: tf.Tensor) -> tf.Tensor:
        total = tf.constant(0.0)
        for _ in tf.range(count):
            total += tf.reduce_sum(next(batches)[1])
        return total

    version = DatasetVersion("file:///nowhere", {"splits": {"train": HELD_OUT, "eval": HELD_OUT}}, FEATURES)
    pipe.send("ready")
    while secret := pipe.recv():
        batches = FedBatches(
            RECIPE,
            version,
            worker=0,
            host="127.0.0.1",
            secret=secret,
            report=pipe.send,
            sum_over_workers=lambda values: values,
        )
        iterator = iter(batches.training(Position()))
        while count := batches.steps_ahead(Position(), 50):
            steps(iterator, tf.constant(count))


def start_row_feed(spark: SparkSession) -> Any:
    """TensorFlowOnSpark's node, waiting for rows."""
    from tensorflowonspark import TFCluster

    return TFCluster.run(
        spark.sparkContext,
        _take_rows,
        {},
        num_executors=1,
        num_ps=0,
        input_mode=TFCluster.InputMode.SPARK,
        master_node="chief",
    )


def _take_rows(_: Any, context: Any) -> None:
    import numpy as np

    feed = context.get_data_feed(train_mode=True)
    while not feed.should_stop():
        if batch := feed.next_batch(BATCH):
            [np.array(column) for column in zip(*batch, strict=True)]


if __name__ == "__main__":
    print_table({"feed_vs_tfos": compare_feeds(Size.QUICK)})
