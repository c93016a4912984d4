"""A registered model as a function of columns, and on a stream."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from pyspark.errors import PythonException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from emberline.pipelines.scoring.stream import score_stream
from emberline.pipelines.scoring.udf import emberline_udf


def test_a_function_of_columns(spark: SparkSession, registered, people) -> None:
    expected = registered.expected(people())
    predict = emberline_udf(registered.uri, tracking_uri=registered.tracker.uri, spark=spark)
    rows = spark.read.parquet(registered.rows)
    found = rows.select("row", predict(F.struct("*")).alias("p")).select("row", "p.*")
    assert found.columns == ["row", "score", "class"]
    got = {row["row"]: row["score"] for row in found.collect()}
    np.testing.assert_allclose([got[key] for key in expected], list(expected.values()), rtol=1e-5)
    spark.udf.register("predict", predict)
    rows.withColumn("age", F.when(F.col("row") > "k000099", 999).otherwise(F.col("age"))).createOrReplaceTempView("t")
    sql = spark.sql("SELECT row, predict(struct(*)) AS p, predict(struct(*)).score AS score FROM t").collect()
    assert {row["row"] for row in sql if row["p"] is not None} == {f"k{index:06d}" for index in range(100)}
    assert all(row["score"] == pytest.approx(expected[row["row"]], rel=1e-5) for row in sql if row["p"] is not None)
    with pytest.raises(PythonException, match=r"takes columns of these types: age bigint.*got age string"):
        rows.select(predict(F.struct(F.col("age").cast("string").alias("age"), *rows.drop("age").columns))).collect()


def test_a_stream_is_scored_exactly_once(spark: SparkSession, registered, people, tmp_path: Path) -> None:
    source, out, checkpoint = tmp_path / "in", tmp_path / "out", tmp_path / "checkpoint"
    source.mkdir()
    table = people(300)
    expected = registered.expected(table)
    schema = spark.read.parquet(registered.rows).schema

    def run() -> None:
        rows = spark.readStream.schema(schema).option("maxFilesPerTrigger", 1).parquet(str(source))
        query = score_stream(
            rows, None, registered.uri, str(out), str(checkpoint), registered.tracker, available_now=True
        )
        assert query.awaitTermination(120)

    for part in range(2):
        pq.write_table(table.slice(part * 100, 100), source / f"{part}.parquet")
    run()
    # What a crash between publishing and committing leaves: the batch is there, Spark does not know, and repeats it.
    (checkpoint / "commits" / "1").unlink()
    (checkpoint / "commits" / ".1.crc").unlink(missing_ok=True)
    pq.write_table(table.slice(200, 100), source / "2.parquet")
    run()
    found = spark.read.parquet(str(out)).collect()
    assert sorted(row["row"] for row in found) == table["row"].to_pylist()
    assert {row["batch"] for row in found} == {0, 1, 2}
    assert all(row["score"] == pytest.approx(expected[row["row"]], rel=1e-5) for row in found)
