"""The written rule by which types of many files become one."""

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest

from emberline.pipelines.datasets.readers.tables.column_types import converted, leaves, normal, picked, union, widened

UTC_TIME, WALL_TIME = pa.timestamp("us", "UTC"), pa.timestamp("us")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (pa.int8(), pa.int64()), (pa.uint32(), pa.int64()), (pa.uint64(), pa.decimal128(20, 0)),
        (pa.float16(), pa.float32()), (pa.float64(), pa.float64()), (pa.large_string(), pa.string()),
        (pa.dictionary(pa.int8(), pa.large_string()), pa.string()), (pa.timestamp("ns"), pa.string()),
        (pa.timestamp("ms", "Europe/Berlin"), UTC_TIME), (pa.timestamp("s"), WALL_TIME), (pa.time64("us"), pa.string()),
        (pa.duration("ns"), pa.float64()), (pa.date64(), pa.date32()), (pa.binary(16), pa.binary()),
        (pa.list_(pa.int8(), 3), pa.list_(pa.int64())), (pa.map_(pa.string(), pa.int8()), None),
        (pa.list_(pa.list_(pa.int8())), None), (pa.decimal256(50, 2), pa.string()),
        (pa.month_day_nano_interval(), pa.string()),
    ],
)  # fmt: skip
def test_a_type_becomes_one_that_spark_holds(given: pa.DataType, wanted: pa.DataType | None) -> None:
    assert normal(given) == wanted


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        (pa.null(), pa.string(), pa.string()), (pa.int64(), pa.float64(), pa.float64()),
        (pa.float32(), pa.float64(), pa.float64()), (pa.int64(), pa.decimal128(20, 0), pa.decimal128(20, 0)),
        (pa.decimal128(10, 4), pa.decimal128(12, 2), pa.decimal128(14, 4)), (pa.date32(), WALL_TIME, WALL_TIME),
        (pa.list_(pa.int64()), pa.list_(pa.null()), pa.list_(pa.int64())), (WALL_TIME, UTC_TIME, None),
        (pa.string(), pa.int64(), None), (pa.bool_(), pa.int64(), None), (pa.date32(), pa.string(), None),
    ],
)  # fmt: skip
def test_two_types_become_one_or_none(one: pa.DataType, other: pa.DataType, wanted: pa.DataType | None) -> None:
    assert widened(one, other) == wanted
    assert widened(other, one) == wanted


def test_files_of_other_columns_and_types() -> None:
    found = union(
        [
            ("a", pa.schema({"id": pa.int32(), "x": pa.int64(), "when": pa.string()})),
            ("b", pa.schema({"x": pa.float64(), "id": pa.int64(), "when": pa.date32(), "new": pa.bool_()})),
        ]
    )
    assert found.types == {"id": pa.int64(), "x": pa.float64(), "new": pa.bool_()}
    assert found.lacking == {"new": "a"}
    assert found.left_out == {"when": "it is string in 'a' and date32[day] in 'b': write it with one type"}


def test_values_in_their_columns_types() -> None:
    def value(array: pa.Array, wanted: pa.DataType) -> object:
        return converted(array, wanted).to_pylist()

    nanoseconds = pa.array([1_700_000_000_000_000_001, 1_700_000_000_500_000_000, 0, None], pa.timestamp("ns"))
    assert value(nanoseconds, pa.string()) == [
        "2023-11-14 22:13:20.000000001",
        "2023-11-14 22:13:20.5",
        "1970-01-01 00:00:00",
        None,
    ]
    berlin = pa.array([0], pa.timestamp("ns", "Europe/Berlin"))
    assert value(berlin, pa.string()) == ["1970-01-01 00:00:00"]
    assert value(pa.array([dt.time(1, 2, 3), None]), pa.string()) == ["01:02:03", None]
    assert value(pa.array([1_500_000_000, None], pa.duration("ns")), pa.float64()) == [1.5, None]
    assert value(pa.array([2**64 - 1], pa.uint64()), pa.decimal128(20, 0)) == [Decimal(2**64 - 1)]
    assert value(pa.array(["a", None, "a"]).dictionary_encode(), pa.string()) == ["a", None, "a"]
    assert value(pa.array([[1, None], None, []], pa.list_(pa.int8())), pa.list_(pa.int64())) == [[1, None], None, []]
    assert value(pa.array([dt.date(2020, 1, 2)]), UTC_TIME) == [dt.datetime(2020, 1, 2, tzinfo=dt.UTC)]


def test_structures_are_taken_apart() -> None:
    table = pa.table({"place": [{"town": "Ulm", "at": {"x": 1}}, None, {"town": None, "at": None}], "y": [1, 2, 3]})
    found = {leaf.name: picked(table, leaf).to_pylist() for leaf in leaves(table.schema)}
    assert found == {"place.town": ["Ulm", None, None], "place.at.x": [1, None, None], "y": [1, 2, 3]}
