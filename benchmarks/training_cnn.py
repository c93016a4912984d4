"""The network and the rows of the training benchmarks: a small CNN on synthetic pictures of CIFAR's shape.

Two convolutions of 64 filters (those of TensorFlow's CIFAR-10 tutorial) with pooling between them and a hidden layer of
128: 633,034 weights, about 32 million multiplications per picture forwards. It is a recipe's network like any other, so
the loop trains it as it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from emberline.features.columns import Column
from emberline.features.dataset_version import DatasetVersion
from emberline.features.schema import Field, Label, Schema
from emberline.pipelines.recipe import Optimizer, Recipe, Training
from emberline.pipelines.training.checkpoint.position import Position

SIDE, CHANNELS, CLASSES = 32, 3, 10


@dataclass(frozen=True)
class Config:
    """The network has nothing to configure."""

    outputs: int = CLASSES

    @property
    def columns(self) -> tuple[Column, ...]:
        return ()


def build(config: Config, cardinalities: Mapping[str, int]) -> Any:
    """`{"picture": [batch, 32, 32, 3]}` to logits `[batch, 10]`."""
    import keras

    picture = keras.Input((SIDE, SIDE, CHANNELS), name="picture")
    hidden = picture
    for filters in (64, 64):
        hidden = keras.layers.Conv2D(filters, 5, padding="same", activation="relu")(hidden)
        hidden = keras.layers.MaxPooling2D()(hidden)
    hidden = keras.layers.Dense(128, activation="relu")(keras.layers.Flatten()(hidden))
    return keras.Model({"picture": picture}, keras.layers.Dense(config.outputs)(hidden))


def recipe(workers: int, batch: int, epochs: int) -> Recipe:
    """Plain SGD; the global batch is the same for any number of workers."""
    sgd = (Optimizer("sgd", 0.01),)
    training = Training(sgd, epochs, global_batch=batch, workers=workers, steps_per_call=10, tensorboard=False)
    return Recipe("benchmark", "", "none", Config(), training)


def version() -> DatasetVersion:
    """What a step wants to know of a dataset version: that there are ten classes."""
    classes = tuple((str(index),) for index in range(CLASSES))
    schema = Schema((Field("picture", "float"),), Label("kind", classes), key="row")
    statistics = {"rows": 1, "classes": [1] * CLASSES, "fields": {}}
    return DatasetVersion(
        "file:///nowhere", {}, {"schema": schema.to_json(), "statistics": statistics, "cardinalities": {}}
    )


def pictures(batch: int, steps: int) -> tf.data.Dataset:
    """So many batches of random pictures, the same few over and over: reading is not what is measured."""
    generator = np.random.default_rng(1)
    some = generator.random((batch, SIDE, SIDE, CHANNELS), np.float32)
    kinds = generator.integers(0, CLASSES, batch).astype(np.float32)
    return tf.data.Dataset.from_tensors(({"picture": some}, kinds)).repeat(steps).prefetch(2)


class Rows:
    """Batches for the loop, and a bell at the end of every epoch.

    Args:
        epoch: Makes the batches of one epoch; called anew for each.
        steps: How many there are.
        held_out: A single batch to evaluate, which is not part of what is measured.
        at_end: Called after the last step of every epoch.
    """

    def __init__(
        self, epoch: Callable[[int], tf.data.Dataset], steps: int, held_out: tf.data.Dataset, at_end: Callable[[], None]
    ) -> None:
        self._epoch = epoch
        self._held_out = held_out
        self._at_end = at_end
        self.steps_per_epoch = steps

    repeatable = False

    def training(self, position: Position) -> tf.data.Dataset:
        return self._epoch(position.epoch)

    def steps_ahead(self, position: Position, limit: int) -> int:
        return min(limit, self.steps_per_epoch - position.steps_into_epoch)

    def evaluation(self) -> tf.data.Dataset:
        self._at_end()
        return self._held_out

    def explain(self, error: tf.errors.OpError) -> None:
        """These rows cannot be damaged."""
