"""One type for a column of many files: what Spark can hold, and the written rule by which types are widened.

Every type becomes one of: int64, float32, float64, decimal, bool, string, binary, date, timestamp in microseconds (of
an instant or of a wall clock), and lists of those.

| in the files | becomes |
|---|---|
| integers of any width; unsigned ones of 64 bits | int64; decimal(20, 0) |
| float16, float32; float64 | float32; float64 |
| texts, large texts, dictionaries of texts | string |
| nanoseconds, times, intervals | string, as ISO 8601 writes them |
| durations | float64, seconds |
| structures | a column for each field, `structure.field` |

and where files differ:

| types | become |
|---|---|
| nothing and any | any |
| float32, float64 | float64 |
| integers, floats | float64; a row whose integer is none is refused |
| integers, decimals | the decimal that holds both |
| decimals, floats | float64 |
| date, timestamp | timestamp, at midnight |
| lists | the list of what their values become |
| all others | the column is left out, and whoever asks for it is told which files differ |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

MOST_DIGITS = 38


@dataclass(frozen=True)
class Leaf:
    """A column of one file.

    Args:
        path: Its name, and below it those of fields of structures.
        given: Its type there.
    """

    path: tuple[str, ...]
    given: pa.DataType

    @property
    def name(self) -> str:
        """Its name in the table."""
        return ".".join(self.path)


def leaves(schema: pa.Schema) -> list[Leaf]:
    """Returns the columns of a file, structures taken apart."""
    found: list[Leaf] = []

    def walk(path: tuple[str, ...], kind: pa.DataType) -> None:
        if pa.types.is_struct(kind):
            for field in kind:
                walk((*path, field.name), field.type)
        else:
            found.append(Leaf(path, kind))

    for field in schema:
        walk((field.name,), field.type)
    return found


def normal(kind: pa.DataType) -> pa.DataType | None:
    """Returns the type to which values of a type are converted; None for one that no row can hold as a value."""
    types = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    if types.is_dictionary(kind):
        return normal(kind.value_type)
    if types.is_run_end_encoded(kind):
        return normal(kind.value_type)
    if types.is_uint64(kind):
        return pa.decimal128(20, 0)
    if types.is_integer(kind):
        return pa.int64()
    if types.is_float16(kind) or types.is_float32(kind):
        return pa.float32()
    if types.is_float64(kind) or types.is_duration(kind):
        return pa.float64()
    if types.is_decimal(kind):
        return (
            pa.decimal128(kind.precision, kind.scale)
            if 0 <= kind.scale <= kind.precision <= MOST_DIGITS
            else pa.string()
        )
    if types.is_boolean(kind) or types.is_null(kind):
        return kind
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return pa.string()
    if (
        types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_fixed_size_binary(kind)
        or types.is_binary_view(kind)
    ):
        return pa.binary()
    if types.is_date(kind):
        return pa.date32()
    if types.is_timestamp(kind):
        return pa.string() if kind.unit == "ns" else pa.timestamp("us", "UTC" if kind.tz else None)
    if types.is_time(kind) or types.is_interval(kind):
        return pa.string()
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind) or types.is_list_view(kind):
        inner = normal(kind.value_type)
        flat = inner is not None and not (types.is_list(inner) or types.is_struct(inner) or types.is_map(inner))
        return pa.list_(inner) if flat else None
    return None


def widened(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    """Returns the type that holds the values of both, given as `normal` returns them; None if there is none."""
    types = pa.types
    if one == other or types.is_null(other):
        return one
    if types.is_null(one):
        return other
    if types.is_list(one) and types.is_list(other):
        inner = widened(one.value_type, other.value_type)
        return pa.list_(inner) if inner is not None else None
    number = [types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) for kind in (one, other)]
    if all(number):
        if types.is_floating(one) or types.is_floating(other):
            return pa.float64()
        return _decimal(_as_decimal(one), _as_decimal(other))
    if types.is_date(one) and types.is_timestamp(other):
        return other
    if types.is_timestamp(one) and types.is_date(other):
        return one
    return None


def _as_decimal(kind: pa.DataType) -> pa.DataType:
    return kind if pa.types.is_decimal(kind) else pa.decimal128(19, 0)


def _decimal(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    scale = max(one.scale, other.scale)
    digits = scale + max(one.precision - one.scale, other.precision - other.scale)
    return pa.decimal128(digits, scale) if digits <= MOST_DIGITS else None


@dataclass(frozen=True)
class Union:
    """The columns of a table.

    Args:
        types: By name.
        left_out: Names of columns that have no type, with the reason.
        lacking: Names of columns that some files lack, with the first of these.
    """

    types: Mapping[str, pa.DataType]
    left_out: Mapping[str, str]
    lacking: Mapping[str, str]


def union(schemas: Sequence[tuple[str, pa.Schema]]) -> Union:
    """Returns the columns of all files.

    Args:
        schemas: Of each file, with its name.
    """
    types: dict[str, pa.DataType] = {}
    first: dict[str, tuple[str, pa.DataType]] = {}
    left_out: dict[str, str] = {}
    counts: dict[str, int] = {}
    for file, schema in schemas:
        for leaf in leaves(schema):
            name = leaf.name
            counts[name] = counts.get(name, 0) + 1
            kind = normal(leaf.given)
            if kind is None:
                left_out[name] = f"it is of type {leaf.given} in {file!r}: write single values, or lists of them"
                types.setdefault(name, pa.null())
            elif name not in types:
                types[name], first[name] = kind, (file, leaf.given)
            elif (wide := widened(types[name], kind)) is not None:
                if pa.types.is_null(types[name]):
                    first[name] = (file, leaf.given)
                types[name] = wide
            else:
                before, given = first[name]
                left_out.setdefault(
                    name, f"it is {given} in {before!r} and {leaf.given} in {file!r}: write it with one type"
                )
    for name, count in counts.items():
        if count > len(schemas):
            left_out[name] = "a file has it twice: give every column a name of its own"
    lacking = {}
    for name, count in counts.items():
        if count < len(schemas):
            lacking[name] = next(file for file, schema in schemas if name not in {leaf.name for leaf in leaves(schema)})
    kept = {
        name: pa.string() if pa.types.is_null(kind) else pa.list_(pa.string()) if kind == pa.list_(pa.null()) else kind
        for name, kind in types.items()
        if name not in left_out
    }
    return Union(kept, left_out, lacking)


def picked(table: pa.Table | pa.RecordBatch, leaf: Leaf) -> pa.ChunkedArray | pa.Array:
    """Returns the column of a leaf; null where a structure above it is."""
    column = table.column(leaf.path[0])
    for name in leaf.path[1:]:
        column = pc.struct_field(column, name)
    return column


def converted(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    """Converts values to the type of their column; a number that would differ becomes null (`changed` tells)."""
    kind, types = array.type, pa.types
    if isinstance(kind, pa.BaseExtensionType):
        return converted(array.storage, wanted)
    if types.is_dictionary(kind):
        return converted(array.dictionary_decode(), wanted)
    if types.is_run_end_encoded(kind):
        return converted(pc.run_end_decode(array), wanted)
    if kind == wanted:
        return array
    if types.is_list(wanted):
        flat = array.cast(pa.list_(kind.value_type))
        values = converted(flat.values, wanted.value_type)
        return pa.ListArray.from_arrays(flat.offsets, values, mask=flat.is_null() if flat.null_count else None)
    if types.is_duration(kind):
        per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[kind.unit]
        return pc.divide(array.cast(pa.int64()).cast(pa.float64(), safe=False), float(per_second))
    if types.is_string(wanted) and (types.is_timestamp(kind) or types.is_time(kind)):
        return _iso(array)
    if types.is_string(wanted) and types.is_interval(kind):
        return pa.array([None if value is None else _interval(value) for value in array.to_pylist()], pa.string())
    if types.is_string(wanted) and types.is_decimal(kind):
        return pa.array([None if value is None else str(value) for value in array.to_pylist()], pa.string())
    if types.is_float16(kind):
        return pa.array(array.to_numpy(zero_copy_only=False).astype("float32"), pa.float32(), mask=_nulls(array)).cast(
            wanted
        )
    if types.is_timestamp(wanted) and types.is_date(kind):
        return array.cast(pa.timestamp("us")).cast(wanted)
    if types.is_integer(kind) and types.is_floating(wanted):
        return array.cast(wanted, safe=False)
    return array.cast(wanted)


def changed(array: pa.Array, became: pa.Array) -> pa.Array | None:
    """Returns which values are not the same any more; None if all are."""
    if not (pa.types.is_integer(array.type) and pa.types.is_floating(became.type)):
        return None
    back = pc.not_equal(became.cast(pa.decimal128(38, 0), safe=False), array.cast(pa.decimal128(38, 0)))
    return back if pc.any(back).as_py() else None


def _nulls(array: pa.Array) -> object:
    return array.is_null().to_numpy(zero_copy_only=False)


def _iso(array: pa.Array) -> pa.Array:
    """Date and time of day with as many decimals as they need, an instant in UTC."""
    if pa.types.is_timestamp(array.type) and array.type.tz:
        array = array.cast(pa.timestamp(array.type.unit, "UTC")).cast(pa.timestamp(array.type.unit))
    text = array.cast(pa.string())
    text = pc.replace_substring(text, "T", " ")
    text = pc.replace_substring_regex(text, r"(\.\d*?)0+$", r"\1")
    return pc.replace_substring_regex(text, r"\.$", "")


def _interval(value: tuple[int, int, int]) -> str:
    months, days, nanoseconds = value
    seconds = f"{nanoseconds // 10**9}.{nanoseconds % 10**9:09d}".rstrip("0").rstrip(".")
    return f"P{months}M{days}DT{seconds}S"
