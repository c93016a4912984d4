"""A recipe's own loss, metrics, network and callbacks through the real loop, without Spark."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from emberline.features.columns import Numeric
from emberline.features.dataset_version import DatasetVersion
from emberline.features.errors import BadInputError
from emberline.models.keras_model import KerasModel
from emberline.pipelines.artifacts.training_folder import is_resumable, write_state
from emberline.pipelines.recipe import EpochEnd, Evaluation, Gate, MeanMetric, Optimizer, Recipe, Training
from emberline.pipelines.training.epoch_end import CallbackError
from emberline.pipelines.training.export import export
from emberline.pipelines.training.loop import Loop
from emberline.pipelines.training.step.training_step import TrainingStep

Make = Callable[..., Recipe]
Start = Callable[..., tuple[Loop, list[dict[str, Any]]]]
COLUMNS = (Numeric("a"), Numeric("b"))


def network(features: dict[str, Any], units: int = 4) -> Any:
    """Layers without names: they are called by a counter."""
    hidden = keras.layers.Dense(units, "relu")(ops.concatenate([features["a"], features["b"]], -1))
    return keras.layers.Dense(1)(keras.layers.Dropout(0.1)(hidden))


def own(recipe: Make, **training: Any) -> Recipe:
    wrong = MeanMetric("wrong", lambda labels, said: (said > 0.5) != (labels > 0.5), smaller_is_better=True)
    made = recipe(loss="focal", **training)
    return replace(made, model=KerasModel(COLUMNS, network), evaluation=Evaluation(metrics=(wrong,)))


def epochs(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event["metrics"] for event in events if event["event"] == "epoch"]


def test_own_loss_metric_and_network_train_and_export(
    recipe: Make, version: DatasetVersion, start: Start, tmp_path: Path
) -> None:
    mine = own(recipe, best_metric="eval_wrong")
    loop, events = start(mine, tmp_path / "t")
    model = loop.run()
    told = epochs(events)
    assert len(told) == 3
    for metrics in told:
        assert metrics["eval_wrong"] == pytest.approx(1 - metrics["eval_accuracy"])
        assert metrics["eval_loss"] < 0.3, "a focal loss is smaller than a log loss"
    (best,) = (event for event in events if event["event"] == "best")
    assert best["metrics"]["best_eval_wrong"] == min(metrics["eval_wrong"] for metrics in told)
    export(mine, version, model, str(tmp_path / "model"))
    loaded = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"]
    rows = {name: tf.constant([0.5, -1.0, 2.0], tf.float64) for name in "ab"}
    logit = model({name: tf.cast(value, tf.float32) for name, value in rows.items()}, training=False)
    np.testing.assert_allclose(loaded(**rows)["score"], tf.sigmoid(logit), rtol=1e-5)
    kept = json.loads((tmp_path / "model" / "recipe.json").read_text())
    assert ":network@" in kept["model"]["network"]
    assert kept["training"]["loss"] == "focal"


def test_a_training_with_own_code_resumes_bit_for_bit(recipe: Make, start: Start, tmp_path: Path) -> None:
    mine = own(recipe, checkpoint_every="7 steps", epochs=2)
    whole = start(mine, tmp_path / "whole")[0].run()
    with pytest.raises(KeyboardInterrupt):
        start(mine, tmp_path / "cut", kill_at=14)[0].run()
    loop, events = start(mine, tmp_path / "cut")
    resumed = loop.run()
    assert events[0]["step"] > 0
    for one, other in zip(whole.variables, resumed.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_another_body_of_a_function_is_another_training(recipe: Make, tmp_path: Path) -> None:
    def deeper(features: dict[str, Any], units: int = 4) -> Any:
        return network(features, units + 1)

    mine = own(recipe)
    identity = {"recipe": mine.to_json(), "dataset_digest": "d"}
    write_state(str(tmp_path), json.loads(json.dumps(identity)) | {"run_id": "r", "finished": False})
    assert is_resumable(str(tmp_path), json.loads(json.dumps(identity)))
    for other in (KerasModel(COLUMNS, deeper), KerasModel(COLUMNS, network, settings={"units": 8})):
        changed = identity | {"recipe": replace(mine, model=other).to_json()}
        assert not is_resumable(str(tmp_path), json.loads(json.dumps(changed)))


def test_a_training_of_version_0_1_is_gone_on_with(recipe: Make, tmp_path: Path) -> None:
    identity = json.loads(json.dumps({"recipe": recipe().to_json(), "dataset_digest": "d"}))
    old = json.loads(json.dumps(identity))
    for name in ("loss", "standardize_label", "callbacks"):
        del old["recipe"]["training"][name]
    del old["recipe"]["training"]["optimizers"][0]["settings"]
    write_state(str(tmp_path), old | {"run_id": "r", "finished": False})
    assert is_resumable(str(tmp_path), identity)


class Remember:
    """A callback that is an object, and ends the training after an epoch."""

    def __init__(self, last: int) -> None:
        self.last, self.seen = last, list[EpochEnd]()

    def __call__(self, epoch: EpochEnd) -> None:
        self.seen.append(epoch)
        if epoch.epoch == self.last:
            epoch.stop("enough")


def test_callbacks_see_each_epoch_and_may_end_the_training(recipe: Make, start: Start, tmp_path: Path) -> None:
    remember = Remember(2)
    weights: list[dict[str, np.ndarray]] = []
    loop, events = start(
        recipe(callbacks=(remember, lambda end: weights.append(end.weights())), epochs=5), tmp_path / "t"
    )
    model = loop.run()
    assert [end.epoch for end in remember.seen] == [1, 2]
    assert [end.step for end in remember.seen] == [11, 22]
    assert [dict(end.metrics) for end in remember.seen] == epochs(events)
    assert "ended after epoch 2 by the callback Remember: enough" in [event.get("text") for event in events]
    for variable in model.trainable_variables:
        np.testing.assert_array_equal(weights[-1][variable.path], variable.numpy())
    rows = {name: np.array([1.0, -1.0], np.float32) for name in "ab"}
    np.testing.assert_allclose(
        remember.seen[-1].predict(rows)["score"], tf.sigmoid(model(rows, training=False)), rtol=1e-6
    )
    again, events = start(recipe(callbacks=(remember,), epochs=5), tmp_path / "t")
    again.run()
    assert not epochs(events), "a training that was ended is not gone on with"


def test_callbacks_change_nothing(recipe: Make, start: Start, tmp_path: Path) -> None:
    def spoil(end: EpochEnd) -> None:
        for values in end.weights().values():
            values[...] = 0.0

    plain = start(recipe(average_decay=0.9), tmp_path / "plain")[0].run()
    watched = start(recipe(average_decay=0.9, callbacks=(spoil,)), tmp_path / "watched")[0].run()
    for one, other in zip(plain.variables, watched.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_a_callback_that_fails_is_told_by_its_name(recipe: Make, start: Start, tmp_path: Path) -> None:
    def tell(end: EpochEnd) -> None:
        raise OSError("nobody listens")

    with pytest.raises(CallbackError, match="The callback 'tell' failed at the end of epoch 1: OSError: nobody"):
        start(recipe(callbacks=(tell,)), tmp_path / "t")[0].run()
    with pytest.raises(BadInputError, match=r"training.callbacks has 'tell': expected functions of an EpochEnd"):
        recipe(callbacks=("tell",))


def asymmetric(label: tf.Tensor, output: tf.Tensor) -> tf.Tensor:
    """A product that is not sold costs 1, one that is missing 10 of profit."""
    return tf.where(output > label, output - label, 10 * (label - output))


def test_the_exercise_of_unequal_costs_ends_where_it_does(version: DatasetVersion) -> None:
    """128 points of two numbers whose sum, with noise, is the label; batches of 8 in their order, 5,000 steps.

    The known end, [1.0193471, 1.0428091], is that of sums over a batch; with means Adam differs by its epsilon alone.
    """
    draw = np.random.RandomState(1)
    points = draw.rand(128, 2)
    label = np.array([first + second + draw.rand() / 10 - 0.05 for first, second in points], np.float32)
    start = keras.initializers.Constant([[-0.8113182], [1.4845988]])

    def line(features: dict[str, Any]) -> Any:
        both = ops.concatenate([features["a"], features["b"]], -1)
        return keras.layers.Dense(1, use_bias=False, kernel_initializer=start)(both)

    adam = Optimizer("adam", 0.001, settings={"epsilon": 1e-8 / 8})
    training = Training((adam,), 1, 8, workers=1, loss=asymmetric, standardize_label=False)
    recipe = Recipe("stock", "nowhere", "none", KerasModel(COLUMNS, line), training, gate=Gate("rmse"))
    features = {**version.features, "schema": {**version.features["schema"], "label": {"name": "label"}}}
    step = TrainingStep(recipe, DatasetVersion(version.uri, version.manifest, features), 5000)
    run = tf.function(step.replica_step)
    for number in range(5000):
        rows = slice(number * 8 % 128, number * 8 % 128 + 8)
        columns = {name: tf.constant(points[rows, at], tf.float32) for at, name in enumerate("ab")}
        run(columns, tf.constant(label[rows]))
    np.testing.assert_allclose(step.weights[0].numpy()[:, 0], [1.0193471, 1.0428091], atol=2e-4)
