"""A source is listed once, and its digest is that of the list."""

import hashlib
import json
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.pipelines.datasets.raw_source import RawSource
from emberline.pipelines.scoring.raw_rows import read_rows

SCHEMA = Schema((Field("x", "float"),), Label("label"), "key")


def test_the_digest_is_that_of_location_names_and_sizes(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "part").write_bytes(b"12345")
    (tmp_path / "_SUCCESS").touch()
    uri = f"file://{tmp_path}"
    source = RawSource.at(uri)
    listed = [["/_SUCCESS", 0], ["/b/part", 5]]
    assert source.digest == hashlib.sha256(json.dumps([uri, listed]).encode()).hexdigest()
    assert [file.uri for file in source.data_files()] == [f"{uri}/b/part"]
    (tmp_path / "b" / "more").write_bytes(b"1")
    assert RawSource.at(uri).digest != source.digest
    assert len(source.data_files()) == 1, "it was listed before"


def test_a_file_is_its_own_list(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("1,2")
    source = RawSource.at(str(tmp_path / "rows.csv"))
    assert [(file.uri, file.size) for file in source.data_files()] == [(str(tmp_path / "rows.csv"), 3)]


def test_nothing_is_told_when_it_is_read(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="the path does not exist"):
        RawSource.at(str(tmp_path / "gone")).data_files()
    with pytest.raises(BadInputError, match="no file with anything in it"):
        RawSource.at(str(tmp_path)).data_files()


def test_rows_are_read_by_the_same_list(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spark.range(4).selectExpr("double(id) AS x", "string(id) AS key").write.parquet(f"{tmp_path}/rows")
    lists: list[str] = []
    list_files = storage.list_files

    def counted(uri: str, *, recursive: bool = False) -> list[storage.FileEntry]:
        lists.append(uri)
        return list_files(uri, recursive=recursive)

    monkeypatch.setattr(storage, "list_files", counted)
    source = RawSource.at(f"file://{tmp_path}/rows")
    rows = read_rows(spark, source, SCHEMA, ["key"], None, None)
    assert rows.frame.count() == 4
    assert rows.splits
    assert lists == [source.uri]
