"""How many images a second each network trains and scores, on synthetic ones: `python -m benchmarks.vision_networks`.

A step is that of the training loop, in one process, on random pixels that lie in memory; beside it `train_on_batch` of
Keras on a model of the same layers, in turns. Sizes are the published ones; `--quick` takes the two lightest networks.
"""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.ratios import compare, print_json, seconds
from benchmarks.sizes import Size, sized_parser
from emberline.features.columns import Image, describe, sized
from emberline.features.dataset_version import DatasetVersion
from emberline.features.schema import Field, Label, Schema
from emberline.features.statistics import Statistics
from emberline.models.vision.imagenet import alexnet, applications, googlenet
from emberline.pipelines.recipe import Optimizer, Recipe, Training

CLASSES = 1000


def networks(batch: int) -> dict[str, Recipe]:
    """By name, the lightest first."""

    def published(network: Any, side: int, width: float = 1.0) -> applications.Config:
        return applications.Config(Image("image", side, side), network, width)

    configs = {
        "MobileNet 0.25, 128": published("MobileNet", 128, 0.25),
        "MobileNet": published("MobileNet", 224),
        "GoogLeNet": googlenet.Config(Image("image", 224, 224)),
        "AlexNet": alexnet.Config(Image("image", 227, 227)),
        "ResNet-50": published("ResNet50", 224),
        "Inception-v3": published("InceptionV3", 299),
        "VGG-16": published("VGG16", 224),
        "ResNet-152": published("ResNet152", 224),
        "VGG-19": published("VGG19", 224),
    }
    training = Training((Optimizer("sgd", 0.001),), epochs=1, global_batch=batch, mode="local", workers=1)
    return {name: Recipe(name, "synthetic", "none", config, training) for name, config in configs.items()}


def main() -> None:
    parser = sized_parser(__doc__, "the two lightest networks, one turn")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--networks", nargs="+", default=None)
    given = parser.parse_args()
    size: Size = given.size
    batch, repeats = size.of((given.batch, given.repeats), (given.batch, 1), (2, 1))
    recipes = networks(batch)
    wanted = given.networks or list(recipes)[: size.of(None, 2, 1)]
    ratios, speeds = {}, {}
    print(f"{'':<22}{'weights':>13}{'scored/s':>10}{'trained/s':>11}{'Keras/s':>9}{'ratio':>7}", file=sys.stderr)
    for name in wanted:
        scoring, training, keras_training, weights = actions(recipes[name], batch)
        found = compare(partial(speed, training, batch), partial(speed, keras_training, batch), repeats=repeats)
        scored = max(speed(scoring, batch) for _ in range(2))
        ratios[f"{name}_step_vs_train_on_batch"] = found.ratios
        ours, theirs = (float(np.median(side)) for side in (found.ours, found.theirs))
        speeds[name] = {"scored": scored, "trained": ours}
        print(
            f"{name:<22}{weights:>13,}{scored:>10.1f}{ours:>11.1f}{theirs:>9.1f}{np.median(found.ratios):>7.2f}",
            file=sys.stderr,
        )
    print_json("vision_networks", ratios, size, images_per_second=speeds)


def speed(action: Callable[[], object], batch: int) -> float:
    """Images a second."""
    return batch / seconds(action)


def actions(recipe: Recipe, batch: int) -> tuple[Callable[[], object], Callable[[], object], Callable[[], object], int]:
    """A batch scored, a batch trained, the same by Keras; and the number of trained weights."""
    import keras
    import tensorflow as tf

    from emberline.pipelines.training.step.training_step import TrainingStep

    draw = np.random.default_rng(1)
    column = recipe.model.columns[0]
    rows = {column.name: tf.constant(draw.integers(0, 256, (batch, *column.stored_shape)), tf.uint8)}
    label = tf.constant(draw.integers(0, CLASSES, batch), tf.float32)
    step = TrainingStep(recipe, _version(column), total_steps=10)
    train = tf.function(step.replica_step)
    other = recipe.model_module.build(recipe.model, {})
    other.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    weights = sum(int(weight.shape.num_elements()) for weight in step.weights)
    return (
        lambda: step.predict(rows),
        lambda: float(train(rows, label)),
        lambda: other.train_on_batch(rows, label),
        weights,
    )


def _version(column: Image) -> DatasetVersion:
    label = Label("kind", tuple((str(number),) for number in range(CLASSES)))
    schema = sized((column,), Schema((Field(column.name, "image"),), label, "row"))
    features = {
        "schema": schema.to_json(),
        "columns": [describe(column)],
        "cardinalities": {},
        "statistics": Statistics(1, (1,) * CLASSES).to_json(),
    }
    return DatasetVersion("memory", {"splits": {}}, features)


if __name__ == "__main__":
    main()
