"""How Arrow types map to the three lists of `tf.train.Feature`, and back.

| Arrow | Feature | remark |
|---|---|---|
| bool, int8..int64, uint8..uint64 | int64_list | uint64 beyond 2^63-1 is an error |
| date32, date64 | int64_list | days since 1970-01-01 |
| timestamp | int64_list | microseconds since 1970-01-01 00:00 UTC (without time zone: of the wall clock) |
| float16, float32, float64, decimal | float_list | rounded to float32: the format has nothing wider |
| string, binary, their large, view and fixed-size forms | bytes_list | strings as UTF-8 |
| dictionary of the above | as its values | |
| list, large_list, fixed_size_list of the above | the list with all elements | null elements are an error |
| null value | feature absent | |

Lists of lists fit only into a `SequenceExample`.
"""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

INT64, FLOAT, BYTES = 0, 1, 2
KIND_NAMES = ("int64_list", "float_list", "bytes_list")
_WIRE_TYPES = (pa.int64(), pa.float32(), pa.large_binary())


class UnsupportedColumnError(ValueError):
    """A column whose type or values do not fit into a TFRecord; the message names column and type."""


@dataclass(frozen=True)
class FeatureType:
    """What a column becomes.

    Attributes:
        kind: INT64, FLOAT or BYTES.
        depth: 0 scalar, 1 list, 2 list of lists.
    """

    kind: int
    depth: int


def is_list(kind: pa.DataType) -> bool:
    """Returns whether an Arrow type is one of the list types (maps are not)."""
    return bool(
        pat.is_list(kind)
        or pat.is_large_list(kind)
        or pat.is_fixed_size_list(kind)
        or pat.is_list_view(kind)
        or pat.is_large_list_view(kind)
    )


def leaf_type(kind: pa.DataType) -> pa.DataType:
    """Returns the type inside all lists and dictionaries."""
    while True:
        if is_list(kind) or pat.is_dictionary(kind):
            kind = kind.value_type
        else:
            return kind


def feature_type(name: str, kind: pa.DataType, *, max_depth: int = 1) -> FeatureType:
    """Returns the feature that a column of Arrow type `kind` becomes.

    Raises:
        UnsupportedColumnError: the type has no place in the format.
    """
    depth, inner = 0, kind
    while is_list(inner):
        depth, inner = depth + 1, inner.value_type
    if pat.is_dictionary(inner):
        inner = inner.value_type
    found = None
    if pat.is_boolean(inner) or pat.is_integer(inner) or pat.is_date(inner) or pat.is_timestamp(inner):
        found = INT64
    elif pat.is_floating(inner) or pat.is_decimal(inner):
        found = FLOAT
    elif _is_bytes(inner):
        found = BYTES
    elif pat.is_null(inner):
        found = INT64
    if found is None or depth > max_depth:
        hint = (
            "a list of lists needs recordType SequenceExample"
            if found is not None and depth == 2
            else (
                "supported are boolean, integer, float, decimal, date, timestamp, string, binary and arrays of these; "
                "cast the column or leave it out"
            )
        )
        raise UnsupportedColumnError(f"Column {name!r} of type {kind} does not fit into a TFRecord: {hint}")
    return FeatureType(found, depth)


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(
        pat.is_string(kind)
        or pat.is_large_string(kind)
        or pat.is_binary(kind)
        or pat.is_large_binary(kind)
        or pat.is_string_view(kind)
        or pat.is_binary_view(kind)
        or pat.is_fixed_size_binary(kind)
    )


def to_wire(name: str, array: pa.Array) -> pa.Array:
    """Converts a leaf array to int64, float32, or a binary type with 32- or 64-bit offsets.

    Raises:
        UnsupportedColumnError: a value does not fit.
    """
    original = array.type
    if pat.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = array.type
    try:
        if pat.is_int64(kind) or pat.is_float32(kind):
            return array
        if pat.is_string(kind) or pat.is_binary(kind) or pat.is_large_string(kind) or pat.is_large_binary(kind):
            return array
        if _is_bytes(kind):
            return array.cast(pa.large_string() if pat.is_string_view(kind) else pa.large_binary())
        if pat.is_date(kind):
            return array.cast(pa.date32()).cast(pa.int32()).cast(pa.int64())
        if pat.is_timestamp(kind):
            return array.cast(pa.timestamp("us", kind.tz), safe=False).cast(pa.int64())
        if pat.is_decimal(kind):
            return array.cast(pa.float64()).cast(pa.float32(), safe=False)
        if pat.is_floating(kind):
            return array.cast(pa.float32(), safe=False)
        return array.cast(pa.int64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UnsupportedColumnError(f"Column {name!r} of type {original}: {error}") from error


def from_wire(name: str, array: pa.Array, target: pa.DataType) -> pa.Array:
    """Converts what was decoded (int64, float32 or binary) to the leaf type of the schema.

    Raises:
        UnsupportedColumnError: a value does not fit, for example text that is not UTF-8.
    """
    if array.type == target:
        return array
    try:
        if pat.is_dictionary(target):
            return from_wire(name, array, target.value_type).dictionary_encode().cast(target)
        if pat.is_date(target):
            return array.cast(pa.int32()).cast(pa.date32()).cast(target)
        if pat.is_timestamp(target):
            return array.cast(pa.timestamp("us", target.tz)).cast(target)
        if pat.is_boolean(target):
            return pc.not_equal(array, pa.scalar(0, pa.int64()))
        if pat.is_decimal(target):
            return array.cast(pa.float64()).cast(target)
        return array.cast(target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UnsupportedColumnError(f"Column {name!r} cannot be read as {target}: {error}") from error
