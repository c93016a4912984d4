"""Images of an Arrow batch to bare pixels, each by itself: what is wrong with one of them stays its own affair."""

from collections.abc import Callable
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from features.images.header import ImageError, is_file, read_header
from features.schema import Field


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
    import tensorflow as tf

    from features.images.decoding import orientations

    decode = _decoder(field.shape, field.resize)
    turned = orientations(tf.constant(list(contents.values()), tf.string)).numpy()
    for (index, content), orientation in zip(contents.items(), turned, strict=True):
        try:
            header = read_header(content)
            rows[index] = decode(content, orientation).numpy().reshape(-1)
            lying = orientation >= 5
            found.sizes[index] = (header.width, header.height) if lying else (header.height, header.width)
        except ImageError as error:
            found.faults[index] = str(error)
        except tf.errors.OpError as error:  # whatever its decoder did not like
            said = str(error.message).splitlines()[0].replace("'", "’").replace(";", ",")[:120]
            found.faults[index] = f"is damaged: '{said}'"


@lru_cache(maxsize=4)
def _decoder(shape: tuple[int, int, int], resize: str) -> Callable[[bytes, int], Any]:
    """Traced once: Spark's Python workers live on."""
    import tensorflow as tf

    from features.images.decoding import decode

    @tf.function(input_signature=[tf.TensorSpec([], tf.string), tf.TensorSpec([], tf.int32)])
    def one(content: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
        return decode(content, orientation, shape, resize)

    return one


def _as_binary(rows: np.ndarray, good: np.ndarray) -> pa.Array:
    """Rows of bytes as an array that shares their memory."""
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * rows.shape[1]
    bits = None if good.all() else pa.py_buffer(np.packbits(good, bitorder="little"))
    return pa.BinaryArray.from_buffers(
        pa.binary(), len(rows), [bits, pa.py_buffer(offsets), pa.py_buffer(rows)], int(len(good) - good.sum())
    )
