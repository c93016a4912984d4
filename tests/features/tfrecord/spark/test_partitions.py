"""Partition directories: names, types and pruning."""

import datetime
import decimal
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import types as T

from emberline.features import storage
from emberline.features.tfrecord.spark.partitions import (
    DataFile,
    PartitionError,
    cast_value,
    directory,
    infer_type,
    may_match,
    parse_directories,
    partition_schema,
    prune,
)


@given(st.lists(st.tuples(st.text(min_size=1), st.none() | st.text(min_size=1)), min_size=1, max_size=3))
def test_any_text_survives_as_a_directory(pairs):
    names, values = zip(*pairs, strict=True)
    relative = directory(names, values)
    assert relative.count("/") == len(pairs) - 1
    # A value that spells Spark's null directory is read as null, as in Spark.
    expected = tuple((name, None if value == "__HIVE_DEFAULT_PARTITION__" else value) for name, value in pairs)
    assert parse_directories(relative + "/part-0") == expected


def test_values_are_spelled_as_spark_does():
    moment = datetime.datetime(2024, 1, 2, 3, 4, 5, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))
    values = [None, "", True, 7, datetime.date(2024, 1, 2), "a/b=c%", moment]
    assert directory(list("abcdefg"), values).split("/") == [
        "a=__HIVE_DEFAULT_PARTITION__", "b=__HIVE_DEFAULT_PARTITION__", "c=true", "d=7", "e=2024-01-02",
        "f=a%2Fb%3Dc%25", "g=2024-01-02 01%3A04%3A05",
    ]  # fmt: skip


def test_no_value_leads_out_of_the_table():
    """A value becomes part of one component of a path, whatever it is."""
    for value in ("..", "../../etc", "/etc/passwd", "a/../..", "\\..\\x", "."):
        assert "/" not in directory(["day"], [value])
        assert directory(["day"], [value]).startswith("day=")
        assert storage.below("/table", directory(["day", "../x"], [value, value])).startswith("/table/day=")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "-2", None], T.IntegerType()),
        (["1", "3000000000"], T.LongType()),
        (["1", "2.5", "1e3"], T.DoubleType()),
        (["2024-01-02", None], T.DateType()),
        (["2024-01-02", "7"], T.StringType()),
        (["2024-13-02"], T.StringType()),
        (["true"], T.StringType()),
        ([None], T.StringType()),
    ],
)
def test_inferred_types(values, expected):
    assert infer_type(values) == expected


@pytest.mark.parametrize(
    ("raw", "kind", "value"),
    [
        ("7", T.ShortType(), 7),
        ("TRUE", T.BooleanType(), True),
        ("1.50", T.DecimalType(5, 2), decimal.Decimal("1.50")),
        ("2024-01-02 03:04:05", T.TimestampType(), datetime.datetime(2024, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)),
        (None, T.LongType(), None),
    ],
)
def test_cast(raw, kind, value):
    assert cast_value(raw, T.StructField("p", kind)) == value


@pytest.mark.parametrize(("raw", "kind"), [("x", T.LongType()), ("300", T.ByteType()), ("x", T.BinaryType())])
def test_cast_names_the_directory_and_the_type(raw, kind):
    with pytest.raises(PartitionError, match=rf"'?p'?.*{kind.simpleString()}"):
        cast_value(raw, T.StructField("p", kind))


def test_files_must_agree_on_partition_columns():
    files = [DataFile("/t/a=1/x", 1, (("a", "1"),)), DataFile("/t/y", 1)]
    with pytest.raises(PartitionError, match=r"/t/a=1/x.*\['a'\].*/t/y.*\[\]"):
        partition_schema(files)


ROW = {"n": 3, "s": "abc", "none": None, "d": datetime.date(2024, 1, 2)}


@pytest.mark.parametrize(
    ("condition", "truth"),
    [
        (["EqualTo", "n", 3], True),
        (["EqualTo", "none", 3], None),
        (["EqualNullSafe", "none", None], True),
        (["Not", ["EqualTo", "none", 3]], None),  # SQL: NOT unknown is unknown
        (["And", ["EqualTo", "none", 3], ["EqualTo", "n", 4]], False),
        (["And", ["EqualTo", "none", 3], ["EqualTo", "n", 3]], None),
        (["Or", ["EqualTo", "none", 3], ["EqualTo", "n", 3]], True),
        (["Or", ["EqualTo", "none", 3], ["EqualTo", "n", 4]], None),
        (["In", "n", [1, 3]], True),
        (["IsNull", "n"], False),
        (["IsNotNull", "n"], True),
        (["GreaterThan", "d", "2024-01-01"], True),
        (["LessThanOrEqual", "d", "2024-01-01"], False),
        (["StringContains", "s", "bc"], True),
        (["StringStartsWith", "s", "b"], False),
    ],
)
def test_conditions_are_three_valued(condition, truth):
    assert may_match(condition, ROW) is truth


def test_a_condition_on_a_data_column_prunes_nothing():
    files = [DataFile(f"/t/a={i}/x", 1, (("a", str(i)),)) for i in range(3)]
    schema = T.StructType().add("a", "integer").add("x", "long")
    conditions = [["Or", ["EqualTo", "a", 1], ["EqualTo", "x", 5]], ["EqualTo", "x", 5], ["GreaterThan", "a", 0]]
    assert [file.path for file in prune(files, schema, json.dumps(conditions))] == ["/t/a=1/x", "/t/a=2/x"]
