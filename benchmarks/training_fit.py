"""Our loop on one worker against `keras.Model.fit`: the same network, optimizer, loss and rows, in one process.

After every epoch of the loop, which evaluates then, the opponent trains one of its own on the same batches. A CNN on
pictures, where the step is all, and wide & deep on census rows from TFRecords, where everything around it counts.

Both sides get an epoch's batches as a `tf.data.Dataset` that is ready, and both clocks run from there to the end of the
last step: the iterator, the wait for the first batch, and the steps. That is what `fit` does between its own callbacks
`on_epoch_begin` and `on_epoch_end`, so what a call of `fit` costs around its epochs does not count. The loop begins the
rows of its next epoch while it evaluates where they lie in shards, a head start that is taken from it here; evaluation,
checkpoints and reports between epochs count on neither side.
"""

import dataclasses
import gc
import tempfile
import time
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from benchmarks import training_cnn
from benchmarks.ratios import Comparison
from benchmarks.sizes import Size
from benchmarks.training_cnn import Rows
from emberline.features.columns import stored
from emberline.features.dataset_version import DatasetVersion, open_version
from emberline.pipelines.recipe import Optimizer, Recipe
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.training.checkpoint.position import Position
from emberline.pipelines.training.input.batches import ShardBatches
from emberline.pipelines.training.loop import Loop

Fit = dict[str, Any]

SETTINGS: dict[str, Fit] = {
    "as it comes": {},
    "50 steps per call, no XLA": {"steps_per_execution": 50, "jit_compile": False},
}
"""How `fit` may be compiled; the first is what the ratio compares with."""


class LoopClock:
    """Seconds of the loop's last epoch, from its rows' dataset to the end of its last step."""

    def __init__(self) -> None:
        self._began = self.seconds = 0.0

    def started(self, rows: tf.data.Dataset) -> tf.data.Dataset:
        """Begins to count, and returns the rows."""
        gc.collect()  # `fit` leaves an iterator behind, which reads on until it is collected
        self._began = time.perf_counter()
        return rows

    def hear(self, event: dict[str, Any]) -> None:
        """Counts until the steps that an event of the loop reports are done."""
        if event["event"] == "progress":
            self.seconds = time.perf_counter() - self._began


class FitClock(keras.callbacks.Callback):
    """Seconds of an epoch of `fit`, over the same span."""

    def __init__(self) -> None:
        super().__init__()
        self._began = self.seconds = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Begins to count: the dataset is there, its iterator is not."""
        gc.collect()
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Counts until the last step is done."""
        self.seconds = time.perf_counter() - self._began


def compare_cnn(size: Size) -> dict[str, Comparison]:
    """By way of compiling `fit`."""
    batch, (steps, repeats) = 128, size.of((40, 8), (10, 4), (1, 1))
    recipe = training_cnn.recipe(1, batch, 1)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = lambda: keras.optimizers.SGD(0.01)  # noqa: E731 - made anew for each opponent
    epoch = lambda _: training_cnn.pictures(batch, steps)  # noqa: E731
    return _compare(recipe, training_cnn.version(), epoch, steps, loss, optimizer, repeats)


def compare_tabular(size: Size) -> dict[str, Comparison]:
    """The same for census wide & deep, batches of 256, both towers moved by one Adagrad."""
    from emberline.pipelines.datasets import load_dataset
    from emberline.pipelines.etl import etl
    from emberline.pipelines.runtime.session import session

    overrides = {"training.workers": "1"}
    recipe = load_recipe("census_wide_deep", overrides)
    training = dataclasses.replace(recipe.training, optimizers=(Optimizer("adagrad", 0.05),))
    recipe = dataclasses.replace(recipe, training=training)
    with tempfile.TemporaryDirectory() as folder:
        load_dataset("census").generate(f"{folder}/raw", seed=1)
        with session("benchmark fit", "local[2]") as spark:
            etl(spark, recipe, f"{folder}/raw", f"{folder}/dataset")
        version = open_version(f"{folder}/dataset")
        names = [column.name for column in stored(recipe.model.columns)]
        shards = ShardBatches(
            version, names, global_batch=training.global_batch, worker=0, workers=1, seed=training.seed
        )
        return _compare(
            recipe,
            version,
            lambda number: shards.training(Position(epoch=number)),
            shards.steps_per_epoch,
            keras.losses.BinaryCrossentropy(from_logits=True),
            lambda: keras.optimizers.Adagrad(0.05),
            size.of(9, 5, 1),
        )


def _compare(
    recipe: Recipe,
    version: DatasetVersion,
    epoch: Callable[[int], tf.data.Dataset],
    steps: int,
    loss: keras.losses.Loss,
    optimizer: Callable[[], keras.optimizers.Optimizer],
    repeats: int,
) -> dict[str, Comparison]:
    opponents = {}
    for name, settings in SETTINGS.items():
        opponents[name] = recipe.model_module.build(recipe.model, version.cardinalities)
        opponents[name].compile(optimizer(), loss, **settings)
    found = {name: Comparison("rows/s") for name in SETTINGS}
    rows = steps * recipe.training.global_batch
    clock, number = LoopClock(), 0

    def end() -> None:
        nonlocal number
        mine = rows / clock.seconds
        for name, opponent in opponents.items():
            theirs = FitClock()
            opponent.fit(epoch(number), verbose=0, callbacks=[theirs])
            if number:  # in the first epoch, both sides trace
                found[name].theirs.append(rows / theirs.seconds)
                found[name].ours.append(mine)
        number += 1

    training = dataclasses.replace(recipe.training, epochs=repeats + 1, tensorboard=False)
    with tempfile.TemporaryDirectory() as output:
        held_out = epoch(0).take(1)
        loop = Loop(
            dataclasses.replace(recipe, training=training),
            version,
            output,
            tf.distribute.get_strategy(),
            0,
            clock.hear,
            Rows(lambda of: clock.started(epoch(of)), steps, held_out, end),
        )
        loop.run()
    return found
