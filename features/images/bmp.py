"""Bytes of BMP files to pixels, as a TensorFlow graph.

TensorFlow's own decoder gives the numbers of colours for colours where a file has a palette, reads compressed data as
if it were not, and knows no header of OS/2. What is read, and what is refused, is what `header.read_header` says.
"""

import tensorflow as tf

from emberline.features.images.header import (
    BMP_BITFIELDS,
    BMP_COLOURS,
    BMP_CORE,
    BMP_DEPTHS,
    BMP_MASKS,
    BMP_PALETTES,
    MOST_PIXELS,
)
from emberline.features.little_endian import number


def decode_bmp(content: tf.Tensor) -> tf.Tensor:
    """Decodes one BMP file to uint8 `[height, width, 3]`.

    Args:
        content: string `[]`: a BMP file.
    """
    core = number(content, 14, 4) == BMP_CORE
    width = tf.where(core, number(content, 18, 2), number(content, 18, 4))
    signed = tf.where(core, number(content, 20, 2), number(content, 22, 4))
    height = tf.abs(signed)
    depth = tf.where(core, number(content, 24, 2), number(content, 28, 2))
    packing = tf.where(core, 0, number(content, 30, 4))
    masks = tf.stack([number(content, place, 4) for place in (54, 58, 62)])
    usual = (packing == BMP_BITFIELDS) & (depth == 32) & tf.reduce_all(masks == BMP_MASKS)
    area = tf.cast(width, tf.float64) * tf.cast(height, tf.float64)
    good = ((packing == 0) | usual) & tf.reduce_any(depth == BMP_DEPTHS) & (width > 0) & (height > 0)
    said = f"a BMP is compressed, or of other depths than {', '.join(map(str, BMP_DEPTHS))} bits, or too large"
    with tf.control_dependencies([tf.debugging.Assert(good & (area <= MOST_PIXELS), [said])]):
        stride = (width * depth + 31) // 32 * 4  # rows begin at multiples of four bytes
    begin = number(content, 10, 4)
    complete = tf.debugging.Assert(
        (begin > 0)
        & (
            tf.cast(begin, tf.int64) + tf.cast(stride, tf.int64) * tf.cast(height, tf.int64)
            <= tf.cast(tf.strings.length(content), tf.int64)
        ),
        ["a BMP breaks off"],
    )
    with tf.control_dependencies([complete]):
        data = tf.io.decode_raw(tf.strings.substr(content, begin, stride * height), tf.uint8)
    rows = tf.reshape(data, [height, stride])
    rows = tf.cond(signed > 0, lambda: tf.reverse(rows, [0]), lambda: rows)  # the lowest first, mostly

    def coloured(depth: int) -> tf.Tensor:
        size = depth // 8
        return tf.reshape(rows[:, : width * size], [height, width, size])[..., 2::-1]  # stored as blue, green, red

    def looked_up(depth: int) -> tf.Tensor:
        shifts = tf.constant([*range(8 - depth, -1, -depth)], tf.uint8)  # the first pixel is in the highest bits
        parts = tf.bitwise.right_shift(rows[..., tf.newaxis], shifts) & tf.constant((1 << depth) - 1, tf.uint8)
        places = tf.cast(tf.reshape(parts, [height, -1])[:, :width], tf.int32)
        return tf.gather(_palette(content, core, 1 << depth), places)

    which = tf.argmax(tf.cast(tf.equal(depth, BMP_DEPTHS), tf.int32), output_type=tf.int32)
    cases = [lambda depth=depth: looked_up(depth) for depth in BMP_PALETTES]
    return tf.switch_case(which, cases + [lambda depth=depth: coloured(depth) for depth in BMP_COLOURS])


def _palette(content: tf.Tensor, core: tf.Tensor, most: int) -> tf.Tensor:
    """Colours by number, black where a file has fewer: uint8 `[most, 3]`."""
    size, place = tf.where(core, 3, 4), 14 + number(content, 14, 4)
    told = tf.where(core, 0, number(content, 46, 4))
    count = tf.where((told > 0) & (told <= most), told, most)
    # Behind the last colour the pixels begin.
    count = tf.clip_by_value(count, 0, tf.maximum(number(content, 10, 4) - place, 0) // size)
    data = tf.io.decode_raw(tf.strings.substr(content, place, count * size), tf.uint8)
    colours = tf.reshape(data, [count, size])[:, 2::-1]
    return tf.pad(colours, [[0, most - count], [0, 0]])
