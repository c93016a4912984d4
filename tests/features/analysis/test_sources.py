"""Rows of Parquet files, read by executors, against the same rows as a DataFrame."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from emberline.features import storage
from emberline.features.analysis import sources
from emberline.features.analysis.analyze import analyze
from emberline.features.analysis.sources import StoredRows
from emberline.features.schema import Field, Label, Schema
from emberline.features.statistics import LearnedVocabulary

SCHEMA = Schema(
    (
        Field("a.b", "float"), Field("a", "integer"), Field("word", "string"), Field("tags", "string", many=True),
        Field("ids", "integer", many=True), Field("box", "float", shape=(2,)),
    ),
    Label("paid", (("0",), ("1",))),
    "key",
)  # fmt: skip
NEEDS = [LearnedVocabulary("a"), LearnedVocabulary("word"), LearnedVocabulary("tags"), LearnedVocabulary("ids")]


def table(rows: int) -> pa.Table:
    generator = np.random.default_rng(7)
    words = np.array(["x", "y", "", "länger", None], object)

    def some(values: list) -> list:
        return [None if dice < 0.1 else value for dice, value in zip(generator.random(rows), values, strict=True)]

    lists = [list(words[generator.integers(0, 5, size)]) for size in generator.integers(0, 4, rows)]
    numbers = [generator.integers(-1, 50, size).tolist() for size in generator.integers(0, 4, rows)]
    return pa.table(
        {
            "a.b": pa.array(some(generator.normal(size=rows).tolist()), pa.float64()),
            "a": pa.array(some(generator.integers(-1, 9, rows).tolist()), pa.int64()),
            "word": pa.array(words[generator.integers(0, 5, rows)].tolist(), pa.string()),
            "tags": pa.array(some(lists), pa.list_(pa.string())),
            "ids": pa.array(some(numbers), pa.list_(pa.int64())),
            "box": pa.array(some(generator.normal(size=(rows, 2)).tolist()), pa.list_(pa.float64())),
            "paid": pa.array(generator.integers(0, 2, rows).tolist(), pa.float32()),
        }
    )


@pytest.mark.parametrize("split_bytes", [64 << 20, 20_000])
def test_files_give_the_statistics_of_their_rows(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, split_bytes: int
) -> None:
    folder = tmp_path / "rows"
    for index, (rows, group) in enumerate(((3000, 500), (10, 5), (700, 1000))):
        (folder / f"day={index}").mkdir(parents=True)
        pq.write_table(table(rows), folder / f"day={index}" / "part.parquet", row_group_size=group)
    (folder / "_SUCCESS").touch()
    monkeypatch.setattr(sources, "_SPLIT_BYTES", split_bytes)
    monkeypatch.setattr(sources, "_LEAST_SPLIT_BYTES", min(split_bytes, 4 << 20))
    monkeypatch.setattr(sources, "_LEAST_PART_BYTES", split_bytes)
    stored = analyze(StoredRows(spark, str(folder)), SCHEMA, str(tmp_path / "stored"), NEEDS)
    planned = analyze(spark.read.parquet(str(folder)), SCHEMA, str(tmp_path / "planned"), NEEDS)
    rows = pa.concat_tables([table(count) for count in (3000, 10, 700)])
    few = analyze(rows, SCHEMA, str(tmp_path / "few"), NEEDS)
    assert stored == planned == few
    assert stored.rows == 3710
    for name in ("a", "word", "tags", "ids"):
        words = {Path(found.vocabulary_uri(name)).read_bytes() for found in (stored, planned, few)}
        assert len(words) == 1


def test_every_row_group_belongs_to_one_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pq.write_table(table(3000), tmp_path / "part.parquet", row_group_size=100)
    monkeypatch.setattr(sources, "_SPLIT_BYTES", 7_000)
    monkeypatch.setattr(sources, "_LEAST_SPLIT_BYTES", 7_000)
    monkeypatch.setattr(sources, "_LEAST_PART_BYTES", 7_000)
    splits = sources.file_splits(storage.list_files(str(tmp_path)), cores=2)
    rows = [[group.num_rows for part in split for group in sources._row_groups(part)] for split in splits]
    assert len(splits) > 3
    assert sum(map(sum, rows)) == 3000
    assert sum(map(len, rows)) == 30


def test_splits_are_many_enough_for_the_cores_and_no_smaller_than_worth_it() -> None:
    def sizes(files: list[int], cores: int, part_bytes: int = 0) -> list[int]:
        entries = [storage.FileEntry(f"file-{index}", size << 20) for index, size in enumerate(files)]
        splits = sources.file_splits(entries, cores, part_bytes << 20)
        return [sum(part.stop - part.start for part in split) >> 20 for split in splits]

    assert sizes([60], cores=2) == [16, 16, 16, 12]
    assert sizes([2048], cores=2) == [128] * 16
    assert sizes([2048], cores=16) == [16] * 128
    assert sizes([1] * 8, cores=2) == [4, 4]
    assert sizes([40], cores=2, part_bytes=16) == [16, 16, 8]


def test_a_part_is_read_before_spark_has_said_that_it_was_the_last() -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"id": pa.array([1])})
        pytest.fail("the end was waited for")

    splits = [(sources.ByteRange("a", 0, 1),), (sources.ByteRange("b", 0, 1), sources.ByteRange("c", 0, 1))]
    assert next(sources.parts_of(batches(), splits)).uri == "b"
