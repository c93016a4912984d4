"""Checks typed rows in Arrow and says which of them it accepts; it is `check_rows` that judges the others.

Both know the same rules, but this one may be in doubt: it never passes a row that `check_rows` rejects, and never
gives a value that `check_rows` does not give. So a table without bad rows is scored in one pass, without a Spark
expression per value.
"""

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from emberline.features.images.header import GIF, JPEG, PNG
from emberline.features.images.reading import read_images
from emberline.features.schema import Field, Schema
from emberline.features.validation.numbers import is_number
from emberline.features.validation.sounds import sound_faults

Accepted = npt.NDArray[np.bool_]


def fits(schema: Schema, types: Mapping[str, pa.DataType]) -> bool:
    """Returns whether rows with columns of these types can be checked here; others have to be converted first."""
    return all(field.name in types and _fits(field, types[field.name]) for field in schema.fields)


def check_batch(batch: pa.RecordBatch, schema: Schema) -> tuple[pa.RecordBatch, Accepted | None]:
    """Returns the values as the model takes them, and which rows are good for sure.

    Args:
        batch: Columns of types that `fits`; more than the schema's are fine and stay as they are.
        schema: The fields and the key. A row without key is in doubt.

    Returns:
        The batch with fields of int64, float64, encoded texts, lists, whose numbers stay as wide as they are, and
        images as pixels; and a bool per row, None when all are accepted.
    """
    accepted = np.ones(batch.num_rows, bool)
    _doubt_nulls(batch.column(schema.key), accepted)
    columns = {name: batch.column(name) for name in batch.schema.names}
    for field in schema.fields:
        columns[field.name] = _checked(columns[field.name], field, accepted)
    checked = pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
    return checked, None if accepted.all() else accepted


def _fits(field: Field, given: pa.DataType) -> bool:
    if field.is_file:
        return bool(field.shape or field.kind == "sound") and bool(
            pa.types.is_binary(given) or pa.types.is_large_binary(given)
        )
    if pa.types.is_list(given) or pa.types.is_large_list(given) or pa.types.is_fixed_size_list(given):
        if not field.array:
            return False
        given = given.value_type
    elif field.array:
        return False
    if pa.types.is_dictionary(given):
        given = given.value_type
    if field.kind == "string":
        return bool(pa.types.is_string(given) or pa.types.is_large_string(given))
    if any(is_number(token) for token in field.missing):
        return False  # a number that stands for no value
    if field.kind == "integer":
        return bool(pa.types.is_signed_integer(given))
    return bool(pa.types.is_signed_integer(given) or pa.types.is_float32(given) or pa.types.is_float64(given))


def _checked(array: pa.Array, field: Field, accepted: Accepted) -> pa.Array:
    """The column as the model takes it; clears `accepted` where it is in doubt."""
    if field.kind == "image":
        return _pixels(array, field, accepted)
    if field.kind == "sound":
        return _sounds(array, field, accepted)
    if not field.array:
        if field.kind == "string":
            return _texts(array, field, accepted)
        numbers = array.cast(pa.int64() if field.kind == "integer" else pa.float64(), safe=False)
        if field.required:
            _doubt_nulls(numbers, accepted)
            if field.kind == "float":
                accepted &= ~np.isnan(_filled(numbers))
        odd = _odd_numbers(numbers, field)
        if odd is not None:
            accepted &= ~odd
        return numbers
    return _lists(array, field, accepted)


def _pixels(array: pa.Array, field: Field, accepted: Accepted) -> pa.Array:
    """Images as bare pixels."""
    array = array.cast(pa.binary())
    if _are_pixels(array, prod(field.shape)):
        return array  # without a look at each
    read = read_images(array, field)
    accepted &= np.array([fault is None for fault in read.faults], bool)
    if field.required:
        accepted &= np.asarray(array.is_valid())
    return read.pixels


def _are_pixels(array: pa.Array, size: int) -> bool:
    """Whether all are there, of this size, and begin like no file."""
    if array.null_count or not pc.all(pc.equal(pc.binary_length(array), size)).as_py():
        return False
    return not any(pc.any(pc.starts_with(array, sign)).as_py() for sign in (PNG, *GIF, JPEG))


def _sounds(array: pa.Array, field: Field, accepted: Accepted) -> pa.Array:
    """Sounds as they are."""
    sounds = array.cast(pa.binary())
    accepted &= np.array([fault is None for fault in sound_faults(sounds)], bool)
    if field.required:
        _doubt_nulls(sounds, accepted)
    return sounds


def _lists(array: pa.Array, field: Field, accepted: Accepted) -> pa.Array:
    kind = array.type.value_type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if field.kind == "string":
        kind = pa.string()
    if not pa.types.is_list(array.type) or array.type.value_type != kind:
        array = array.cast(pa.list_(kind))
    elements = array.flatten()
    lengths = np.asarray(pc.fill_null(pc.list_value_length(array), 0)).astype(np.int64)
    if field.shape:
        accepted &= (lengths == int(np.prod(field.shape))) | (lengths == 0)
    if field.required:
        accepted &= lengths > 0
    if field.kind != "string" and not elements.null_count and _ends_fit(_filled(elements), field, np.min, np.max):
        return array  # NaN would be at both ends
    odd = np.zeros(len(elements), bool)
    if elements.null_count:
        odd |= np.asarray(elements.is_null())
    if field.kind == "string":
        odd |= _odd_words(elements, field)
    else:
        if field.kind == "float":
            odd |= ~np.isfinite(_filled(elements))
        outside = _odd_numbers(elements, field)
        if outside is not None:
            odd |= outside
    if odd.any():
        accepted[np.repeat(np.arange(len(array)), lengths)[odd]] = False
    return array


def _odd_numbers(numbers: pa.Array, field: Field) -> Accepted | None:
    """Which numbers are infinite or out of range; None when none is. Missing ones are not."""
    values = _filled(numbers)
    if _ends_fit(values, field, np.fmin.reduce, np.fmax.reduce):
        return None
    low, high = _range(field)
    return np.asarray((values < low) | (values > high) | np.isinf(values))


def _ends_fit(values: npt.NDArray[Any], field: Field, least: Callable[..., Any], most: Callable[..., Any]) -> bool:
    """Whether a look at both ends is enough: they are finite and in range."""
    if not len(values):
        return True
    low, high = _range(field)
    first, last = least(values), most(values)
    return bool(low <= first and last <= high and np.isfinite(first) and np.isfinite(last))


def _range(field: Field) -> tuple[np.float64, np.float64]:
    """Of 64 bits whatever the numbers have, as `check_rows` compares them."""
    low = field.minimum if field.minimum is not None else -np.inf
    high = field.maximum if field.maximum is not None else np.inf
    return np.float64(low), np.float64(high)


def _texts(array: pa.Array, field: Field, accepted: Accepted) -> pa.Array:
    """Texts encoded, without blanks around them, a missing one null or empty."""
    encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    given = encoded.dictionary.cast(pa.string())
    words = pc.utf8_trim(given, characters=" ")
    if field.missing:
        words = pc.if_else(pc.is_in(words, value_set=pa.array(field.missing)), "", words)
    absent = np.asarray(pc.equal(words, ""))
    bad = absent & field.required
    if field.allowed:
        bad |= ~np.asarray(pc.is_in(words, value_set=pa.array(field.allowed))) & ~absent
    if field.required:
        _doubt_nulls(encoded.indices, accepted)
    if bad.any():
        codes = pc.fill_null(encoded.indices, 0).to_numpy(zero_copy_only=False)
        accepted &= ~bad[codes] | np.asarray(encoded.indices.is_null())
    return pa.DictionaryArray.from_arrays(encoded.indices, words)


def _odd_words(elements: pa.Array, field: Field) -> Accepted:
    """Which texts of a list `check_rows` would change, or reject."""
    odd = pc.or_(pc.not_equal(elements, pc.utf8_trim(elements, characters=" ")), pc.equal(elements, ""))
    if field.missing:
        odd = pc.or_(odd, pc.is_in(elements, value_set=pa.array(field.missing)))
    if field.allowed:
        odd = pc.or_(odd, pc.invert(pc.is_in(elements, value_set=pa.array(field.allowed))))
    return np.asarray(pc.fill_null(odd, True))


def _doubt_nulls(array: pa.Array, accepted: Accepted) -> None:
    if array.null_count:
        accepted &= np.asarray(array.is_valid())


def _filled(numbers: pa.Array) -> npt.NDArray[Any]:
    """As they are, or as floats with NaN for null."""
    if not numbers.null_count:
        return np.asarray(numbers)
    return np.asarray(pc.fill_null(numbers.cast(pa.float64(), safe=False), float("nan")))
