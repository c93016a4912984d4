"""`format("tfrecord")` against the row-by-row Python path and against Parquet, on Spark `local[2]`.

A part of `python -m benchmarks.tfrecord`. The frame is the 40-column row of the TFRecord benchmarks (1 int64, 13
float32, 26 strings of 8 bytes), cached in memory, so that every writer pays the same to get at the rows. Reads end in
Spark's `noop` sink, which takes every row and keeps none. The row-by-row path works on a slice of the frame (it
would take minutes) and is compared by rows per second. Opponent and we alternate; the numbers are medians of the
ratios of neighbouring runs.
"""

import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.sizes import Size

ROWS, QUICK_ROWS = 2_000_000, 200_000
_STRINGS, _FLOATS = 26, 13


def frame(spark: Any, rows: int) -> Any:
    """The 40-column frame, cached."""
    from pyspark.sql import functions as F

    floats = [(F.rand(seed) * 100).cast("float").alias(f"f{seed:02d}") for seed in range(_FLOATS)]
    strings = [
        F.substring(F.md5(F.concat(F.col("id").cast("string"), F.lit(f"-{i}"))), 1, 8).alias(f"s{i:02d}")
        for i in range(_STRINGS)
    ]
    made = spark.range(0, rows, 1, 2).select(F.col("id").alias("label"), *floats, *strings).cache()
    made.count()
    return made


def session(memory: str = "8g") -> Any:
    """A local session of two cores with the format registered."""
    from emberline.features.tfrecord.spark.data_source import register

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from pyspark.sql import SparkSession

    spark = (
        SparkSession.builder.master("local[2]")
        .appName("emberline-benchmark-tfrecord")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.memory", memory)
        .config("spark.sql.shuffle.partitions", "4")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    register(spark)
    return spark


def seconds(action: Callable[[], object]) -> float:
    """Wall clock of one call."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def rates(ours: tuple[Callable[[], object], int], theirs: tuple[Callable[[], object], int], repeats: int) -> list[Any]:
    """Rows per second of both sides, alternating, after one unmeasured round."""
    found = []
    for turn in range(repeats + 1):
        mine = ours[1] / seconds(ours[0])
        other = theirs[1] / seconds(theirs[0])
        if turn:
            found.append((mine, other))
    return found


def _write_rows(folder: str) -> Callable[[int, Iterator[Any]], Iterator[int]]:
    """What everybody writes first: `tf.train.Example` per row, `tf.io.TFRecordWriter` per partition."""

    def write(index: int, rows: Iterator[Any]) -> Iterator[int]:
        import tensorflow as tf

        count = 0
        with tf.io.TFRecordWriter(os.path.join(folder, f"part-{index:05d}.tfrecord")) as writer:
            for row in rows:
                feature = {}
                for name, value in row.asDict().items():
                    if isinstance(value, str):
                        one = tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))
                    elif isinstance(value, float):
                        one = tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
                    else:
                        one = tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
                    feature[name] = one
                writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
                count += 1
        yield count

    return write


def _read_rows(path: str) -> Iterator[tuple[Any, ...]]:
    import tensorflow as tf

    for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
        feature = tf.train.Example.FromString(record).features.feature
        values = []
        for name in sorted(feature):
            one = feature[name]
            if one.HasField("bytes_list"):
                values.append(one.bytes_list.value[0].decode())
            elif one.HasField("float_list"):
                values.append(one.float_list.value[0])
            else:
                values.append(one.int64_list.value[0])
        yield tuple(values)


def measure(size: Size) -> dict[str, list[float]]:
    """Ratios by key; prints a table of rows per second."""
    rows, slice_rows, repeats = size.of((ROWS, 50_000, 5), (QUICK_ROWS, 10_000, 3), (2_000, 500, 1))
    work = tempfile.mkdtemp(prefix="emberline-benchmark-")
    spark = session()
    try:
        full, some = frame(spark, rows), frame(spark, slice_rows)
        ours, parquet, python = (os.path.join(work, name) for name in ("tfrecord", "parquet", "python"))
        os.makedirs(python)

        def noop(format_: str, path: str) -> None:
            reader = spark.read.format(format_).schema(full.schema)
            reader.load(path).write.format("noop").mode("overwrite").save()

        def write(format_: str, path: str) -> None:
            full.write.format(format_).mode("overwrite").save(path)

        def read_python() -> None:
            files = sorted(os.path.join(python, name) for name in os.listdir(python))
            ordered = sorted(full.schema.names)
            schema = type(full.schema)([full.schema[name] for name in ordered])
            rdd = spark.sparkContext.parallelize(files, len(files)).flatMap(_read_rows)
            spark.createDataFrame(rdd, schema, verifySchema=False).write.format("noop").mode("overwrite").save()

        mine = (lambda: write("tfrecord", ours), rows)
        their_rows = (lambda: some.rdd.mapPartitionsWithIndex(_write_rows(python)).sum(), slice_rows)
        found = {
            "spark_write_vs_parquet": rates(mine, (lambda: write("parquet", parquet), rows), repeats),
            "spark_write_vs_rdd": rates(mine, their_rows, repeats),
            "spark_read_vs_parquet": rates(
                (lambda: noop("tfrecord", ours), rows), (lambda: noop("parquet", parquet), rows), repeats
            ),
            "spark_read_vs_python": rates((lambda: noop("tfrecord", ours), rows), (read_python, slice_rows), repeats),
        }
    finally:
        spark.stop()
        shutil.rmtree(work, ignore_errors=True)
    print(f"{'':24}{'rows/s, ours':>16}{'rows/s, theirs':>16}{'ratio':>8}   ({rows} rows)")
    for key, pairs in found.items():
        ours_rate, their_rate = (statistics.median(side) for side in zip(*pairs, strict=True))
        ratio = statistics.median(a / b for a, b in pairs)
        print(f"{key:24}{ours_rate:16,.0f}{their_rate:16,.0f}{ratio:8.2f}")
    return {key: [a / b for a, b in pairs] for key, pairs in found.items()}
