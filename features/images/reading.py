"""Images of an Arrow batch to bare pixels, each by itself: a damaged one does not affect the others."""

from collections.abc import Callable
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from emberline.features.errors import BadInputError
from emberline.features.images.header import ImageError, is_file, read_header
from emberline.features.light_tensorflow import import_tensorflow
from emberline.features.python_worker import keep_out_of_collections, keep_to_own_cores
from emberline.features.schema import Field

if TYPE_CHECKING:
    import tensorflow as tf

AT_ONCE = 32
"""Files that are decoded together: if one of them is damaged, some are decoded twice."""


class Read(NamedTuple):
    """What became of the images of a batch.

    Args:
        pixels: Of each the bytes of its pixels, null where it is missing or cannot be read.
        faults: What is wrong with each, or None.
        sizes: Height and width of each before it was fitted, None where there is no image.
    """

    pixels: pa.Array
    faults: list[str | None]
    sizes: list[tuple[int, int] | None]


def read_images(array: pa.Array, field: Field) -> Read:
    """Decodes, turns upright, fits.

    Args:
        array: Binary: files, bare pixels of the field's shape, nulls.
        field: An image with a shape.
    """
    size = prod(field.shape)
    rows, faults, sizes = np.empty((len(array), size), np.uint8), [None] * len(array), [None] * len(array)
    found = Read(array, faults, sizes)  # type: ignore[arg-type]
    good = np.asarray(array.is_valid()).copy()
    contents: dict[int, bytes] = {}
    for index in np.flatnonzero(good).tolist():
        content = array[index].as_py()
        if len(content) == size and not is_file(content):
            rows[index] = np.frombuffer(content, np.uint8)
            found.sizes[index] = (field.shape[0], field.shape[1])
        else:
            contents[index] = content
    if contents:
        _decode(contents, field, rows, found)
    good &= np.array([fault is None for fault in found.faults], bool)
    return found._replace(pixels=_as_binary(rows, good))


def _decode(contents: dict[int, bytes], field: Field, rows: np.ndarray, found: Read) -> None:
    """Fills in the rows of files, and the faults of those that are damaged."""
    sound: list[int] = []
    for index, content in contents.items():
        try:
            header = read_header(content)
            found.sizes[index] = (header.height, header.width)
            sound.append(index)
        except ImageError as error:
            found.faults[index] = str(error)
    if not sound:
        return
    decode = _decoder(field.shape, field.resize)  # type: ignore[arg-type]
    for start in range(0, len(sound), AT_ONCE):
        _decode_some(decode, sound[start : start + AT_ONCE], contents, rows, found)


def _decode_some(
    decode: Callable[[Any], Any], some: list[int], contents: dict[int, bytes], rows: np.ndarray, found: Read
) -> None:
    """Decodes all at once, which is quickest; where that fails, halves, down to the files that are damaged."""
    import tensorflow as tf

    try:
        pixels, turned = decode(tf.constant([contents[index] for index in some]))
        rows[some] = pixels.numpy().reshape(len(some), -1)
        for index, orientation in zip(some, turned.numpy().tolist(), strict=True):
            if orientation >= 5:
                height, width = found.sizes[index] or (0, 0)
                found.sizes[index] = (width, height)
    except tf.errors.OpError as error:  # whatever a decoder did not like
        if len(some) == 1:
            found.faults[some[0]], found.sizes[some[0]] = f"is damaged: '{_said(error)}'", None
            return
        middle = len(some) // 2
        for half in (some[:middle], some[middle:]):
            _decode_some(decode, half, contents, rows, found)


def _said(error: "tf.errors.OpError") -> str:
    """Returns what a decoder said, without TensorFlow's account of where it said it."""
    lines = str(error.message).partition("\n\t [[")[0].strip().splitlines()
    return (lines[-1] if lines else "").replace("'", "’").replace(";", ",")[:120]


@lru_cache(maxsize=4)
def _decoder(shape: tuple[int, int, int], resize: str) -> Callable[[Any], Any]:
    """Returns the transform graph's own decoding, and how images were turned, traced once: Spark's Python workers live
    on.
    """
    import_tensorflow()
    import tensorflow as tf

    from emberline.features.images.decoding import orientations, pixels

    keep_to_own_cores()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def decode(contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return pixels(contents, shape, resize), orientations(contents)

    keep_out_of_collections()
    return decode


def _as_binary(rows: np.ndarray, good: np.ndarray) -> pa.Array:
    """Returns rows of bytes as an array that shares their memory."""
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * rows.shape[1]
    bits = None if good.all() else pa.py_buffer(np.packbits(good, bitorder="little"))
    return pa.BinaryArray.from_buffers(
        pa.binary(), len(rows), [bits, pa.py_buffer(offsets), pa.py_buffer(rows)], int(len(good) - good.sum())
    )


def bare_pixels(array: pa.Array, field: Field) -> np.ndarray:
    """Returns what `read_images` made of a column, in the same memory.

    Args:
        array: Binary: bare pixels, nulls.
        field: An image with a shape.

    Returns:
        uint8 `[rows, height, width, channels]`; a missing image is black.

    Raises:
        BadInputError: if a row is not as long as pixels of this shape are.
    """
    size = prod(field.shape)
    array = array.cast(pa.large_binary())
    _, ends, data = array.buffers()
    offsets = np.frombuffer(ends, np.int64)[array.offset : array.offset + len(array) + 1]
    lengths = np.diff(offsets) * np.asarray(array.is_valid())
    mask = lengths > 0
    if (lengths[mask] != size).any():
        odd = int(lengths[mask & (lengths != size)][0])
        raise BadInputError(f"Field {field.name!r} has the shape {field.shape}, {size} bytes; a row has {odd}.")
    stored = np.frombuffer(data or b"", np.uint8)
    if mask.all():
        return stored[offsets[0] : offsets[-1]].reshape(-1, *field.shape)
    rows = np.zeros((len(array), size), np.uint8)
    for row, start in zip(np.flatnonzero(mask).tolist(), offsets[:-1][mask].tolist(), strict=True):
        rows[row] = stored[start : start + size]
    return rows.reshape(-1, *field.shape)
