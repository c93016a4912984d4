"""Columns that a schema calls otherwise than the records, which would be null without a word."""

import pathlib
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql.pandas.types import from_arrow_schema

from emberline.features.tfrecord.codec.example import encode_examples
from emberline.features.tfrecord.codec.feature_types import UnsupportedColumnError
from emberline.features.tfrecord.codec.sequence_example import encode_sequence_examples
from emberline.features.tfrecord.spark.options import read_options
from emberline.features.tfrecord.spark.partitions import DataFile
from emberline.features.tfrecord.spark.shard_reader import ShardReader

ROWS = pa.record_batch({"Id": pa.array([1, 2, 3]), "word": pa.array(["a", None, "c"])})
NESTED = pa.record_batch({"Id": pa.array([1, 2]), "steps": pa.array([[[1], [2, 3]], [[4]]])})


def read(folder: pathlib.Path, data: bytes, schema: dict[str, pa.DataType], **options: str) -> list[dict[str, Any]]:
    path = folder / "records.tfrecord"
    path.write_bytes(data)
    arrow = pa.schema(list(schema.items()))
    reader = ShardReader(from_arrow_schema(arrow), arrow, read_options({"batchRows": "2", **options}))
    batches = reader.read([DataFile(str(path), len(data), (), None)])
    return [row for batch in batches for row in batch.to_pylist()]


def test_a_name_that_differs_by_case_only_is_named(tmp_path: pathlib.Path) -> None:
    data = bytes(encode_examples(ROWS))
    with pytest.raises(
        UnsupportedColumnError, match=r"no record has a feature 'id', but 'Id', .*caseSensitive to false"
    ):
        read(tmp_path, data, {"id": pa.int64(), "word": pa.string()})
    assert read(tmp_path, data, {"Id": pa.int64(), "other": pa.string()})[0] == {"Id": 1, "other": None}


def test_case_may_be_passed_over_as_in_sparks_own_readers(tmp_path: pathlib.Path) -> None:
    data = bytes(encode_examples(ROWS))
    found = read(tmp_path, data, {"id": pa.int64(), "WORD": pa.string()}, caseSensitive="false")
    assert found == [{"id": 1, "WORD": "a"}, {"id": 2, "WORD": None}, {"id": 3, "WORD": "c"}]


def test_two_features_that_would_fit_are_refused(tmp_path: pathlib.Path) -> None:
    data = bytes(encode_examples(pa.record_batch({"ID": pa.array([1]), "Id": pa.array([2])})))
    with pytest.raises(UnsupportedColumnError, match="column 'id' fits the features 'ID', 'Id'"):
        read(tmp_path, data, {"id": pa.int64()}, caseSensitive="false")
    assert read(tmp_path, data, {"Id": pa.int64()}, caseSensitive="false") == [{"Id": 2}]


def test_a_feature_list_in_what_is_read_as_examples_is_named(tmp_path: pathlib.Path) -> None:
    data = bytes(encode_sequence_examples(NESTED))
    with pytest.raises(UnsupportedColumnError, match=r"'steps' is a feature list.*recordType SequenceExample"):
        read(tmp_path, data, {"Id": pa.int64(), "steps": pa.list_(pa.int64())})
    with pytest.raises(UnsupportedColumnError, match=r"'steps' .* meets a feature list of that name; declare it as"):
        read(tmp_path, data, {"Id": pa.int64(), "steps": pa.list_(pa.int64())}, recordType="SequenceExample")
    nested = pa.list_(pa.list_(pa.int64()))
    with pytest.raises(UnsupportedColumnError, match="no record has a feature 'Steps', but 'steps'"):
        read(tmp_path, data, {"Steps": nested}, recordType="SequenceExample")
    options = {"recordType": "SequenceExample", "caseSensitive": "false"}
    assert read(tmp_path, data, {"Steps": nested}, **options)[1] == {"Steps": [[4]]}
