"""Texts to ids of their words against Spark ML, on `local[2]`: `python -m benchmarks.text [--quick]`.

Synthetic sentences of twenty words in the mean, Zipf-distributed over 100,000, written once as Parquet; both sides read
the files, turn letters small, split at blanks, learn the vocabulary of words seen at least three times, and write every
sentence by it. Ours: `analyze`, then block TFRecords of ids in the order of the words. Theirs: `Tokenizer` and
`CountVectorizer`, fitted, then Parquet of their vectors of counts, which know no order: the shorter way for Spark.
The two sides alternate after a turn that does not count; the numbers are medians of the ratios of neighbouring runs.
"""

import os
import shutil
import sys
import tempfile
from typing import Any

from benchmarks.ratios import Comparison, compare, print_json, print_table, seconds
from benchmarks.sizes import Size, sized_parser
from benchmarks.tfrecord_spark import session
from emberline.features.analysis.analyze import analyze
from emberline.features.analysis.sources import StoredRows
from emberline.features.columns import Vocabulary, arrow_schema, needs
from emberline.features.schema import Field, Label, Schema
from emberline.features.tokens import Tokens

ROWS, QUICK_ROWS = 1_000_000, 200_000
WORDS, LENGTH, MINIMUM_COUNT = 100_000, 20, 3
SCHEMA = Schema((Field("text", "string", tokens=Tokens(lower=True)),), Label("label", (("0",), ("1",))), "key")
COLUMNS = (Vocabulary("text", minimum_count=MINIMUM_COUNT, unseen_buckets=1, many=True),)


def write_texts(spark: Any, rows: int, path: str) -> None:
    """Sentences as Parquet."""
    from pyspark.sql import functions as F

    length = F.greatest(F.lit(1), F.round(F.randn(1) * LENGTH / 3 + LENGTH)).cast("int")
    # The share of the n-th most frequent word is about 1 / n.
    places = [F.floor(F.exp(F.rand(100 + index) * F.log(F.lit(WORDS + 1.0)))) for index in range(2 * LENGTH)]
    words = F.array(*(F.concat(F.lit("Word"), F.conv(place.cast("string"), 10, 36)) for place in places))
    text = F.concat_ws(" ", F.slice(words, 1, F.least(length, F.lit(2 * LENGTH))))
    label = (F.rand(2) < 0.5).cast("float").alias("label")
    spark.range(0, rows, 1, 4).select(text.alias("text"), label, F.col("id").cast("string").alias("key")).write.parquet(
        path
    )


def ours(spark: Any, path: str, folder: str) -> None:
    """Vocabulary and block TFRecords, by the functions that the ETL runs."""
    import pyarrow as pa

    from emberline.pipelines.preparation.row_transform import RowTransform
    from emberline.pipelines.preparation.shard_writer import SHARD_REPORT, ShardWriter
    from emberline.pipelines.recipe import Preparation

    shutil.rmtree(folder, ignore_errors=True)
    statistics = analyze(StoredRows(spark, path), SCHEMA, os.path.join(folder, "learned"), needs(COLUMNS))
    stored = arrow_schema(COLUMNS).append(pa.field("label", pa.float32())).append(pa.field("key", pa.string()))
    writer = ShardWriter(RowTransform(SCHEMA, COLUMNS, statistics, stored), Preparation(), folder)
    spark.read.parquet(path).select("text", "label", "key").mapInArrow(writer, SHARD_REPORT).collect()


def theirs(spark: Any, path: str, folder: str) -> None:
    """Vocabulary and vectors of counts, as Spark's users write it."""
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import CountVectorizer, Tokenizer

    frame = spark.read.parquet(path)
    stages = [
        Tokenizer(inputCol="text", outputCol="words"),
        CountVectorizer(inputCol="words", outputCol="counts", vocabSize=1 << 20, minTF=1.0, minDF=MINIMUM_COUNT),
    ]
    model = Pipeline(stages=stages).fit(frame)
    model.transform(frame).select("counts", "label", "key").write.mode("overwrite").parquet(folder)


def measure(size: Size) -> dict[str, Comparison]:
    """Compares the two."""
    import tensorflow  # noqa: F401 - its import is not part of any measurement

    rows, repeats = size.of((ROWS, 3), (QUICK_ROWS, 2), (2_000, 1))
    work = tempfile.mkdtemp(prefix="emberline-benchmark-")
    spark = session()
    try:
        path = os.path.join(work, "raw")
        write_texts(spark, rows, path)
        found = compare(
            lambda: rows / seconds(lambda: ours(spark, path, os.path.join(work, "ours"))),
            lambda: rows / seconds(lambda: theirs(spark, path, os.path.join(work, "theirs"))),
            repeats=repeats,
        )
    finally:
        spark.stop()
        shutil.rmtree(work, ignore_errors=True)
    print_table({"etl_vs_spark_ml": found})
    return {"etl_vs_spark_ml": found}


def main() -> None:
    """Print the table and one JSON line."""
    parser = sized_parser(__doc__, f"{QUICK_ROWS} rows instead of {ROWS}")
    size: Size = parser.parse_args().size
    found = measure(size)
    print_json("text", {key: comparison.ratios for key, comparison in found.items()}, size)


if __name__ == "__main__":
    sys.exit(main())
