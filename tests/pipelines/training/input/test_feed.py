"""The driver's end: real Spark jobs that feed inboxes of this process, in place of ranks."""

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from emberline.features.columns import Numeric, arrow_schema, stored
from emberline.features.dataset_version import DatasetVersion
from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.models.tabular import dnn
from emberline.pipelines.cluster.roles import Gang
from emberline.pipelines.recipe import Optimizer, Recipe, Training
from emberline.pipelines.training.input.feed import Feed
from emberline.pipelines.training.input.feed_rows import given_rows
from emberline.pipelines.training.input.inbox import FeedError, FeedLostError, Inbox

SCHEMA = Schema((Field("size", "float", minimum=0),), Label("large", (("no",), ("yes",))), key="row")
RECIPE = Recipe(
    "test",
    "",
    "iris",
    dnn.Config(deep=(Numeric("size", default=0.0),), hidden_units=(2,)),
    Training((Optimizer("sgd", 0.1),), epochs=1, global_batch=8, workers=2),
)
STORED = arrow_schema(stored(RECIPE.model.columns)).append(pa.field("large", pa.float32()))
TABLE = "size double, colour string, large string"


class Place:
    """Two inboxes that take all they get, and the feed that fills them."""

    def __init__(self, spark: SparkSession, rows: DataFrame) -> None:
        self.lines: list[str] = []
        statistics = {"rows": 1, "classes": [], "fields": {}}
        version = DatasetVersion("file:///nowhere", {}, {"schema": SCHEMA.to_json(), "statistics": statistics})
        self.feed = Feed(
            spark,
            given_rows(rows, SCHEMA),
            RECIPE,
            version,
            {"availableNow": True},
            self.lines.append,
            ranks=len(Gang.of(RECIPE.training)),
        )
        self.inboxes = [Inbox("127.0.0.1", self.feed.secret, STORED) for _ in range(2)]
        self.taken: list[list[float]] = [[], []]
        self.errors: list[Exception] = []

    def run(self) -> None:
        threads = [threading.Thread(target=self._take, args=(rank,)) for rank in range(2)]
        for thread in threads:
            thread.start()
        for rank, inbox in enumerate(self.inboxes):
            host, port = inbox.address
            self.feed.on_event(rank, {"event": "feed", "epoch": 0, "host": host, "port": port})
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive(), "a rank waits for ever"
        self.feed.on_event(0, {"event": "fed", "epoch": 0, "left_out": 0})
        self.feed.stop()

    def _take(self, rank: int) -> None:
        inbox = self.inboxes[rank]
        try:
            over = False
            while not over:
                rows, over = inbox.wait(1)
                self.taken[rank] += inbox.take(rows).column("size").to_pylist()
        except Exception as error:
            self.errors.append(error)


@pytest.fixture
def place(spark: SparkSession) -> Iterator[Any]:
    made: list[Place] = []

    def make(rows: DataFrame) -> Place:
        made.append(Place(spark, rows))
        return made[-1]

    yield make
    for each in made:
        for inbox in each.inboxes:
            inbox.close()


def skewed(spark: SparkSession) -> DataFrame:
    """Three partitions of 10, 10,000 and no rows; one row has a size that is not allowed."""
    where = F.when(F.col("id") < 10, 0).otherwise(1)
    rows = spark.range(0, 10_010, 1, 1).repartitionByRange(2, where).withColumn("large", F.lit("yes"))
    rows = rows.select(F.when(F.col("id") == 77, -1.0).otherwise(F.col("id").cast("double")).alias("size"), "large")
    return rows.unionByName(rows.where("size > 1e9"))


def test_every_good_row_reaches_one_rank_from_skewed_and_empty_partitions(spark: SparkSession, place: Any) -> None:
    found = place(skewed(spark))
    found.run()
    assert not found.errors
    assert sorted(found.taken[0] + found.taken[1]) == [float(i) for i in range(10_010) if i != 77]
    shares = [len(taken) for taken in found.taken]
    assert min(shares) > 2_000, f"one partition holds nearly everything, and yet both ranks get their share: {shares}"
    assert found.lines == ["epoch 1: 10,009 rows fed, 0 of them left out as less than a global batch, 1 rejected"]


def test_after_a_restart_only_the_new_ranks_are_fed(spark: SparkSession, place: Any) -> None:
    """The first attempt ended when only one of its ranks had asked for rows; its address leads nowhere now."""
    found = place(spark.createDataFrame([(float(i), "red", "no") for i in range(9)], TABLE))
    found.feed.on_event(1, {"event": "feed", "epoch": 0, "host": "127.0.0.1", "port": 9})
    found.feed.on_event(-1, {"event": "restart"})
    found.run()
    assert not found.errors
    assert sorted(found.taken[0] + found.taken[1]) == [float(i) for i in range(9)]


def test_a_stream_is_fed_to_its_end(spark: SparkSession, place: Any, tmp_path: Any) -> None:
    for part in range(3):
        spark.createDataFrame([(float(10 * part + i), "red", "no") for i in range(10)], TABLE).coalesce(
            1
        ).write.parquet(f"{tmp_path}/part-{part}")
    stream = spark.readStream.schema(TABLE).option("maxFilesPerTrigger", 1).parquet(f"{tmp_path}/part-*")
    found = place(stream)
    found.run()
    assert not found.errors
    assert sorted(found.taken[0] + found.taken[1]) == [float(i) for i in range(30)]


def test_an_error_in_the_source_of_the_rows_reaches_the_ranks(spark: SparkSession, place: Any) -> None:
    """Also one that comes late: rows before it are with the ranks, Spark repeats the task, and is not let in again."""
    bad = F.when(F.col("id") == 60_000, F.raise_error(F.lit("cannot read row 60000"))).otherwise(F.col("id"))
    found = place(spark.range(0, 70_000, 1, 1).select(bad.cast("double").alias("size"), F.lit("yes").alias("large")))
    found.run()
    assert [type(error) for error in found.errors] == [FeedError] * 2
    assert "The job that feeds epoch 1 failed" in str(found.errors[0])
    assert "cannot read row 60000" in str(found.errors[0])


def test_a_feeder_that_raises_reaches_a_rank_at_once(spark: SparkSession, place: Any) -> None:
    found = place(
        spark.range(0, 70_000, 1, 1).select(F.col("id").cast("double").alias("size"), F.lit("no").alias("large"))
    )

    class Broken(type(found.feed._transform)):
        def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            made = super().__call__(batches)
            yield next(made)
            raise ArithmeticError("no logarithm of a negative size")

    transform = found.feed._transform
    found.feed._transform = Broken(transform.schema, transform.columns, transform.statistics, transform.stored_schema)
    found.run()
    assert all(isinstance(error, FeedError | FeedLostError) for error in found.errors)
    assert "ArithmeticError while rows were fed: no logarithm of a negative size" in str(found.errors[0])


def test_a_feed_without_its_columns_is_refused_before_anything_starts(spark: SparkSession) -> None:
    with pytest.raises(BadInputError, match="Column 'large' is missing"):
        given_rows(spark.range(3).select(F.col("id").alias("size")), SCHEMA)


def test_transformed_rows_are_those_that_the_etl_stores(spark: SparkSession, place: Any) -> None:
    found = place(spark.createDataFrame([(2.5, "red", "yes"), (None, "red", "no")], TABLE))
    found.run()
    values = sorted(found.taken[0] + found.taken[1])
    np.testing.assert_array_equal(values, [0.0, 2.5])
