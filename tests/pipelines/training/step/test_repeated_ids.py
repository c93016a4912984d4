"""Ids that a batch holds several times: every optimizer moves their vectors by the sum of what each row says.

Keras squares and clips each slice of a repeated id by itself. The reference looks vectors up by a product with ones
and zeros, whose gradients are dense, and gives them to Keras's own optimizer.
"""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from emberline.features.columns import Embedding, Identity, describe
from emberline.features.dataset_version import DatasetVersion
from emberline.features.schema import Field, Label, Schema
from emberline.features.statistics import Statistics
from emberline.models.tabular import dnn
from emberline.pipelines.recipe import Optimizer, Recipe, Training
from emberline.pipelines.recipe.training import OPTIMIZERS
from emberline.pipelines.training.step.training_step import TrainingStep

IDS, WIDTH, ROWS, STEPS = 12, 4, 32, 5
COLUMN = Embedding(Identity("id", IDS), WIDTH)
FEW = np.array([0, 1, 2, 5, 11])
OTHERS = np.setdiff1d(np.arange(IDS), FEW)
"""Most ids never come, and these come several times in every batch."""


@pytest.fixture(scope="module")
def version() -> DatasetVersion:
    schema = Schema((Field("id", "integer"),), Label("label", (("0",), ("1",))), "row")
    features = {
        "schema": schema.to_json(),
        "columns": [describe(COLUMN.source)],
        "cardinalities": {"id": IDS},
        "statistics": Statistics(ROWS, (16, 16)).to_json(),
    }
    return DatasetVersion("nowhere", {"splits": {}}, features)


def batches() -> list[tuple[np.ndarray, np.ndarray]]:
    draw = np.random.default_rng(7)
    return [(draw.choice(FEW, ROWS), draw.integers(0, 2, ROWS).astype(np.float32)) for _ in range(STEPS)]


def by_dense_gradients(step: TrainingStep, declared: Optimizer, training: Training) -> list[np.ndarray]:
    """Table, kernel and bias after the steps, by Keras's optimizer alone."""
    # Muon leaves what is called an embedding to Adam, as the name of the layer says.
    table, *dense = (keras.Variable(one.numpy(), name=one.path.replace("/", "_")) for one in step.model.weights)
    kernels, biases = dense[::2], dense[1::2]
    kind = next(kind for name, kind in vars(keras.optimizers).items() if name.lower() == declared.kind)
    settings = {"weight_decay": 0.0} if declared.kind == "adamw" else {}
    optimizer = kind(declared.learning_rate, **settings)
    optimizer.build([table, *dense])
    for ids, label in batches():
        with tf.GradientTape() as tape:
            values = tf.one_hot(ids, IDS) @ table.value
            for kernel, bias in zip(kernels, biases, strict=True):
                values = values @ kernel.value + bias.value
            loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(label, values[:, 0]))
        gradients = tape.gradient(loss, [one.value for one in (table, *dense)])
        assert all(isinstance(gradient, tf.Tensor) for gradient in gradients)
        if training.clip_value:
            gradients = [tf.clip_by_value(one, -training.clip_value, training.clip_value) for one in gradients]
        if training.clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, training.clip_norm)
        optimizer.apply_gradients(zip(gradients, (table, *dense), strict=True))
    return [np.array(one.value) for one in (table, *dense)]


@pytest.mark.parametrize("tables", ["dense", "rows"])
@pytest.mark.parametrize("clip", [{}, {"clip_norm": 0.02}, {"clip_value": 0.005}], ids=["plain", "norm", "value"])
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_repeated_ids_move_as_dense_gradients_say(
    version: DatasetVersion, kind: str, clip: dict[str, Any], tables: Any
) -> None:
    declared = Optimizer(kind, 0.05)
    training = Training((declared,), epochs=1, global_batch=ROWS, workers=1, tables=tables, **clip)
    recipe = Recipe("any", "nowhere", "none", dnn.Config((COLUMN,), ()), training)
    step = TrainingStep(recipe, version, STEPS)
    assert step.weights[0].shape == (IDS, WIDTH)
    expected = by_dense_gradients(step, declared, training)
    first = step.weights[0].numpy()
    run = tf.function(step.replica_step)
    for ids, label in batches():
        run({"id": tf.constant(ids)}, tf.constant(label))
    if kind == "ftrl" and tables == "rows":
        # FTRL makes every weight what its sums say: densely zero, where no gradient ever was; by rows it stays.
        expected[0][OTHERS] = first[OTHERS]
    for found, wanted in zip(step.weights, expected, strict=True):
        np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-4, atol=1e-6)
    assert (step.weights[0].numpy()[FEW] != first[FEW]).any(axis=1).all()


def test_the_reference_tells_the_two_apart() -> None:
    """Adagrad squares slices of one id by themselves where it is given slices: 1 + 1 is not (1 + 1) squared."""
    table = keras.Variable(np.zeros((2, 1), np.float32))
    moved = []
    for gradient in (
        tf.IndexedSlices(tf.constant([[1.0], [1.0]]), tf.constant([0, 0]), tf.constant([2, 1])),
        tf.constant([[2.0], [0.0]]),
    ):
        table.assign(np.zeros((2, 1), np.float32))
        keras.optimizers.Adagrad(0.1, initial_accumulator_value=0.0).apply([gradient], [table])
        moved.append(table.numpy()[0, 0])
    assert moved[0] != pytest.approx(moved[1])
