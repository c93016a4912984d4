"""Declared schedules in a graph; the closed forms stand in `emberline.pipelines.recipe.schedule`."""

import math

import tensorflow as tf

from emberline.pipelines.recipe import Schedule


def factor(schedule: Schedule, step: tf.Tensor, total_steps: int, epochs: int = 1) -> tf.Tensor:
    """Returns what the learning rate is multiplied by.

    Args:
        schedule: As declared.
        step: Steps done, a scalar of any number type.
        total_steps: Steps of the whole training.
        epochs: Of the whole training, all of as many steps.

    Returns:
        float32 scalar.

    Example:
        >>> from emberline.pipelines.recipe import Schedule
        >>> float(factor(Schedule("exponential", steps=10, factor=0.5), tf.constant(20), total_steps=100))
        0.25
    """
    if schedule.kind == "epochs":
        done = tf.cast(step, tf.int64) * epochs // max(total_steps, 1)
        return tf.pow(schedule.factor, tf.cast(tf.maximum(done + 1 - schedule.held, 0), tf.float32))
    warmup = schedule.warmup_steps
    done = tf.maximum(tf.cast(step, tf.float32) - warmup, 0.0)
    length = schedule.steps or max(total_steps - warmup, 1)
    after = _curve(schedule, done, float(length))
    return after if not warmup else after * tf.minimum(tf.cast(step, tf.float32) / warmup, 1.0)


def _curve(schedule: Schedule, done: tf.Tensor, length: float) -> tf.Tensor:
    part = tf.minimum(done / length, 1.0)
    match schedule.kind:
        case "constant":
            return tf.ones([])
        case "exponential":
            return schedule.factor ** (done / length)
        case "staircase":
            return schedule.factor ** tf.floor(done / length)
        case "piecewise":
            passed = tf.reduce_sum(tf.cast(tf.constant(schedule.boundaries, tf.float32) < done, tf.int32))
            return tf.constant(schedule.factors, tf.float32)[passed]
        case "cosine":
            return schedule.end + (1 - schedule.end) * 0.5 * (1 + tf.cos(math.pi * part))
        case "polynomial":
            return schedule.end + (1 - schedule.end) * (1 - part) ** schedule.power
