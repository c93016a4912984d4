"""Hive-style partition directories: how values become directory names, how they are found again, and pruning.

`day=2024-01-02/country=DE/part-00000-of-00004.tfrecord`: a partition column is written as a directory, not as a
feature. Names follow Spark (`ExternalCatalogUtils.escapePathName`), so Spark's Parquet reader and ours
agree on every directory.
"""

import datetime
import decimal
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import types as T

from emberline.features.errors import BadInputError

NULL_DIRECTORY = "__HIVE_DEFAULT_PARTITION__"
_UNSAFE = re.compile(r"[\x00-\x1f\"#%'*/:=?\\\x7f{\[\]^]")


class PartitionError(BadInputError):
    """Directories that do not form one consistent set of partitions."""


@dataclass(frozen=True)
class DataFile:
    """One file to read.

    Args:
        path: What the storage layer opens.
        size: Bytes.
        values: Raw directory values per partition column, None for a null, in directory order.
        expected: Records that the manifest promises, or None where no manifest names the file.
    """

    path: str
    size: int
    values: tuple[tuple[str, str | None], ...] = ()
    expected: int | None = None


def directory(names: Sequence[str], values: Sequence[Any]) -> str:
    """Returns the relative directory of one combination of partition values, such as `day=2024-01-02/country=DE`."""
    return "/".join(f"{_escape(name)}={_escape(_text(value))}" for name, value in zip(names, values, strict=True))


def _escape(text: str) -> str:
    return _UNSAFE.sub(lambda match: f"%{ord(match.group()):02X}", text)


def _unescape(text: str) -> str:
    return re.sub("%([0-9A-Fa-f]{2})", lambda match: chr(int(match.group(1), 16)), text)


def _text(value: Any) -> str:
    # Spark writes the empty string as null too: a directory needs a name.
    if value is None or value == "":
        return NULL_DIRECTORY
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime.datetime):
        # In UTC whatever the session's time zone is, so that the directory means the same to every reader.
        moment = value.astimezone(datetime.UTC) if value.tzinfo else value
        return moment.replace(tzinfo=None).isoformat(" ")
    return str(value)


def parse_directories(relative: str) -> tuple[tuple[str, str | None], ...]:
    """Returns the partition columns and raw values in a relative path such as `day=2024-01-02/part-0.tfrecord`."""
    found = []
    for segment in relative.split("/")[:-1]:
        name, equals, value = segment.partition("=")
        if equals and name:
            found.append((_unescape(name), None if value == NULL_DIRECTORY else _unescape(value)))
    return tuple(found)


def _whole(bits: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]+", text) or not -(1 << bits - 1) <= int(text) < 1 << bits - 1:
            raise ValueError(text)
        return int(text)

    return parse


def _date(text: str) -> datetime.date:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        raise ValueError(text)
    return datetime.date.fromisoformat(text)


def _moment(text: str) -> datetime.datetime:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?", text):
        raise ValueError(text)
    return datetime.datetime.fromisoformat(text)


def _number(text: str) -> float:
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        raise ValueError(text)
    return float(text)


# In the order that inference tries them; a column of directories gets the first type that fits every value.
_GUESSES: tuple[tuple[T.DataType, Callable[[str], Any]], ...] = (
    (T.IntegerType(), _whole(32)),
    (T.LongType(), _whole(64)),
    (T.DoubleType(), _number),
    (T.DateType(), _date),
)


def infer_type(values: Iterable[str | None]) -> T.DataType:
    """Returns the Spark type of a partition column: int, long, double or date when every value fits, else string."""
    present = [value for value in values if value is not None]
    for data_type, parse in _GUESSES:
        try:
            if present and all(parse(value) is not None for value in present):
                return data_type
        except ValueError:
            continue
    return T.StringType()


def cast_value(raw: str | None, field: T.StructField) -> Any:
    """Converts a raw directory value to the Python value of a column.

    Raises:
        PartitionError: The value does not fit the column's type.
    """
    if raw is None:
        return None
    parsers: dict[type[T.DataType], Callable[[str], Any]] = {
        T.StringType: str,
        T.ByteType: _whole(8),
        T.ShortType: _whole(16),
        T.IntegerType: _whole(32),
        T.LongType: _whole(64),
        T.FloatType: _number,
        T.DoubleType: _number,
        T.DecimalType: decimal.Decimal,
        T.DateType: _date,
        T.TimestampType: lambda text: _moment(text).replace(tzinfo=datetime.UTC),
        T.TimestampNTZType: _moment,
        T.BooleanType: lambda text: {"true": True, "false": False}[text.lower()],
    }
    parse = parsers.get(type(field.dataType))
    if parse is None:
        raise PartitionError(
            f"Partition column {field.name!r} has type {field.dataType.simpleString()}, which cannot be a directory "
            "name. Partition by a string, whole number, float, decimal, boolean, date or timestamp."
        )
    try:
        return parse(raw)
    except (ValueError, KeyError, decimal.InvalidOperation):
        raise PartitionError(
            f"Directory value {field.name}={raw!r} is not of type {field.dataType.simpleString()}. "
            "Declare the column with a type that fits every directory, such as string."
        ) from None


def partition_schema(files: Sequence[DataFile], infer: bool = True) -> T.StructType:
    """Returns the partition columns of a set of files.

    Raises:
        PartitionError: The files do not agree on the columns, so a row would miss a value.
    """
    layouts = {tuple(name for name, _ in file.values): file.path for file in files}
    if len(layouts) > 1:
        (one, first), (two, second) = list(layouts.items())[:2]
        raise PartitionError(
            f"The files do not agree on partition columns: {first!r} has {list(one)}, {second!r} has {list(two)}. "
            "Load directories of one layout, or set the option basePath to the root of the table."
        )
    names = next(iter(layouts), ())
    columns = [[file.values[i][1] for file in files] for i in range(len(names))]
    types = [infer_type(column) if infer else T.StringType() for column in columns]
    return T.StructType([T.StructField(name, kind) for name, kind in zip(names, types, strict=True)])


def may_match(condition: list[Any], row: dict[str, Any]) -> bool | None:
    """Returns the three-valued truth of a pushed condition on one directory: True, False, or None for SQL's unknown.

    Args:
        condition: `[name of the Spark filter, column, value]`, or `["And" | "Or" | "Not", children...]`. Dates are
            ISO text (see `emberline.features.tfrecord.spark.pushdown`).
        row: Partition values by column.
    """
    kind, *rest = condition
    if kind == "Not":
        truth = may_match(rest[0], row)
        return None if truth is None else not truth
    if kind in ("And", "Or"):
        left, right = may_match(rest[0], row), may_match(rest[1], row)
        decisive = kind == "Or"
        if decisive in (left, right):
            return decisive
        return None if None in (left, right) else not decisive
    value, operand = row[rest[0]], rest[1] if len(rest) > 1 else None
    if isinstance(value, datetime.date):
        value = value.isoformat()
    if kind in ("IsNull", "IsNotNull"):
        return (value is None) == (kind == "IsNull")
    if kind == "EqualNullSafe":
        return value == operand
    if value is None or operand is None:
        return None
    if kind == "In":
        return value in operand
    return _COMPARE[kind](value, operand)


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "EqualTo": lambda a, b: a == b,
    "GreaterThan": lambda a, b: a > b,
    "GreaterThanOrEqual": lambda a, b: a >= b,
    "LessThan": lambda a, b: a < b,
    "LessThanOrEqual": lambda a, b: a <= b,
    "StringStartsWith": lambda a, b: a.startswith(b),
    "StringEndsWith": lambda a, b: a.endswith(b),
    "StringContains": lambda a, b: b in a,
}
PUSHABLE = frozenset(_COMPARE) | {"And", "Or", "Not", "IsNull", "IsNotNull", "EqualNullSafe", "In"}


def _columns(condition: list[Any]) -> set[str]:
    if condition[0] in ("And", "Or", "Not"):
        return set().union(*(_columns(child) for child in condition[1:]))
    return {condition[1]}


def prune(files: Sequence[DataFile], schema: T.StructType, filters: str) -> list[DataFile]:
    """Returns the files whose directories may hold matching rows.

    Args:
        files: All files.
        schema: Types of the columns, by name.
        filters: JSON list of conditions, all of which must hold. Those that name a column which is no partition
            column of a file prune nothing: Spark evaluates every condition again, row by row.
    """
    conditions = json.loads(filters)
    if not conditions:
        return list(files)
    kept = []
    for file in files:
        row = {name: cast_value(raw, schema[name]) for name, raw in file.values if name in schema.names}
        if all(may_match(condition, row) for condition in conditions if _columns(condition) <= set(row)):
            kept.append(file)
    return kept
