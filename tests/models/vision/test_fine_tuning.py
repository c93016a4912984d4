"""A new head on a trunk that stands still, and then the top of the trunk with it: what is frozen stays to the bit."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from emberline.features.columns import Image
from emberline.features.dataset_version import DatasetVersion
from emberline.features.schema import Label
from emberline.models.vision.imagenet import applications
from emberline.pipelines.recipe import Optimizer, Recipe, Training
from emberline.pipelines.training.checkpoint.initial_weights import take_weights
from emberline.pipelines.training.step.training_step import TrainingStep

IMAGE = Image("image", 32, 32)
CLASSES = 3
ROWS = 8
FROZEN = 60


def step_of(frozen: int, version: DatasetVersion) -> TrainingStep:
    config = applications.Config(IMAGE, "MobileNet", 0.25, head="new", frozen=frozen, outputs=CLASSES)
    training = Training((Optimizer("sgd", 0.05),), epochs=1, global_batch=ROWS, workers=1, transfer=True)
    return TrainingStep(Recipe("any", "nowhere", "none", config, training), version, 10)


def weights_of(step: TrainingStep) -> dict[str, np.ndarray]:
    """Weights and averages of normalisation by name; the states of random generators are neither."""
    named = {name: value.numpy() for name, value in step.variables.items() if name.startswith("model/")}
    return {name: value for name, value in named.items() if "seed_generator" not in name}


def changed(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> set[str]:
    """Layers of which anything differs by a single bit."""
    assert before.keys() == after.keys()
    names = {name for name in before if not np.array_equal(before[name], after[name])}
    return {name.split("/")[-2] for name in names}


def test_only_the_blocks_at_the_top_are_tuned(pictures: Callable[..., DatasetVersion], tmp_path: Path) -> None:
    version = pictures((IMAGE,), Label("kind", tuple((str(number),) for number in range(CLASSES))))
    draw = np.random.default_rng(4)
    features = {"image": draw.integers(0, 255, (ROWS, *IMAGE.stored_shape)).astype(np.uint8)}
    label = np.arange(ROWS).astype(np.float32) % CLASSES

    head = step_of(-1, version)
    start = weights_of(head)
    for _ in range(2):
        head.replica_step(features, label)
    assert changed(start, weights_of(head)) == {"logits"}
    exported = tf.Module()
    exported.weights = {name.removeprefix("model/"): value for name, value in head.variables.items()}
    tf.saved_model.save(exported, str(tmp_path))

    top = step_of(FROZEN, version)
    take_weights(str(tmp_path / "variables"), top.variables, transfer=True)
    taken = weights_of(top)
    assert changed(weights_of(head), taken) == set()
    for _ in range(2):
        top.replica_step(features, label)
    layers = next(layer for layer in top.model.layers if layer.name.startswith("mobilenet")).layers
    tuned = {layer.name for layer in layers[FROZEN:] if layer.variables}
    assert len(tuned) > 10
    assert any(layer.variables for layer in layers[:FROZEN])
    assert changed(taken, weights_of(top)) == tuned | {"logits"}
