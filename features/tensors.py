"""Arrow batches to tensors and back: raw rows on their way into a graph, transformed rows on their way in and out.

Rows of any number of values are lists in Arrow and padded matrices in a graph; no Python code runs per row.
"""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf

from emberline.features.columns.contract import PAD
from emberline.features.errors import BadInputError, nearest
from emberline.features.images.reading import bare_pixels
from emberline.features.schema import Field, Schema, missing_mark

Array = npt.NDArray[Any]

CODES = "{}__places"
"""Name of the tensor of codes that goes with the words of an encoded text field; exported models have such inputs."""


def raw_tensors(batch: pa.RecordBatch, schema: Schema) -> dict[str, tf.Tensor]:
    """Returns the fields of an Arrow batch as the tensors a graph or an exported model takes.

    Args:
        batch: Checked rows; more columns than the schema's are fine.
        schema: The fields to take.

    Raises:
        BadInputError: if a field is not among the batch's columns, or a row of an array has another number of values
            than its shape.
    """
    return {field.name: _raw_tensor(_column(batch, field.name), field) for field in schema.fields}


def encoded_tensors(batch: pa.RecordBatch, schema: Schema, spec: Mapping[str, tf.TensorSpec]) -> dict[str, tf.Tensor]:
    """Returns the same for `TransformGraph.from_encoded`: single texts as their words and codes, images as pixels.

    Args:
        batch: As of `raw_tensors`; numbers of arrays may have any width, dictionaries stay encoded. Images are bare
            pixels where the graph takes those.
        schema: As of `raw_tensors`.
        spec: What the graph takes.

    Raises:
        BadInputError: as `raw_tensors`.
    """
    tensors: dict[str, tf.Tensor] = {}
    for field in schema.fields:
        array = _column(batch, field.name)
        if field.kind == "string" and not field.many:
            words, codes = _encoded(array)
            tensors[field.name], tensors[CODES.format(field.name)] = _words(words), tf.constant(codes)
        elif field.kind == "image" and spec[field.name].dtype == tf.uint8:
            tensors[field.name] = tf.constant(bare_pixels(array, field))
        else:
            tensors[field.name] = _raw_tensor(array, field, np.dtype(spec[field.name].dtype.as_numpy_dtype))
    return tensors


def _column(batch: pa.RecordBatch, name: str) -> pa.Array:
    if name not in batch.schema.names:
        raise BadInputError(f"The rows have no column {name!r}. {nearest(name, batch.schema.names)}")
    return batch.column(name)


def _raw_tensor(array: pa.Array, field: Field, kind: np.dtype[Any] | None = None) -> tf.Tensor:
    """Returns the tensor of a field; of numbers, as `kind`, or as graphs of raw columns take them."""
    if field.is_file:  # hardly ever twice the same: looking for that would only cost
        return _words(array.fill_null(b""))
    if not field.array:
        return tf.constant(_numbers(array, field, kind)) if field.kind != "string" else _texts(array)
    lengths = _numpy(pc.fill_null(pc.list_value_length(array), 0)).astype(np.int64)
    elements = array.flatten()
    if field.many:
        mask = _mask(lengths)
    else:
        size = int(np.prod(field.shape))
        if not np.isin(lengths, (0, size)).all():
            odd = int(lengths[~np.isin(lengths, (0, size))][0])
            raise BadInputError(f"Field {field.name!r} has the shape {field.shape}, {size} values; a row has {odd}.")
        if len(elements) == size * len(lengths):  # every row has them all: nothing to spread
            return tf.constant(_numbers(elements, field, kind).reshape(-1, *field.shape))
        mask = np.repeat(lengths[:, None] > 0, size, axis=1)
    if field.kind == "string":
        return _texts(elements, mask)
    numbers = _spread(_numbers(elements, field, kind), mask, missing_mark(field.kind))
    return tf.constant(numbers.reshape(-1, *field.shape) if field.shape else numbers)


def _mask(lengths: Array) -> Array:
    """Returns where a padded matrix of rows of these lengths has values: bool `[rows, longest]`."""
    longest = int(lengths.max(initial=0))
    mask: Array = np.arange(longest) < lengths[:, None]
    return mask


def _spread(values: Array, mask: Array, mark: Any) -> Array:
    """Returns a matrix with the values where the mask is True, row by row; `mark` elsewhere."""
    matrix = np.full(mask.shape, mark, values.dtype)
    matrix[mask] = values
    return matrix


def _numbers(array: pa.Array, field: Field, kind: np.dtype[Any] | None = None) -> Array:
    if kind is None or array.null_count or not pa.types.is_floating(array.type):
        array = array.cast(pa.int64() if field.kind == "integer" else pa.float64())
    if array.null_count:
        array = pc.fill_null(array, missing_mark(field.kind))
    return _numpy(array).astype(kind, copy=False) if kind else _numpy(array)


def _texts(array: pa.Array, mask: Array | None = None) -> tf.Tensor:
    """Returns texts `[n]`, or spread over the cells of the mask."""
    # Making a TensorFlow string costs far more than gathering one: convert each different text once.
    words, codes = _encoded(array)
    if mask is not None:
        words = pa.concat_arrays([words, pa.array([""], words.type)])
        codes = _spread(codes, mask, len(words) - 1)
    return tf.gather(_words(words), codes)


def _encoded(array: pa.Array) -> tuple[pa.Array, Array]:
    """Returns the different texts of a column, and of each row which one it has; a missing text is `""`."""
    encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    words, codes = encoded.dictionary, _numpy(pc.fill_null(encoded.indices, len(encoded.dictionary)))
    if encoded.null_count:
        words = pa.concat_arrays([words, pa.array([""], words.type)])
    if len(words) > len(codes):  # a dictionary of more rows than these
        mask = np.zeros(len(words), bool)
        mask[codes] = True
        words, codes = words.filter(pa.array(mask)), (np.cumsum(mask) - 1)[codes]
    return words, codes.astype(np.int32, copy=False)


def _words(words: pa.Array) -> tf.Tensor:
    return tf.constant(words.to_numpy(zero_copy_only=False), tf.string, [len(words)])


def stored_array(tensor: tf.Tensor | Array, shape: tuple[int | None, ...]) -> pa.Array:
    """Returns one output of the transform graph as the Arrow column that is stored.

    Args:
        tensor: `[rows, *shape]`, padded for any number of values.
        shape: `stored_shape` of the column.
    """
    values = np.asarray(tensor)
    match shape:
        case ():
            return pa.array(values)
        case (None,):
            known = ~np.isnan(values) if values.dtype.kind == "f" else values != PAD
            # What a column leaves missing inside a row stays in its place.
            lengths = np.max(known * np.arange(1, values.shape[1] + 1), axis=1, initial=0)
            offsets = np.zeros(len(values) + 1, np.int32)
            np.cumsum(lengths, out=offsets[1:])
            flat = values[np.arange(values.shape[1]) < lengths[:, None]]
            return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat))
        case sizes if None not in sizes:
            return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), prod(size or 0 for size in sizes))
    raise BadInputError(f"A stored column has no shape {shape}; expected (), (n,), (None,) or that of an image.")


def stored_tensor(array: pa.Array, shape: Sequence[int] = ()) -> tf.Tensor:
    """Returns the reverse of `stored_array`: what a network takes.

    Args:
        array: The stored column.
        shape: Of one row, where it is not flat: that of an image.
    """
    if pa.types.is_binary(array.type):
        return _decoded(_words(array), shape)
    if pa.types.is_fixed_size_list(array.type):
        return tf.constant(_numpy(array.flatten()).reshape(-1, *(shape or [array.type.list_size])))
    if not pa.types.is_list(array.type):
        return tf.constant(_numpy(array))
    values = _numpy(array.flatten())
    return tf.constant(_spread(values, _mask(_numpy(array.value_lengths())), _pad(values.dtype.kind == "f")))


def padded(value: tf.Tensor | tf.RaggedTensor, shape: Sequence[int] = ()) -> tf.Tensor:
    """Returns what a network takes, from what `read_epoch` yields: rows of many values padded, images that are stored
    as files decoded, all else as it is.

    Args:
        value: A batch of one stored column.
        shape: Of one row, where it is not flat: that of an image.
    """
    if value.dtype == tf.string:
        return _decoded(value, shape)
    if not isinstance(value, tf.RaggedTensor):
        return tf.reshape(value, [-1, *shape]) if shape else value
    return value.to_tensor(pad_of(value))


def padding_mask(value: tf.Tensor) -> tf.Tensor:
    """Returns where a padded batch of rows of many values has none: bool, its shape. A missing number counts as none,
    too.
    """
    return tf.math.is_nan(value) if value.dtype.is_floating else value == PAD


def pad_of(value: tf.Tensor | tf.RaggedTensor) -> int | float:
    """Returns what stands behind the end of rows of many values."""
    return _pad(value.dtype.is_floating)


def _decoded(files: tf.Tensor, shape: Sequence[int]) -> tf.Tensor:
    """Returns images that are stored as files, which all have this shape."""
    from emberline.features.images.decoding import pixels

    height, width, channels = shape
    return pixels(files, (height, width, channels), "stretch")


def _pad(floating: bool) -> int | float:
    return float("nan") if floating else PAD


def _numpy(array: pa.Array) -> Array:
    found: Array = array.to_numpy(zero_copy_only=False)
    return found
