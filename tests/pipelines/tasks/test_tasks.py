"""One contract for all tasks: losses, predictions and held-out metrics, against formulas of other hands."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from sklearn import metrics

from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.features.statistics import FieldStatistics, Statistics
from emberline.pipelines.recipe import Gate, Recipe
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.tasks import gate_of, require_fit, task_of
from emberline.pipelines.tasks.task import Task

TWO = Label("sold", (("no",), ("yes",)))
THREE = Label("kind", (("ash",), ("oak", "oaks"), ("yew",)))
NUMBER = Label("price")
STATISTICS = Statistics(10, label=FieldStatistics(10, 0, mean=300.0, deviation=50.0))
ROWS = 600


def outputs_and_labels(label: Label) -> tuple[Task, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(3)
    match label.task:
        case "binary":
            outputs = generator.normal(size=ROWS)
            truth = generator.random(ROWS) < 1 / (1 + np.exp(-outputs))
        case "multiclass":
            truth = generator.integers(0, 3, ROWS)
            outputs = generator.normal(size=(ROWS, 3)) + np.eye(3)[truth]
        case "regression":
            outputs = generator.normal(size=ROWS)
            truth = 300 + 50 * (outputs + generator.normal(0, 0.3, ROWS))
    return task_of(label, STATISTICS), outputs.astype(np.float32), truth.astype(np.float32)


@pytest.mark.parametrize("label", [TWO, THREE, NUMBER], ids=lambda label: label.task)
def test_the_tallies_of_two_batches_give_the_metrics_of_both(label: Label) -> None:
    task, outputs, truth = outputs_and_labels(label)

    def tally(rows: slice) -> np.ndarray:
        return task.tally(task.predict(tf.constant(outputs[rows])), truth[rows])

    sums = tally(slice(100)) + tally(slice(100, None))
    assert sums.shape == (task.tally_length,)
    found = task.held_out(sums)
    predicted = {name: value.numpy() for name, value in task.predict(tf.constant(outputs)).items()}
    mean_loss = float(tf.reduce_mean(task.losses(tf.constant(outputs), tf.constant(truth))))
    assert found["eval_loss"] == pytest.approx(mean_loss, rel=1e-5), "what is minimised is what is reported"
    match label.task:
        case "binary":
            score = predicted["score"].astype(float)
            assert found["eval_loss"] == pytest.approx(metrics.log_loss(truth, score), rel=1e-6)
            assert found["eval_accuracy"] == metrics.accuracy_score(truth, predicted["class"])
            assert found["eval_auc"] == pytest.approx(metrics.roc_auc_score(truth, score), abs=1e-4)
        case "multiclass":
            probabilities = predicted["probabilities"].astype(float)
            assert found["eval_loss"] == pytest.approx(metrics.log_loss(truth, probabilities), rel=1e-5)
            assert found["eval_accuracy"] == metrics.accuracy_score(truth, predicted["class"])
        case "regression":
            assert found["eval_rmse"] == pytest.approx(metrics.root_mean_squared_error(truth, predicted["prediction"]))
            assert found["eval_mae"] == pytest.approx(metrics.mean_absolute_error(truth, predicted["prediction"]))
            assert found["eval_loss"] == pytest.approx((found["eval_rmse"] / 50) ** 2)


def test_a_worker_without_held_out_rows_changes_nothing() -> None:
    task, outputs, truth = outputs_and_labels(THREE)
    sums = task.tally(task.predict(tf.constant(outputs)), truth)
    assert task.held_out(sums + np.zeros(task.tally_length)) == task.held_out(sums)


@pytest.mark.parametrize("label", [TWO, THREE, NUMBER], ids=lambda label: label.task)
def test_a_prediction_has_the_columns_it_declares(label: Label) -> None:
    task, outputs, _ = outputs_and_labels(label)
    predicted = task.predict(tf.constant(outputs))
    types = {"float": tf.float32, "long": tf.int64, "string": tf.string, "floats": tf.float32}
    assert list(predicted) == [column.name for column in task.columns]
    for column in task.columns:
        assert predicted[column.name].dtype == types[column.type]
        assert predicted[column.name].shape == ((ROWS, task.outputs) if column.type == "floats" else (ROWS,))


def test_several_classes_are_named_and_add_up() -> None:
    task, outputs, _ = outputs_and_labels(THREE)
    predicted = task.predict(tf.constant(outputs))
    names = np.array(["ash", "oak", "yew"])
    assert predicted["class_name"].numpy().astype(str).tolist() == names[outputs.argmax(axis=1)].tolist()
    np.testing.assert_allclose(predicted["probabilities"].numpy().sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(predicted["score"].numpy(), predicted["probabilities"].numpy().max(axis=1))


def test_a_number_is_predicted_in_its_own_unit() -> None:
    task = task_of(NUMBER, STATISTICS)
    assert task.predict(tf.constant([0.0, 2.0]))["prediction"].numpy().tolist() == [300.0, 400.0]
    assert task.losses(tf.constant([0.0]), tf.constant([350.0])).numpy().tolist() == [1.0]


def test_a_constant_number_divides_by_nothing() -> None:
    constant = Statistics(10, label=FieldStatistics(10, 0, mean=7.0, deviation=0.0))
    task = task_of(NUMBER, constant)
    assert task.losses(tf.constant([0.0]), tf.constant([7.0])).numpy().tolist() == [0.0]


def test_a_number_without_statistics_is_refused() -> None:
    with pytest.raises(BadInputError, match=r"no statistics of its numeric label\. Run etl again"):
        task_of(NUMBER, Statistics(10, (4, 6)))


def recipe(outputs: int, metric: str) -> Recipe:
    base = load_recipe("census_wide_deep")
    model = dataclasses.replace(base.model, outputs=outputs)  # type: ignore[type-var]
    return dataclasses.replace(base, name="mine", model=model, gate=Gate(metric, 0.0))


def schema(label: Label, key: str = "row") -> Schema:
    return Schema((Field("age", "integer"),), label, key)


@pytest.mark.parametrize(("label", "outputs", "metric"), [(TWO, 1, "auc"), (THREE, 3, "f1_macro"), (NUMBER, 1, "rmse")])
def test_recipes_that_fit(label: Label, outputs: int, metric: str) -> None:
    require_fit(recipe(outputs, metric), schema(label))


@pytest.mark.parametrize(
    ("given", "data", "message"),
    [
        (
            recipe(1, "accuracy"),
            schema(THREE),
            r"label 'kind' is 3 classes \(ash, oak, yew\), for which a network has 3 outputs, one per class; this one "
            r"has model.outputs=1. Set model.outputs=3",
        ),
        (recipe(2, "auc"), schema(TWO), r"2 classes \(no, yes\), for which a network has 1 output; .*outputs=2"),
        (recipe(3, "rmse"), schema(NUMBER), "label 'price' is a number, for which a network has 1 output; this"),
        (recipe(1, "auc"), schema(NUMBER), "gate.metric is 'auc', and the metrics of a regression label are rmse, mae"),
        (recipe(1, "top_5_accuracy"), schema(TWO), "metrics of a binary label are accuracy, auc"),
        (recipe(1, "auc"), schema(TWO, key="score"), "the data's score would collide .* Rename it"),
        (
            recipe(3, "accuracy"),
            schema(dataclasses.replace(THREE, name="class")),
            "the data's class would collide with the column of that name in predictions",
        ),
    ],
)
def test_recipes_that_do_not(given: Recipe, data: Schema, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        require_fit(given, data)


@pytest.mark.parametrize(
    ("label", "outputs", "expected"),
    [(TWO, 1, ("auc", 0.5)), (THREE, 3, ("accuracy", None)), (NUMBER, 1, ("rmse", None))],
)
def test_a_gate_that_names_no_metric_takes_the_tasks_own(
    label: Label, outputs: int, expected: tuple[str, float | None]
) -> None:
    mine = dataclasses.replace(recipe(outputs, ""), gate=Gate())
    require_fit(mine, schema(label))
    gate = gate_of(mine, schema(label))
    assert (gate.metric, gate.limit) == expected
    assert gate.smaller_is_better is (label is NUMBER)


def test_every_task_judges_by_one_of_its_own_metrics() -> None:
    for purpose in ("reconstruction", "generation", "segmentation", "embedding", "vectors", "language", "translation"):
        label = dataclasses.replace(THREE, purpose=purpose, writes="text" if purpose == "translation" else "")
        task = task_of(label)
        assert task.default_metric in task.metrics, purpose


def test_run_refuses_a_wrong_gate_before_it_imports_spark_sql_or_mlflow() -> None:
    asked = "import sys; from emberline.jobs.run import main; code = main(sys.argv[1:]); "
    asked += (
        "print([name for name in ('mlflow', 'tensorflow', 'emberline.pipelines.run') if name in sys.modules], code)"
    )
    command = [sys.executable, "-c", asked, "houses_crossed", "--set", "gate.metric=auc"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert "gate.metric is 'auc', and the metrics of a regression label are rmse, mae, r2." in done.stderr
    assert done.stdout.splitlines()[-1] == "[] 2"


def test_top_k_is_counted_where_there_are_more_classes() -> None:
    many = Label("digit", tuple((str(digit),) for digit in range(10)))
    assert task_of(THREE).metrics == ("accuracy", "log_loss", "top_2_accuracy", "f1_macro", "f1_micro")
    assert {"top_2_accuracy", "top_5_accuracy"} < set(task_of(many).metrics)
