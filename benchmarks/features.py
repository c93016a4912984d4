"""Statistics and transformed TFRecords against Spark ML, on `local[2]`: `python -m benchmarks.features [--quick]`.

The frame has the shape of Criteo's click logs: 13 heavy-tailed numbers with missing values and 26 texts of 8 hex
digits, Zipf-distributed over 3 to 1,000,000 values. It is written once as Parquet; both sides read the files.

Statistics: `analyze` of all 39 fields of the stored files, with deciles for the numbers and whole vocabularies for the
texts, against `Pipeline.fit` of QuantileDiscretizer, StringIndexer and VectorAssembler on the same files. ETL: Parquet
through the transform graph to block TFRecords, with all that was learned, against `PipelineModel.transform` and one
`tf.train.Example` per row. With the words of 2 M rows Spark ML's label metadata alone take minutes there, so theirs is
a model fitted on the slice that it transforms, and the metadata is dropped before the rows go to Python; both favour
it. Its speed is that of the rows by which a slice is longer than a tenth of it; ours is of the whole run. The two sides
alternate after a turn that does not count; the numbers are medians of the ratios of neighbouring runs.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from benchmarks.ratios import Comparison, compare, print_json, print_table, seconds
from benchmarks.sizes import Size, sized_parser
from benchmarks.tfrecord_spark import session
from emberline.features.analysis.analyze import analyze
from emberline.features.analysis.sources import StoredRows
from emberline.features.columns import Bucketized, Numeric, Transformed, Vocabulary, arrow_schema, needs
from emberline.features.schema import Field, Label, Schema
from emberline.features.statistics import Statistics

ROWS, QUICK_ROWS = 2_000_000, 200_000
SLICE_ROWS, QUICK_SLICE_ROWS = 50_000, 10_000
# Criteo's own numbers of different values, the largest cut to a million.
CARDINALITIES = (
    1460, 583, 1_000_000, 400_000, 305, 24, 12_517, 633, 3, 93_145, 5683, 800_000, 3194, 27, 14_992, 500_000, 10, 5652,
    2173, 4, 700_000, 18, 15, 286_181, 105, 142_572,
)  # fmt: skip
NUMBERS = tuple(f"I{index + 1}" for index in range(13))
TEXTS = tuple(f"C{index + 1}" for index in range(len(CARDINALITIES)))
SCHEMA = Schema(
    (*(Field(name, "float") for name in NUMBERS), *(Field(name, "string") for name in TEXTS)),
    Label("label", (("0",), ("1",))),
    "key",
)
PARTS = 10
COLUMNS: tuple[Transformed, ...] = (
    *(Bucketized(Numeric(name), quantiles=PARTS) for name in NUMBERS),
    *(Vocabulary(name) for name in TEXTS),
)


def write_frame(spark: Any, rows: int, path: str) -> None:
    """Criteo-shaped rows as Parquet."""
    from pyspark.sql import functions as F

    numbers, texts = [], []
    for index, name in enumerate(NUMBERS):
        value = F.floor(F.exp(F.randn(100 + index) * (0.5 + 0.15 * index) + 0.4 * index)).cast("double")
        numbers.append(F.when(F.rand(200 + index) > 0.02 * index + 0.01, value).alias(name))
    for index, (name, size) in enumerate(zip(TEXTS, CARDINALITIES, strict=True)):
        # The share of the n-th most frequent value is about 1 / n.
        place = F.floor(F.exp(F.rand(300 + index) * F.log(F.lit(size + 1.0)))).cast("string")
        word = F.substring(F.md5(F.concat(F.lit(f"{index}-"), place)), 1, 8)
        texts.append(F.when(F.rand(400 + index) > 0.01 * (index % 10), word).alias(name))
    label = (F.rand(1) < 0.25).cast("float").alias("label")
    spark.range(0, rows, 1, 4).select(label, F.col("id").cast("string").alias("key"), *numbers, *texts).write.parquet(
        path
    )


def fit_spark_ml(frame: Any) -> Any:
    """What Spark's users write for the same preparation."""
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import QuantileDiscretizer, StringIndexer, VectorAssembler

    buckets, indices = [f"{name}_bucket" for name in NUMBERS], [f"{name}_index" for name in TEXTS]
    return Pipeline(
        stages=[
            QuantileDiscretizer(
                numBuckets=PARTS, inputCols=list(NUMBERS), outputCols=buckets, handleInvalid="keep", relativeError=0.001
            ),
            StringIndexer(
                inputCols=list(TEXTS), outputCols=indices, handleInvalid="keep", stringOrderType="frequencyDesc"
            ),
            VectorAssembler(inputCols=buckets + indices, outputCol="features", handleInvalid="keep"),
        ]
    ).fit(frame)


def _write_examples(folder: str, index: int, rows: Iterator[Any]) -> Iterator[int]:
    import tensorflow as tf

    count = 0
    with tf.io.TFRecordWriter(os.path.join(folder, f"part-{index:05d}.tfrecord")) as writer:
        for row in rows:
            feature = {
                "features": tf.train.Feature(float_list=tf.train.FloatList(value=row["features"].toArray())),
                "label": tf.train.Feature(float_list=tf.train.FloatList(value=[row["label"]])),
                "key": tf.train.Feature(bytes_list=tf.train.BytesList(value=[row["key"].encode()])),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
            count += 1
    yield count


def write_ours(frame: Any, statistics: Statistics, folder: str) -> int:
    """Parquet to block TFRecords by the function that the ETL runs in its executors; rows written."""
    import json

    import pyarrow as pa

    from emberline.pipelines.preparation.row_transform import RowTransform
    from emberline.pipelines.preparation.shard_writer import SHARD_REPORT, ShardWriter
    from emberline.pipelines.recipe import Preparation

    stored = arrow_schema(COLUMNS).append(pa.field("label", pa.float32())).append(pa.field("key", pa.string()))
    writer = ShardWriter(RowTransform(SCHEMA, COLUMNS, statistics, stored), Preparation(), folder)
    reports = frame.select(*NUMBERS, *TEXTS, "label", "key").mapInArrow(writer, SHARD_REPORT).collect()
    return sum(json.loads(report["shard"])["rows"] for report in reports)


def time_in_graph(path: str, statistics: Statistics, folder: str, rows: int) -> dict[str, float]:
    """Seconds of each stage for `rows` rows in this process, one thread of Arrow, TensorFlow as it comes."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    import tensorflow as tf

    from emberline.features.tensors import raw_tensors
    from emberline.features.tfrecord.layouts import write_shard
    from emberline.features.transform import TransformGraph

    table = pq.read_table(path).slice(0, rows)
    batches = table.to_batches(max_chunksize=10_000)
    spent = dict.fromkeys(("build graph", "raw tensors", "graph", "to Arrow", "encode and write"), 0.0)
    since = time.perf_counter()

    def lap(stage: str) -> None:
        nonlocal since
        spent[stage] += time.perf_counter() - since
        since = time.perf_counter()

    graph = TransformGraph(SCHEMA, COLUMNS, statistics)
    transform = tf.function(graph.__call__, input_signature=[graph.raw_spec])
    transform(raw_tensors(batches[0], graph.schema))
    lap("build graph")
    schema, made = arrow_schema(COLUMNS), []
    for batch in batches:
        tensors = raw_tensors(batch, graph.schema)
        lap("raw tensors")
        found = {name: value.numpy() for name, value in transform(tensors).items()}
        lap("graph")
        made.append(pa.RecordBatch.from_arrays([pa.array(found[column.name]) for column in COLUMNS], schema=schema))
        lap("to Arrow")
    write_shard(os.path.join(folder, "one.tfrecord"), made, schema=schema)
    lap("encode and write")
    return spent


def measure(size: Size) -> dict[str, Comparison]:
    """Compares both pairs and prints where the transform's time goes."""
    import tensorflow  # noqa: F401 - its import is not part of any measurement
    from pyspark.sql import functions as F

    rows, slice_rows, repeats = size.of((ROWS, SLICE_ROWS, 3), (QUICK_ROWS, QUICK_SLICE_ROWS, 2), (2_000, 1_000, 1))
    work = tempfile.mkdtemp(prefix="emberline-benchmark-")
    spark = session()
    try:
        path = os.path.join(work, "raw")
        write_frame(spark, rows, path)
        frame = spark.read.parquet(path)
        kept: dict[str, Any] = {}

        def run(action: Callable[[], Any], name: str, count: int) -> float:
            def keep() -> None:
                kept[name] = action()

            return count / seconds(keep)

        stored = StoredRows(spark, path)
        statistics = partial(analyze, stored, SCHEMA, os.path.join(work, "learned"), needs(COLUMNS))
        found = {
            "statistics_vs_spark_ml": compare(
                lambda: run(statistics, "statistics", rows),
                lambda: rows / seconds(lambda: fit_spark_ml(frame)),
                repeats=repeats,
            )
        }
        sizes = (slice_rows // 10, slice_rows)
        parts = [frame.limit(size).repartition(2).cache() for size in sizes]
        for part in parts:
            part.count()
        model = fit_spark_ml(parts[1])
        ours, theirs = os.path.join(work, "ours"), os.path.join(work, "theirs")
        os.makedirs(theirs)

        def row_wise(part: Any) -> None:
            features = F.col("features").alias("features", metadata={})  # the labels would travel with every batch
            chosen = model.transform(part).select(features, "label", "key")
            chosen.rdd.mapPartitionsWithIndex(partial(_write_examples, theirs)).sum()

        def row_wise_speed() -> float:
            short, long = (seconds(partial(row_wise, part)) for part in parts)
            return (sizes[1] - sizes[0]) / (long - short)

        def blocks() -> int:
            shutil.rmtree(ours, ignore_errors=True)
            return write_ours(frame, kept["statistics"], ours)

        found["etl_vs_spark_ml"] = compare(lambda: run(blocks, "rows", rows), row_wise_speed, repeats=repeats)
        spent = time_in_graph(path, kept["statistics"], work, min(rows, QUICK_ROWS))
    finally:
        spark.stop()
        shutil.rmtree(work, ignore_errors=True)
    print_table(found)
    steady = sum(value for stage, value in spent.items() if stage != "build graph")
    alone = spent["raw tensors"] + spent["graph"]
    print(f"transform graph: {min(rows, QUICK_ROWS) / alone:,.0f} rows/s in one process; of {steady:.2f} s")
    for stage, value in spent.items():
        share = "once" if stage == "build graph" else f"{value / steady:.0%}"
        print(f"  {stage:20}{value:8.2f} s {share:>6}")
    return found


def main() -> None:
    """Print the table and one JSON line."""
    parser = sized_parser(__doc__, f"{QUICK_ROWS} rows instead of {ROWS}")
    size: Size = parser.parse_args().size
    found = measure(size)
    print_json("features", {key: comparison.ratios for key, comparison in found.items()}, size)


if __name__ == "__main__":
    sys.exit(main())
