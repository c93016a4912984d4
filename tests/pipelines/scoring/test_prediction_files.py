"""Files of predictions that tasks write: one per task, of the attempt that Spark heard of, with Spark's own types."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DataType,
    DateType,
    DecimalType,
    FloatType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from emberline.pipelines.score import score
from emberline.pipelines.scoring import prediction_files
from emberline.pipelines.scoring.destination import Destination
from emberline.pipelines.scoring.prediction_files import FileWriter, file_schema, names_folders

SPARK_SCHEMA = StructType(
    [
        StructField("row", StringType()),
        StructField("score", FloatType()),
        StructField("probabilities", ArrayType(FloatType())),
        StructField("version", IntegerType()),
        StructField("place", LongType()),
    ]
)


@dataclass(frozen=True)
class Attempt:
    number: int

    def partitionId(self) -> int:
        return 3

    def taskAttemptId(self) -> int:
        return self.number


def scored(batches: Iterator[int]) -> Iterator[pa.RecordBatch]:
    for rows in batches:
        yield pa.RecordBatch.from_pydict(
            {
                "row": pa.array([f"k{index}" for index in range(rows)]),
                "score": pa.array(np.arange(rows), pa.float32()),
                "probabilities": pa.array([[0.5, index] for index in range(rows)], pa.list_(pa.float32())),
            }
        )


def dying(batches: Iterator[int]) -> Iterator[pa.RecordBatch]:
    yield from scored(batches)
    raise RuntimeError("the executor was lost")


def write(out: Destination, step: Any, rows: list[int]) -> list[dict[str, Any]]:
    schema = file_schema(SPARK_SCHEMA, "4.3.0")
    writer = FileWriter(step, out.attempts, schema, (("version", 7), ("place", None)))
    return [row for batch in writer(iter(rows)) for row in batch.to_pylist()]


def test_attempts_never_double_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction_files, "FILE_BYTES", 5_000)
    out = Destination(None, str(tmp_path / "out"))  # type: ignore[arg-type]  # no session is needed for files
    answers = []
    for number, step in ((1, dying), (2, scored), (3, scored)):  # failed, counted, and a speculative copy of it
        monkeypatch.setattr(prediction_files.TaskContext, "get", lambda number=number: Attempt(number))
        if step is dying:
            with pytest.raises(RuntimeError, match="lost"):
                write(out, step, [300, 300])
        else:
            answers.append(write(out, step, [300, 1]))
    files = [{"file": "part-00003-2-0.parquet", "rows": 300}, {"file": "part-00003-2-1.parquet", "rows": 1}]
    assert answers[0] == files
    assert not (tmp_path / "out").exists()
    out.stage_files(answer["file"] for answer in answers[0])
    out.publish()
    names = ["_SUCCESS", "_predictions.json", *(file["file"] for file in files)]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    large, small = (pq.read_table(tmp_path / "out" / name) for name in names[2:])
    assert large.column_names == SPARK_SCHEMA.names
    assert large["row"].to_pylist() == [f"k{index}" for index in range(300)]
    assert small.to_pylist() == [{"row": "k0", "score": 0.0, "probabilities": [0.5, 0.0], "version": 7, "place": None}]


def test_a_task_without_rows_leaves_no_file(tmp_path: Path) -> None:
    out = Destination(None, str(tmp_path / "out"))  # type: ignore[arg-type]
    assert write(out, scored, []) == []
    assert list(tmp_path.iterdir()) == []


KINDS: dict[str, tuple[DataType, list[object]]] = {
    "text": (StringType(), ["a b", "ä/=:%", "", None, "a b"]),
    "whole": (LongType(), [3, -1, None, 3, 0]),
    "day": (DateType(), [date(2026, 11, 1), date(1066, 1, 2), None, date(2026, 11, 1), date(9999, 12, 31)]),
    "truth": (BooleanType(), [True, False, None, True, True]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_folders_are_named_as_spark_names_them(spark: SparkSession, tmp_path: Path, kind: str) -> None:
    spark_type, values = KINDS[kind]
    assert names_folders(spark_type)
    rows = [(f"k{index}", value) for index, value in enumerate(values)]
    frame = spark.createDataFrame(rows, StructType([StructField("row", StringType()), StructField("by", spark_type)]))
    frame.coalesce(1).write.partitionBy("by").parquet(str(tmp_path / "theirs"))
    schema = file_schema(StructType([StructField("row", StringType())]), "4.3.0")
    write_files = FileWriter(lambda batches: batches, str(tmp_path / "ours"), schema, (), "by")
    answers = [row for batch in write_files(iter(frame.toArrow().to_batches())) for row in batch.to_pylist()]
    found = {str(Path(answer["file"]).parent): answer["rows"] for answer in answers}
    assert found.keys() == {path.name for path in (tmp_path / "theirs").iterdir() if path.is_dir()}
    assert sum(found.values()) == len(values)
    ours, theirs = (spark.read.parquet(str(tmp_path / name)) for name in ("ours", "theirs"))
    assert ours.schema == theirs.schema
    assert sorted(map(str, ours.collect())) == sorted(map(str, theirs.collect()))


@pytest.mark.parametrize("kind", [FloatType(), TimestampType(), DecimalType(5, 2)])
def test_other_folders_are_left_to_spark(kind: DataType) -> None:
    assert not names_folders(kind)


@pytest.mark.parametrize("files", [True, False])
def test_what_is_kept_keeps_its_types(spark: SparkSession, registered, tmp_path: Path, files: bool) -> None:
    rows = spark.read.parquet(registered.rows).limit(50)
    rows = rows.withColumns(
        {
            "at": F.lit(datetime(2026, 11, 21, 13, 0, 1, 5, UTC)),
            "on": F.to_date(F.lit("1500-02-03")),
            "price": F.lit(Decimal("12.30")),
            "span": F.expr("interval '1 02:03:04' day to second"),
            "local": F.to_timestamp_ntz(F.lit("2026-01-02 03:04:05.000006")),
            "small": F.lit(3).cast("tinyint"),
            "pair": F.struct(F.lit("x").alias("b.c"), F.array(F.lit(1)).alias("d")),
        }
    )
    kept = ["row", "at", "on", "price", "span", "local", "small", "pair"]
    if files:  # structures and spans in files are read as etl reads them: flat, and as text
        rows, kept = rows.drop("span", "pair"), [name for name in kept if name not in ("span", "pair")]
    rows.write.parquet(str(tmp_path / "rows"))
    rows = spark.read.parquet(str(tmp_path / "rows"))
    source = str(tmp_path / "rows") if files else rows
    score(spark, None, registered.uri, source, str(tmp_path / "out"), registered.tracker, keys=kept)
    found = spark.read.parquet(str(tmp_path / "out"))
    assert [(item.name, item.dataType) for item in found.select(*kept).schema] == [
        (item.name, item.dataType) for item in rows.select(*kept).schema
    ]
    assert sorted(found.select(*kept).collect()) == sorted(rows.select(*kept).collect())
    assert found.schema["model_version"].dataType.simpleString() == "int"
    assert found.schema["scored_at"].dataType.simpleString() == "timestamp"
    (moment,) = {row["scored_at"] for row in found.collect()}
    assert abs((datetime.now() - moment).total_seconds()) < 600  # Spark gives the session's time
