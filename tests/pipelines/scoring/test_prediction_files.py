"""Files of predictions that tasks write: one per task, of the attempt that Spark heard of, with Spark's own types."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, FloatType, IntegerType, LongType, StringType, StructField, StructType

from pipelines.score import score
from pipelines.scoring import prediction_files
from pipelines.scoring.destination import Destination
from pipelines.scoring.prediction_files import FileWriter, file_schema

SPARK_SCHEMA = StructType(
    [
        StructField("row", StringType()), StructField("score", FloatType()),
        StructField("probabilities", ArrayType(FloatType())), StructField("version", IntegerType()),
        StructField("place", LongType()),
    ]
)  # fmt: skip


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
    writer = FileWriter(step, out.attempts, schema, (7, None))
    return [row for batch in writer(iter(rows)) for row in batch.to_pylist()]


def test_attempts_never_double_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction_files, "ROW_GROUP_BYTES", 5_000)
    out = Destination(None, str(tmp_path / "out"))  # type: ignore[arg-type]  # no session is needed for files
    answers = []
    for number, step in ((1, dying), (2, scored), (3, scored)):  # failed, counted, and a speculative copy of it
        monkeypatch.setattr(prediction_files.TaskContext, "get", lambda number=number: Attempt(number))
        if step is dying:
            with pytest.raises(RuntimeError, match="lost"):
                write(out, step, [300, 300])
        else:
            answers.append(write(out, step, [300, 1]))
    assert answers[0] == [{"file": "part-00003-2.parquet", "rows": 301}]
    assert not (tmp_path / "out").exists()
    out.stage_files(answer["file"] for answer in answers[0])
    out.publish()
    out.discard()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["_SUCCESS", "part-00003-2.parquet"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    file = pq.ParquetFile(tmp_path / "out" / "part-00003-2.parquet")
    assert file.metadata.num_row_groups == 2
    assert file.schema_arrow.names == SPARK_SCHEMA.names
    assert file.read().to_pylist()[299:] == [
        {"row": "k299", "score": 299.0, "probabilities": [0.5, 299.0], "version": 7, "place": None},
        {"row": "k0", "score": 0.0, "probabilities": [0.5, 0.0], "version": 7, "place": None},
    ]


def test_a_task_without_rows_leaves_no_file(tmp_path: Path) -> None:
    out = Destination(None, str(tmp_path / "out"))  # type: ignore[arg-type]
    assert write(out, scored, []) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("files", [True, False])
def test_what_is_kept_keeps_its_types(spark: SparkSession, registered, tmp_path: Path, files: bool) -> None:
    rows = spark.read.parquet(registered.rows).limit(50)
    rows = rows.withColumns(
        {
            "at": F.lit(datetime(2026, 11, 21, 13, 0, 1, 5, UTC)), "on": F.to_date(F.lit("1500-02-03")),
            "price": F.lit(Decimal("12.30")), "span": F.expr("interval '1 02:03:04' day to second"),
            "local": F.to_timestamp_ntz(F.lit("2026-01-02 03:04:05.000006")), "small": F.lit(3).cast("tinyint"),
            "pair": F.struct(F.lit("x").alias("b.c"), F.array(F.lit(1)).alias("d")),
        }
    )  # fmt: skip
    kept = ["row", "at", "on", "price", "span", "local", "small", "pair"]
    rows.write.parquet(str(tmp_path / "rows"))
    source = str(tmp_path / "rows") if files else spark.read.parquet(str(tmp_path / "rows"))
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
