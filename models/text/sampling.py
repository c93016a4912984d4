"""Words drawn at random in place of all words: log-uniform, so that frequent ones come often."""

import math

import tensorflow as tf


def drawn(shape: tuple[int | tf.Tensor, ...], size: int, seed: tf.Tensor) -> tf.Tensor:
    """Returns ids, int64; k of V comes with probability log((k + 2) / (k + 1)) / log(V + 1), and may come again.

    Args:
        shape: How many.
        size: V, the number of words, by falling frequency.
        seed: Two integers.
    """
    uniform = tf.random.stateless_uniform(shape, seed)
    # The inverse of the distribution function log(k + 1) / log(V + 1).
    ids = tf.cast(tf.exp(uniform * math.log(size + 1)), tf.int64) - 1
    return tf.clip_by_value(ids, 0, size - 1)


def expected(ids: tf.Tensor, size: int, draws: int) -> tf.Tensor:
    """Returns the logarithm of the expected number of draws of each of `ids`."""
    place = tf.cast(ids, tf.float32)
    return tf.math.log(tf.math.log((place + 2) / (place + 1)) * (draws / math.log(size + 1)))
