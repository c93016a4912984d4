"""One step against what is computed by hand or by another implementation."""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from emberline.features.columns import Identity, Indicator, Numeric
from emberline.features.dataset_version import DatasetVersion
from emberline.features.errors import BadInputError
from emberline.models.tabular import dnn
from emberline.pipelines.recipe import Optimizer, Recipe, Schedule
from emberline.pipelines.training.checkpoint.position import Position
from emberline.pipelines.training.input.batches import ShardBatches
from emberline.pipelines.training.step.moving_averages import MovingAverages
from emberline.pipelines.training.step.training_step import TrainingStep

Make = Callable[..., Recipe]
SGD = Optimizer("sgd", learning_rate=0.5)
STEPS = 6


def step_of(recipe: Recipe, version: DatasetVersion, dropout: float = 0.0) -> TrainingStep:
    return TrainingStep(
        dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, dropout=dropout)), version, 20
    )


def batches(version: DatasetVersion, weight: str = "") -> list[Any]:
    source = ShardBatches(version, ["a", "b"], global_batch=30, worker=0, workers=1, seed=1, weight=weight)
    return list(source.training(Position()).take(STEPS))


def trained(recipe: Recipe, version: DatasetVersion, weight: str = "") -> tuple[TrainingStep, list[float]]:
    step = step_of(recipe, version)
    run = tf.function(step.replica_step)
    return step, [float(run(*batch)) for batch in batches(version, weight)]


def arrays(step: TrainingStep) -> list[np.ndarray]:
    return [np.array(weight) for weight in step.weights]


def by_hand(
    step: TrainingStep, data: list[Any], change: Callable[[list[tf.Tensor]], list[tf.Tensor]]
) -> list[np.ndarray]:
    """SGD on a clone of the network: Keras gives the loss, TensorFlow the gradients, `change` is under test."""
    clone = keras.models.clone_model(step.model)
    clone.set_weights(step.model.get_weights())
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    for features, label in data:
        with tf.GradientTape() as tape:
            value = loss(label, clone(features))
        gradients = change(tape.gradient(value, [weight.value for weight in clone.trainable_variables]))
        for weight, gradient in zip(clone.trainable_variables, gradients, strict=True):
            weight.assign_sub(SGD.learning_rate * gradient)
    return [np.array(weight.value) for weight in clone.trainable_variables]


@pytest.mark.parametrize(
    ("training", "change"),
    [
        ({}, lambda gradients: gradients),
        ({"accumulate": 3}, lambda gradients: gradients),
        ({"clip_norm": 0.05}, lambda gradients: tf.clip_by_global_norm(gradients, 0.05)[0]),
        ({"clip_value": 0.01}, lambda gradients: [tf.clip_by_value(one, -0.01, 0.01) for one in gradients]),
        ({"jit_compile": True}, lambda gradients: gradients),
    ],
    ids=["plain", "accumulate", "clip_norm", "clip_value", "jit_compile"],
)
def test_steps_are_those_of_plain_gradient_descent(
    recipe: Make, version: DatasetVersion, training: dict[str, Any], change: Any
) -> None:
    chosen = recipe(SGD, **training)
    expected = by_hand(step_of(chosen, version), batches(version), change)
    step, _ = trained(chosen, version)
    for found, wanted in zip(arrays(step), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=2e-4, atol=1e-6)
    assert int(step.steps) == STEPS


def test_l1_and_l2_of_kernels_are_keras_regularizers(recipe: Make, version: DatasetVersion) -> None:
    chosen = recipe(dataclasses.replace(SGD, l1=0.01, l2=0.02))
    step = step_of(chosen, version)
    kernels = [position for position, one in enumerate(step.model.trainable_variables) if one.path.endswith("kernel")]
    assert len(kernels) == 2
    rule = keras.regularizers.L1L2(0.01, 0.02)
    features, label = batches(version)[0]
    plain = keras.losses.BinaryCrossentropy(from_logits=True)(label, step.model(features))
    expected = float(plain + sum(rule(step.weights[position]) for position in kernels))
    before = arrays(step)
    loss, gradients = step.checked_step(features, label)
    assert float(loss) == pytest.approx(expected, rel=1e-6)
    bare = step_of(recipe(SGD), version).checked_step(features, label)[1]
    for position, (found, without) in enumerate(zip(gradients, bare, strict=True)):
        extra = 0.01 * np.sign(before[position]) + 0.04 * before[position] if position in kernels else 0.0
        np.testing.assert_allclose(found, without + extra, rtol=1e-4, atol=1e-6)


def test_a_weight_of_two_is_a_row_seen_twice(recipe: Make, version: DatasetVersion) -> None:
    """The loss is the mean over rows of weight times loss."""
    step = step_of(recipe(SGD, weight="weight"), version)
    features, label, weight = batches(version, weight="weight")[0]
    losses = tf.nn.sigmoid_cross_entropy_with_logits(label, step.model(features))
    loss = step.replica_step(features, label, weight)
    assert float(loss) == pytest.approx(float(np.mean(weight * losses)), rel=1e-6)
    assert 0.5 <= float(tf.reduce_min(weight)) < float(tf.reduce_max(weight)) <= 2.0


def test_mixed_rows_have_mixed_labels(recipe: Make, version: DatasetVersion) -> None:
    """The loss of a mixture is that of its label, mixed in the same way: cross entropy is linear in labels."""
    step = step_of(recipe(SGD, mix_up=0.4), version)
    features, label = batches(version)[0]
    drawn = tf.random.stateless_gamma([2, 30], [1, 0], 0.4)
    share = tf.reduce_max(drawn, axis=0) / tf.reduce_sum(drawn, axis=0)
    assert 0.5 <= float(tf.reduce_min(share)) < 0.8 < float(tf.reduce_max(share)) <= 1

    def mixed(value: tf.Tensor) -> tf.Tensor:
        return share * value + (1 - share) * value[::-1]

    logits = step.model({name: mixed(value) for name, value in features.items()})
    expected = keras.losses.BinaryCrossentropy(from_logits=True)(mixed(label), logits)
    assert float(step.replica_step(features, label)) == pytest.approx(float(expected), rel=1e-5)
    drawn_later = tf.random.stateless_gamma([2, 30], [1, 1], 0.4)
    assert not np.allclose(drawn, drawn_later), "every step draws anew"


def test_pixels_are_mixed_as_pixels(version: DatasetVersion, recipe: Make) -> None:
    step = step_of(recipe(SGD, mix_up=1.0), version)
    seen: list[tf.Tensor] = []
    step._outputs = lambda features, training: seen.append(features["image"]) or tf.zeros([4])  # type: ignore[assignment]
    pixels = np.array([0, 255, 10, 100], np.uint8).reshape(4, 1, 1, 1)
    step._losses({"image": tf.constant(pixels)}, tf.constant([0.0, 1.0, 0.0, 1.0]))
    drawn = tf.random.stateless_gamma([2, 4], [1, 0], 1.0).numpy()
    share = (drawn.max(axis=0) / drawn.sum(axis=0)).reshape(4, 1, 1, 1)
    assert seen[0].dtype == tf.uint8
    np.testing.assert_allclose(seen[0], share * pixels + (1 - share) * pixels[::-1], atol=0.51)


def test_ids_are_not_mixed(recipe: Make, version: DatasetVersion) -> None:
    columns = (Numeric("a"), Indicator(Identity("b", 3)))
    chosen = recipe(SGD, mix_up=0.2)
    with_ids = dataclasses.replace(version, features=version.features | {"cardinalities": {"b": 3}})
    with pytest.raises(BadInputError, match="and b is none"):
        TrainingStep(dataclasses.replace(chosen, model=dnn.Config(columns, (2,))), with_ids, 20)
    with pytest.raises(BadInputError, match="mix_up must be 0 or more"):
        recipe(SGD, mix_up=-1.0)


def test_averages_follow_tensorflows_rule(recipe: Make, version: DatasetVersion) -> None:
    """`tf.train.ExponentialMovingAverage(0.3, num_updates=steps)`: the limit 0.3 is reached within the six steps."""
    step = step_of(recipe(SGD, average_decay=0.3), version)
    shadow = [tf.Variable(weight) for weight in step.weights]
    updates = tf.Variable(0)
    oracle = tf.train.ExponentialMovingAverage(0.3, num_updates=updates)
    oracle.apply(shadow)
    for batch in batches(version):
        step.replica_step(*batch)
        updates.assign_add(1)
        for copy, weight in zip(shadow, step.weights, strict=True):
            copy.assign(weight)
        oracle.apply(shadow)
    trained_weights = arrays(step)
    with step.averaged():
        for copy, weight in zip(shadow, arrays(step), strict=True):
            np.testing.assert_allclose(weight, oracle.average(copy), rtol=1e-5)
    for found, wanted in zip(arrays(step), trained_weights, strict=True):
        np.testing.assert_array_equal(found, wanted, err_msg="back to the weights behind the block")


def test_the_books_average() -> None:
    """5 at step 0 from 0 with decay 0.99 gives 4.5: min(0.99, 1 / 10) is the share of the old value."""
    value = tf.Variable(0.0)
    averages = MovingAverages(0.99, [value], ["value"], ())
    value.assign(5.0)
    averages.move(tf.constant(0.0), [], [])
    assert float(averages.averages[0]) == pytest.approx(4.5)
    value.assign(10.0)
    averages.move(tf.constant(10_000.0), [], [])
    assert float(averages.averages[0]) == pytest.approx(4.555, rel=1e-6)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_learns_and_keeps_variables_whole(recipe: Make, version: DatasetVersion, precision: str) -> None:
    step, losses = trained(recipe(Optimizer("adam", 0.05), precision=precision), version)
    _, expected = trained(recipe(Optimizer("adam", 0.05)), version)
    np.testing.assert_allclose(losses, expected, rtol=0.02)
    assert {weight.dtype for weight in step.weights} == {tf.float32}
    assert {layer.compute_dtype for layer in step.model.layers} == {precision.removeprefix("mixed_")}
    assert keras.config.dtype_policy().name == "float32", "only this network's"


def test_an_overflow_halves_the_loss_scale_and_changes_nothing_else(recipe: Make, version: DatasetVersion) -> None:
    """Two optimizers: the more careful scale counts for both."""
    chosen = recipe(precision="mixed_float16")
    training = dataclasses.replace(
        chosen.training, optimizers=(Optimizer("sgd", 0.1, scope="deep_0"), Optimizer("sgd", 0.1))
    )
    step = step_of(dataclasses.replace(chosen, training=training), version)
    features, label = batches(version)[0]
    first = np.array(step.weights[0])
    step.optimizers[1].dynamic_scale.assign(2.0**30)
    scales = [float(one.dynamic_scale.value) for one in step.optimizers]
    assert scales == [2.0**15, 2.0**30]
    step.replica_step(features, label)
    moved = np.array(step.weights[0])
    assert np.isfinite(moved).all()
    assert (moved != first).any()
    for one in step.optimizers:
        one.dynamic_scale.assign(2.0**30)
    step.replica_step(features, label)
    np.testing.assert_array_equal(step.weights[0], moved)
    assert [float(one.dynamic_scale.value) for one in step.optimizers] == [2.0**29, 2.0**29]


def test_slices_that_do_not_divide_the_rows_are_refused(recipe: Make) -> None:
    with pytest.raises(BadInputError, match=r"accumulate=4 does not divide the 15 rows of one worker's step"):
        recipe(workers=2, accumulate=4)


REPLICAS = """
import json, sys
import numpy as np
import tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
from emberline.models.tabular import dnn
from emberline.features.columns import Numeric
from emberline.features.dataset_version import DatasetVersion
from emberline.pipelines.recipe import Optimizer, Recipe, Training
from emberline.pipelines.training.step.training_step import TrainingStep
where, clip, precision, every = json.loads(sys.argv[1])
version = DatasetVersion(where["uri"], where["manifest"], where["features"])
both = (Optimizer("adam", 0.05, "deep_0", l2=0.01, every=every), Optimizer("adam", 0.05, l2=0.01))
training = Training(both, 1, 30, workers=1, clip_norm=clip, average_decay=0.9, precision=precision)
recipe = Recipe("any", "nowhere", "none", dnn.Config((Numeric("a"), Numeric("b")), (8,)), training)
rows = np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)
found = []
for strategy, parts in ((tf.distribute.get_strategy(), 1), (tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), 2)):
    with strategy.scope():
        step = TrainingStep(recipe, version, 10)
    size = 30 // parts
    def of(context):
        part = tf.constant(rows)[context.replica_id_in_sync_group * size :][:size]
        return {"a": part[:, 0], "b": part[:, 1]}, tf.cast(part[:, 0] > 0, tf.float32)
    data = [strategy.experimental_distribute_values_from_function(lambda c, i=i: of(c)[i]) for i in (0, 1)]
    run = tf.function(lambda: strategy.reduce("MEAN", strategy.run(step.replica_step, args=data), axis=None))
    losses = [float(run()) for _ in range(5)]
    with step.averaged():
        averages = [np.array(weight).tolist() for weight in step.weights]
    found.append([losses, [np.array(weight).tolist() for weight in step.weights], averages])
print(json.dumps(found))
"""


@pytest.mark.parametrize(("clip", "precision", "every"), [(0.05, "float32", 1), (0.0, "mixed_float16", 2)])
def test_two_replicas_do_the_step_of_one(version: DatasetVersion, clip: float, precision: str, every: int) -> None:
    """Each with half of the rows; the norm that is clipped is that of the sum, not that of a half."""
    where = {"uri": version.uri, "manifest": version.manifest, "features": version.features}
    done = subprocess.run(
        [sys.executable, "-c", REPLICAS, json.dumps([where, clip, precision, every])],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[4],
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    one, two = json.loads(done.stdout.splitlines()[-1])
    tolerance = 1e-4 if precision == "float32" else 0.05
    np.testing.assert_allclose(two[0], one[0], rtol=tolerance)
    for part in (1, 2):
        for found, wanted in zip(two[part], one[part], strict=True):
            np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)


class Halving(keras.optimizers.SGD):
    """A recipe's own optimizer: plain descent at half the rate."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        super().update_step(gradient, variable, learning_rate / 2)


@pytest.mark.parametrize("decayed", [False, True])
def test_an_optimizer_of_ones_own_moves_the_weights(recipe: Make, version: DatasetVersion, decayed: bool) -> None:
    schedule = Schedule("exponential", factor=0.5) if decayed else Schedule()
    halved, whole = (
        trained(recipe(one), version)[0]
        for one in (Optimizer(Halving, 1.0, schedule=schedule), Optimizer("sgd", 0.5, schedule=schedule))
    )
    for mine, theirs in zip(arrays(halved), arrays(whole), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-6)
    names = [name for name in halved.variables if name.startswith("optimizer-0/")]
    assert names == ["optimizer-0/0-iteration", "optimizer-0/1-learning_rate"][: len(names)]


def test_settings_reach_keras(recipe: Make, version: DatasetVersion) -> None:
    step = step_of(recipe(Optimizer("SGD", 0.5, momentum=0.9, settings={"nesterov": True})), version)
    assert step.optimizers[0].nesterov
    assert step.optimizers[0].momentum == 0.9
    for kind in ("lion", "nadam", "adamax", "lamb", "adafactor"):
        step_of(recipe(Optimizer(kind, 0.1)), version)
    with pytest.raises(BadInputError, match=r"Keras's SGD takes no 'nestrov'. Did you mean 'nesterov'"):
        step_of(recipe(Optimizer("sgd", 0.5, settings={"nestrov": True})), version)
    with pytest.raises(BadInputError, match="<lambda> makes no Keras optimizer, but a value of type str"):
        step_of(recipe(Optimizer(lambda rate: "sgd", 0.5)), version)
