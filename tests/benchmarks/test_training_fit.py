"""Both clocks of the benchmark against `fit` count an epoch's steps with their rows, and nothing else."""

import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.training_cnn import Rows, build, pictures, recipe, version
from benchmarks.training_fit import FitClock, LoopClock
from emberline.pipelines.training.loop import Loop

STEPS, STEP_DELAY, PAUSE = 4, 0.1, 5.0


def slow_rows() -> tf.data.Dataset:
    """Batches of which each takes a tenth of a second to make."""

    def late(label: np.ndarray) -> np.ndarray:
        time.sleep(STEP_DELAY)
        return label

    def wait(rows: Any, label: tf.Tensor) -> Any:
        waited = tf.numpy_function(late, [label], tf.float32)
        waited.set_shape(label.shape)
        return rows, waited

    return pictures(8, STEPS).map(wait)


def test_the_clock_of_the_loop_counts_rows_and_no_evaluation(tmp_path: Path) -> None:
    clock, seconds = LoopClock(), []

    def end() -> None:
        seconds.append(clock.seconds)
        time.sleep(PAUSE)

    rows = Rows(lambda _: clock.started(slow_rows()), STEPS, pictures(8, 1), end)
    Loop(recipe(1, 8, 2), version(), str(tmp_path), tf.distribute.get_strategy(), 0, clock.hear, rows).run()
    assert len(seconds) == 2
    assert STEPS * STEP_DELAY <= seconds[1] < PAUSE, "of the first, the pause would be in the second"


def test_the_clock_of_fit_counts_rows_and_no_pause() -> None:
    settings = recipe(1, 8, 1)
    model = build(settings.model, {})
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    seconds = []
    for _ in range(2):
        clock = FitClock()
        model.fit(slow_rows(), verbose=0, callbacks=[clock])
        seconds.append(clock.seconds)
        time.sleep(PAUSE)
    assert STEPS * STEP_DELAY <= seconds[1] < PAUSE


@pytest.mark.parametrize("event", ["start", "epoch", "note"])
def test_only_steps_end_the_count_of_the_loop(event: str) -> None:
    clock = LoopClock()
    clock.started(pictures(8, 1))
    clock.hear({"event": event})
    assert clock.seconds == 0.0
