"""Our loop on one worker against `keras.Model.fit`: the same network, optimizer, loss and rows, in one process.

After every epoch of the loop, which evaluates then, the opponent trains one of its own on the same batches. A CNN on
pictures, where the step is all, and wide & deep on census rows from TFRecords, where everything around it counts.
"""

import dataclasses
import tempfile
import time
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from benchmarks import training_cnn
from benchmarks.ratios import Comparison
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


def compare_cnn(quick: bool) -> dict[str, Comparison]:
    """By way of compiling `fit`."""
    batch, steps = 128, 10 if quick else 40
    recipe = training_cnn.recipe(1, batch, 1)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = lambda: keras.optimizers.SGD(0.01)  # noqa: E731 - made anew for each opponent
    epoch = lambda _: training_cnn.pictures(batch, steps)  # noqa: E731
    return _compare(recipe, training_cnn.version(), epoch, steps, loss, optimizer, 4 if quick else 8)


def compare_tabular(quick: bool) -> dict[str, Comparison]:
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
            5 if quick else 9,
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
    began, number = 0.0, 0

    def start(of: int) -> tf.data.Dataset:
        nonlocal began
        began = time.perf_counter()
        return epoch(of)

    def end() -> None:
        nonlocal number
        mine = rows / (time.perf_counter() - began)
        for name, opponent in opponents.items():
            start = time.perf_counter()
            opponent.fit(epoch(number), verbose=0)
            if number:  # in the first epoch, both sides trace
                found[name].theirs.append(rows / (time.perf_counter() - start))
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
            lambda _: None,
            Rows(start, steps, held_out, end),
        )
        loop.run()
    return found
