"""Schedules against Keras' own, and against their closed forms where Keras has none."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from emberline.features.errors import BadInputError
from emberline.pipelines.recipe import Schedule
from emberline.pipelines.training.step.learning_rate import factor

TOTAL, RATE = 100, 0.8
KERAS = keras.optimizers.schedules
SAME_AS_KERAS = [
    (Schedule("cosine"), KERAS.CosineDecay(RATE, TOTAL)),
    (Schedule("cosine", steps=40, end=0.1), KERAS.CosineDecay(RATE, 40, alpha=0.1)),
    (Schedule("exponential", steps=7, factor=0.9), KERAS.ExponentialDecay(RATE, 7, 0.9)),
    (Schedule("staircase", steps=7, factor=0.9), KERAS.ExponentialDecay(RATE, 7, 0.9, staircase=True)),
    (Schedule("polynomial", power=2.0, end=0.25), KERAS.PolynomialDecay(RATE, TOTAL, RATE * 0.25, power=2.0)),
    (
        Schedule("piecewise", boundaries=(10, 50), factors=(1.0, 0.5, 0.1)),
        KERAS.PiecewiseConstantDecay([10, 50], [RATE, RATE * 0.5, RATE * 0.1]),
    ),
]


def rates(schedule: Schedule, steps: range) -> np.ndarray:
    return np.array([RATE * float(factor(schedule, tf.constant(step, tf.int64), TOTAL)) for step in steps])


@pytest.mark.parametrize(("schedule", "keras_schedule"), SAME_AS_KERAS, ids=lambda value: str(value)[:30])
def test_it_is_keras_schedule(schedule: Schedule, keras_schedule: KERAS.LearningRateSchedule) -> None:
    expected = [float(keras_schedule(tf.constant(step, tf.int64))) for step in range(TOTAL + 20)]
    np.testing.assert_allclose(rates(schedule, range(TOTAL + 20)), expected, rtol=1e-5, atol=1e-8)


def test_the_books_rate_falls_smoothly_by_a_hundredth_per_550_steps() -> None:
    """0.8 x 0.99 ^ (step / 550), the rate of the MNIST network with moving averages."""
    schedule = Schedule("exponential", steps=550, factor=0.99)
    steps = (0, 275, 550, 5500)
    found = [RATE * float(factor(schedule, tf.constant(step), 30_000)) for step in steps]
    np.testing.assert_allclose(found, [0.8, 0.8 * 0.99**0.5, 0.792, 0.8 * 0.99**10], rtol=1e-6)


def test_a_warm_up_stands_in_front_of_any_schedule() -> None:
    found = rates(Schedule("cosine", warmup_steps=10), range(TOTAL + 1))
    np.testing.assert_allclose(found[:10], RATE * np.arange(10) / 10, rtol=1e-6)
    shifted = [float(KERAS.CosineDecay(RATE, 90)(step)) for step in range(91)]
    np.testing.assert_allclose(found[10:], shifted, rtol=1e-5, atol=1e-8)


def test_what_cannot_be_a_schedule_is_refused() -> None:
    with pytest.raises(BadInputError, match="2 boundaries and 2 factors: expected one factor more"):
        Schedule("piecewise", boundaries=(1, 2), factors=(1.0, 0.5))
    with pytest.raises(BadInputError, match="do not rise"):
        Schedule("piecewise", boundaries=(2, 1), factors=(1.0, 0.5, 0.1))
    with pytest.raises(BadInputError, match="warmup_steps=-1"):
        Schedule(warmup_steps=-1)
