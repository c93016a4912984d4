"""Several labels together: the same as each alone, with its name in front."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from pyspark.sql import SparkSession

from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.features.statistics import FieldStatistics, LabelStatistics, Statistics
from emberline.pipelines.metrics.grouped import GROUPS
from emberline.pipelines.recipe import Evaluation, Gate, MeanMetric, Recipe
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.tasks import gate_of, require_fit, smaller_is_better, task_of

SPECIES, WIDTH = Label("species", (("ash",), ("oak",), ("yew",))), Label("width", minimum=0)
SOLD = Label("sold", (("no",), ("yes",)))
SCHEMA = Schema((Field("age", "integer"),), SPECIES, "row", (WIDTH, SOLD))
NUMBERS = FieldStatistics(10, 0, mean=30.0, deviation=5.0)
STATISTICS = Statistics(
    10, (4, 3, 3), more_labels={"width": LabelStatistics(numbers=NUMBERS), "sold": LabelStatistics((6, 4))}
)
OFF = MeanMetric("off", lambda labels, said: np.abs(labels - said) > 1, smaller_is_better=True)
ROWS = 300


def recipe(outputs: int = 5, gate: Gate | None = None, own: Any = (), **training: Any) -> Recipe:
    base = load_recipe("census_wide_deep")
    return dataclasses.replace(
        base,
        name="mine",
        model=dataclasses.replace(base.model, outputs=outputs),  # type: ignore[type-var]
        training=dataclasses.replace(base.training, **training),
        gate=gate or Gate(),
        evaluation=Evaluation(metrics=own),
    )


MINE = recipe(own={"width": (OFF,)}, loss={"width": "huber", "sold": "focal"}, loss_weights={"sold": 3.0})


def drawn() -> tuple[tf.Tensor, tf.Tensor]:
    draw = np.random.default_rng(7)
    truth = [draw.integers(0, 3, ROWS), draw.normal(30, 5, ROWS), draw.random(ROWS) < 0.4]
    return tf.constant(draw.normal(size=(ROWS, 5)), tf.float32), tf.constant(np.stack(truth, axis=1), tf.float32)


def alone(label: Label) -> tuple[Any, slice]:
    """The task of one label with the same loss and metrics, and its part of the outputs."""
    training = dataclasses.replace(MINE.training, loss=MINE.training.loss.get(label.name, ""), loss_weights={})
    own = MINE.evaluation.metrics.get(label.name, ())  # type: ignore[union-attr]
    single = dataclasses.replace(MINE, training=training, evaluation=Evaluation(metrics=own))
    part = {"species": slice(0, 3), "width": slice(3, 4), "sold": slice(4, 5)}[label.name]
    return task_of(label, STATISTICS.about(label.name), single), part


def test_losses_predictions_and_metrics_are_those_of_each_label() -> None:
    outputs, truth = drawn()
    task = task_of(SCHEMA, STATISTICS, MINE)
    predicted = task.predict(outputs)
    sums = task.tally(predicted | task.row_losses(outputs, truth), truth.numpy())  # type: ignore[attr-defined]
    found, total, whole = task.held_out(sums), np.zeros(ROWS), 0.0
    assert len(sums) == task.tally_length
    for place, label in enumerate(SCHEMA.labels):
        own, part = alone(label)
        said = outputs[:, part] if label is SPECIES else outputs[:, part.start]
        weight = 3.0 if label is SOLD else 1.0
        losses = own.losses(said, truth[:, place]).numpy()
        total += weight * losses
        for name, value in own.predict(said).items():
            np.testing.assert_array_equal(predicted[f"{label.name}_{name}"].numpy(), value.numpy())
        metrics = own.held_out(
            own.tally(own.predict(said) | own.row_losses(said, truth[:, place]), truth[:, place].numpy())
        )
        whole += weight * metrics["eval_loss"]
        for name, value in metrics.items():
            assert found[f"eval_{label.name}/{name.removeprefix('eval_')}"] == value
    np.testing.assert_allclose(task.losses(outputs, truth), total, rtol=1e-5)
    assert found["eval_loss"] == pytest.approx(whole)
    assert next(iter(found)) == "eval_loss"


def test_a_network_may_name_its_outputs() -> None:
    outputs, truth = drawn()
    task = task_of(SCHEMA, STATISTICS, MINE)
    named = {"sold": outputs[:, 4], "species": outputs[:, :3], "width": outputs[:, 3]}
    np.testing.assert_array_equal(task.losses(named, truth), task.losses(outputs, truth))
    with pytest.raises(BadInputError, match=r"The network says nothing of the label 'width'. Did you mean 'widht'"):
        task.predict({**{name: value for name, value in named.items() if name != "width"}, "widht": named["width"]})


def test_evaluate_measures_each_label_and_each_group(spark: SparkSession) -> None:
    outputs, truth = drawn()
    task = task_of(SCHEMA, STATISTICS, MINE)
    predicted = {name: value.numpy() for name, value in task.predict(outputs).items()}
    predicted["species_class_name"] = predicted["species_class_name"].astype(str)
    columns_of = [*predicted.values(), *truth.numpy().T]
    rows = [(*(values[row].tolist() for values in columns_of), [0, 1 + row % 2]) for row in range(ROWS)]
    types = {"float": "float", "long": "long", "string": "string", "floats": "array<float>"}
    columns = {column.name: types[column.type] for column in task.columns}
    schema = ", ".join(f"`{name}` {columns[name]}" for name in predicted)
    scored = spark.createDataFrame(rows, f"{schema}, species float, width float, sold float, {GROUPS} array<int>")
    found = task.evaluate(scored, "species", 0.5)
    assert sorted(found) == [0, 1, 2]
    for number, its in {0: slice(None), 1: slice(0, None, 2), 2: slice(1, None, 2)}.items():
        mine = found[number].metrics
        right = predicted["species_class"][its] == truth.numpy()[its, 0]
        off = np.abs(predicted["width_prediction"][its] - truth.numpy()[its, 1])
        assert mine["species/accuracy"] == pytest.approx(right.mean())
        assert mine["width/mae"] == pytest.approx(off.mean(), rel=1e-5)
        assert mine["width/off"] == pytest.approx((off > 1).mean())
        assert mine["sold/positive_rate"] == pytest.approx(truth.numpy()[its, 2].mean())
        assert mine["rows"] == len(right)
    assert set(found[0].details["labels"]) == {"species", "width", "sold"}
    assert set(task.metrics) <= set(found[0].metrics)


def test_gates_and_directions_go_by_label() -> None:
    task = task_of(SCHEMA, recipe=MINE)
    assert task.default_metric == "species/accuracy"
    for name, smaller in (("width/rmse", True), ("eval_width/rmse", True), ("width/off", True), ("sold/auc", False)):
        assert smaller_is_better(task, name) is smaller
    gate = gate_of(dataclasses.replace(MINE, gate=Gate("width/rmse")), SCHEMA)
    assert (gate.smaller_is_better, gate.limit) == (True, None)
    assert gate_of(dataclasses.replace(MINE, gate=Gate("sold/auc")), SCHEMA).limit == 0.5


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (recipe(gate=Gate("rmse")), "gate.metric is 'rmse', and the metrics of these labels are species/accuracy, "),
        (recipe(3), "its labels are 'species', 'width', 'sold', for which a network has 5 outputs, the sum over"),
        (
            recipe(loss="huber"),
            "training.loss is one loss, and there are the labels species, width, sold. Say which it",
        ),
        (recipe(loss={"widht": "huber"}), "training.loss names a label 'widht'. Did you mean 'width'"),
        (recipe(loss_weights={"height": 2.0}), "training.loss_weights names a label 'height'"),
        (recipe(loss={"sold": "huber"}), "training.loss is 'huber', which is no loss of a binary label"),
    ],
)
def test_what_does_not_fit_is_refused(given: Recipe, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        require_fit(given, SCHEMA)


def test_a_recipe_that_fits() -> None:
    require_fit(MINE, SCHEMA)
    require_fit(recipe(0), SCHEMA)


def test_schemas_and_statistics_of_one_label_are_written_as_ever() -> None:
    single = dataclasses.replace(SCHEMA, more_labels=())
    assert set(single.to_json()) == {"fields", "label", "key"}
    assert set(Statistics(10, (4, 6)).to_json()) == {"rows", "classes", "label", "fields"}
    for schema in (single, SCHEMA):
        assert Schema.from_json(json.loads(json.dumps(schema.to_json()))) == schema
    assert Statistics.from_json(json.loads(json.dumps(STATISTICS.to_json()))) == STATISTICS
    assert SCHEMA.subset(set()).labels == SCHEMA.labels


def test_schemas_that_cannot_be() -> None:
    with pytest.raises(BadInputError, match="Two columns are called 'age'"):
        Schema((Field("age", "integer"),), SPECIES, "row", (Label("age"),))
    with pytest.raises(BadInputError, match="several labels are predicted together, and this one is for embedding"):
        Schema((), SPECIES, "row", (dataclasses.replace(SPECIES, name="face", purpose="embedding"),))
