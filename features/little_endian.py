"""Numbers in the bytes of files, read in a TensorFlow graph, the smallest byte first as in WAV, BMP, GIF and WebP."""

import tensorflow as tf


def number(content: tf.Tensor, place: tf.Tensor | int, size: int) -> tf.Tensor:
    """Reads a number of up to four bytes: int32, negative where the highest bit of four is set.

    Args:
        content: string `[]`; bytes behind its end are 0.
        place: Of the first byte, not negative.
        size: How many bytes.
    """
    place = tf.minimum(place, tf.strings.length(content))
    digits = tf.cast(tf.io.decode_raw(tf.strings.substr(content, place, size), tf.uint8, fixed_length=size), tf.int32)
    return tf.reduce_sum(tf.bitwise.left_shift(digits, [8 * index for index in range(size)]))
