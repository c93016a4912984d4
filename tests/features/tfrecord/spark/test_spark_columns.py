"""Columns that do not fit are named with their type before a task starts."""

import pytest
from pyspark.ml.linalg import VectorUDT
from pyspark.sql import types as T

from emberline.features.tfrecord.codec.feature_types import UnsupportedColumnError
from emberline.features.tfrecord.spark.options import TFRecordOptionError, WriteOptions
from emberline.features.tfrecord.spark.spark_columns import check_writable

LONGS = T.ArrayType(T.LongType())


@pytest.mark.parametrize(
    ("kind", "record_type", "says"),
    [
        (T.MapType(T.StringType(), T.LongType()), "Example", "map<string,bigint>"),
        (T.StructType().add("x", "long"), "Example", "struct<x:bigint>"),
        (T.ArrayType(T.StructType().add("x", "long")), "Example", "array<struct<x:bigint>>"),
        (T.DayTimeIntervalType(), "Example", "interval"),
        (T.YearMonthIntervalType(), "Example", "interval"),
        (T.VariantType(), "Example", "variant"),
        (T.NullType(), "Example", "void"),
        (VectorUDT(), "Example", "vector_to_array"),
        (T.ArrayType(LONGS), "Example", "SequenceExample"),
        (T.ArrayType(T.ArrayType(LONGS)), "SequenceExample", "array<array<array<bigint>>>"),
        (T.LongType(), "ByteArray", "int64"),
    ],
)
def test_unsupported_types(kind, record_type, says):
    schema = T.StructType().add("good", "long").add("bad", kind)
    if record_type == "ByteArray":
        schema = T.StructType().add("bad", kind)
    with pytest.raises(UnsupportedColumnError, match=r"bad") as caught:
        check_writable(schema, WriteOptions(record_type=record_type))
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("folders", "says"),
    [
        (("nope",), r"partitionBy names 'nope'"),
        (("list",), r"'list' has type array<bigint>"),
        (("id", "list", "text"), r"'list'"),
        (("id", "text"), None),
    ],
)
def test_partition_columns(folders, says):
    schema = T.StructType().add("id", "long").add("text", "string").add("list", LONGS)
    if says is None:
        check_writable(schema, WriteOptions(partition_by=folders))
        return
    with pytest.raises(TFRecordOptionError, match=says):
        check_writable(schema, WriteOptions(partition_by=folders))


def test_one_column_must_remain():
    with pytest.raises(TFRecordOptionError, match=r"takes all columns"):
        check_writable(T.StructType().add("id", "long"), WriteOptions(partition_by=("id",)))
