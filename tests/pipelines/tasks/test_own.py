"""A recipe's own losses and metrics on ordinary labels, against Keras, scikit-learn and formulas by hand."""

import dataclasses
from typing import Any

import cloudpickle
import keras
import numpy as np
import pytest
import tensorflow as tf
from pyspark.sql import SparkSession
from scipy import stats
from sklearn import metrics

from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.features.statistics import FieldStatistics, Statistics
from emberline.pipelines.metrics.grouped import GROUPS
from emberline.pipelines.recipe import (
    Evaluation,
    Gate,
    KerasMetric,
    Loss,
    MeanMetric,
    Recipe,
    SumMetric,
    WholeMetric,
)
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.tasks import gate_of, require_fit, smaller_is_better, task_of
from emberline.pipelines.tasks.losses import KERAS

TWO = Label("sold", (("no",), ("yes",)))
THREE = Label("kind", (("ash",), ("oak", "oaks"), ("yew",)))
NUMBER = Label("price")
STATISTICS = Statistics(10, label=FieldStatistics(10, 0, mean=300.0, deviation=50.0))
ROWS = 500


def recipe(
    label: Label, loss: Any = "", own: tuple[Any, ...] = (), gate: Gate | None = None, **training: Any
) -> Recipe:
    base = load_recipe("census_wide_deep")
    outputs = len(label.classes) if len(label.classes) > 2 else 1
    return dataclasses.replace(
        base,
        name="mine",
        model=dataclasses.replace(base.model, outputs=outputs),  # type: ignore[type-var]
        training=dataclasses.replace(base.training, loss=loss, **training),
        evaluation=Evaluation(metrics=own),
        gate=gate or Gate(),
    )


def drawn(label: Label) -> tuple[np.ndarray, np.ndarray]:
    """What a network says, and the truth."""
    draw = np.random.default_rng(5)
    if label.task == "multiclass":
        return draw.normal(size=(ROWS, 3)).astype(np.float32), draw.integers(0, 3, ROWS).astype(np.float32)
    said = draw.normal(size=ROWS).astype(np.float32)
    truth = draw.random(ROWS) < 0.5 if label.classes else draw.normal(300, 50, ROWS)
    return said, truth.astype(np.float32)


def losses(label: Label, loss: Any, **training: Any) -> np.ndarray:
    said, truth = drawn(label)
    task = task_of(label, STATISTICS, recipe(label, loss, **training))
    return task.losses(tf.constant(said), tf.constant(truth)).numpy()


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values.astype(np.float64)))


def test_named_losses_are_those_of_keras() -> None:
    for names in KERAS.values():
        for name, kind in names.items():
            assert issubclass(getattr(keras.losses, kind), keras.losses.Loss), name


@pytest.mark.parametrize("given", ["huber", Loss("huber"), keras.losses.Huber(), Loss(keras.losses.Huber)])
def test_huber_is_of_standard_deviations(given: Any) -> None:
    said, truth = drawn(NUMBER)
    error = np.abs(said - (truth - 300.0) / 50.0)
    expected = np.where(error <= 1, error**2 / 2, error - 0.5)
    np.testing.assert_allclose(losses(NUMBER, given), expected, rtol=1e-5)


def test_a_label_that_is_not_standardised_is_predicted_as_it_is() -> None:
    said, truth = drawn(NUMBER)
    mine = recipe(NUMBER, Loss("huber", {"delta": 20.0}), standardize_label=False)
    task = task_of(NUMBER, STATISTICS, mine)
    assert task.predict(tf.constant(said))["prediction"].numpy().tolist() == said.tolist()
    error = np.abs(said - truth)
    expected = np.where(error <= 20, error**2 / 2, 20 * error - 200)
    np.testing.assert_allclose(task.losses(tf.constant(said), tf.constant(truth)), expected, rtol=1e-5)
    ratio = losses(NUMBER, "mape", standardize_label=False)
    np.testing.assert_allclose(ratio, 100 * np.abs((truth - said) / truth), rtol=1e-5)


@pytest.mark.parametrize("given", ["focal", "binary_focal_crossentropy", keras.losses.BinaryFocalCrossentropy()])
def test_focal_loss_of_two_classes(given: Any) -> None:
    said, truth = drawn(TWO)
    right = np.where(truth > 0.5, sigmoid(said), 1 - sigmoid(said))
    np.testing.assert_allclose(losses(TWO, given), -((1 - right) ** 2) * np.log(right), rtol=1e-4)


def test_losses_of_probabilities_margins_and_several_classes() -> None:
    said, truth = drawn(TWO)
    np.testing.assert_allclose(losses(TWO, "mse"), (sigmoid(said) - truth) ** 2, rtol=1e-4)
    np.testing.assert_allclose(losses(TWO, "hinge"), np.maximum(1 - (2 * truth - 1) * said, 0), rtol=1e-5)
    said, truth = drawn(THREE)
    own = np.take_along_axis(np.log(softmax(said)), truth.astype(int)[:, None], 1)[:, 0]
    np.testing.assert_allclose(losses(THREE, "sparse_categorical_crossentropy"), -own, rtol=1e-4)
    smooth = Loss("categorical_crossentropy", {"label_smoothing": 0.1})
    expected = -0.9 * own - 0.1 * np.log(softmax(said)).mean(axis=1)
    np.testing.assert_allclose(losses(THREE, smooth), expected, rtol=1e-4)
    np.testing.assert_allclose(losses(THREE, "focal"), -0.25 * (1 - np.exp(own)) ** 2 * own, rtol=1e-4)


def test_focal_losses_learn_from_rows_that_are_very_wrong() -> None:
    truth = np.array([1.0, 1.0], np.float32)
    for label, said, weight in (
        (TWO, np.array([-20.0, -50.0]), 1.0),
        (THREE, np.array([[0, -20, -99], [0, -50, -99]]), 0.25),
    ):
        given = tf.constant(said.astype(np.float32))
        task = task_of(label, STATISTICS, recipe(label, "focal"))
        with tf.GradientTape() as tape:
            tape.watch(given)
            found = task.losses(given, tf.constant(truth))
        slope = tape.gradient(found, given).numpy().reshape(2, -1)
        np.testing.assert_allclose(found, [20.0 * weight, 50.0 * weight], rtol=1e-5)
        np.testing.assert_allclose(slope[:, 1 if label is THREE else 0], -weight, rtol=1e-5)


def test_focal_loss_of_several_classes_is_that_of_keras() -> None:
    said, truth = drawn(THREE)
    settings = {"alpha": [0.2, 0.3, 0.5], "gamma": 1.5, "label_smoothing": 0.1}
    theirs = keras.losses.CategoricalFocalCrossentropy(**settings, from_logits=True, reduction="none")
    expected = theirs(tf.one_hot(truth.astype(int), 3), tf.constant(said))
    np.testing.assert_allclose(losses(THREE, Loss("focal", settings)), expected, rtol=1e-4)


def softmax(values: np.ndarray) -> np.ndarray:
    raised = np.exp(values.astype(np.float64))
    return raised / raised.sum(axis=1, keepdims=True)


def ranked(label: tf.Tensor, output: tf.Tensor) -> tf.Tensor:
    """A pairwise ranking loss within the batch: who is dearer should be said to be dearer."""
    dearer = tf.cast(label[:, None] > label[None, :], tf.float32)
    return tf.reduce_mean(dearer * tf.nn.softplus(output[None, :] - output[:, None]), axis=1)


def test_a_function_is_given_the_label_and_what_the_network_says() -> None:
    said, truth = drawn(TWO)
    np.testing.assert_allclose(losses(TWO, lambda label, output: label * output), truth * said, rtol=1e-6)
    said, truth = drawn(NUMBER)
    expected = [np.mean((truth[row] > truth) * np.log1p(np.exp(said.astype(float) - said[row]))) for row in range(ROWS)]
    np.testing.assert_allclose(losses(NUMBER, ranked), expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("label", "loss", "message"),
    [
        (NUMBER, "hubber", "training.loss is 'hubber', which is no loss of a regression label. Did you mean 'huber'"),
        (TWO, "huber", "'huber', which is no loss of a binary label. Known: binary_crossentropy, "),
        (NUMBER, "poisson", "the label 'price' is standardised. Set training.standardize_label=False"),
        (dataclasses.replace(THREE, purpose="embedding"), "mse", "a network for embedding states its loss itself"),
    ],
)
def test_a_loss_that_does_not_fit_is_refused_before_anything_runs(label: Label, loss: Any, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        require_fit(recipe(label, loss), Schema((Field("age", "integer"),), label, "row"))


def test_a_loss_that_fails_is_told_by_its_name() -> None:
    with pytest.raises(BadInputError, match="is the name of a Keras loss, one of its objects, or a function"):
        recipe(NUMBER, 3)

    def late(label: tf.Tensor, output: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(label - output)

    with pytest.raises(BadInputError, match=r"The loss 'late' of the recipe says a tensor of shape \(\), expected"):
        losses(NUMBER, late)
    with pytest.raises(BadInputError, match=r"The loss 'huber' of the recipe failed|takes no 'dalta'. Did you mean"):
        losses(NUMBER, Loss("huber", {"dalta": 1.0}))
    with pytest.raises(BadInputError, match="The loss '<lambda>' of the recipe failed: ZeroDivisionError"):
        losses(NUMBER, lambda label, output: 1 / 0)


def test_a_recipe_of_own_losses_travels_and_is_plain() -> None:
    mine = recipe(NUMBER, keras.losses.Huber(delta=2.0), (keras.metrics.MeanAbsoluteError(name="off"),))
    assert mine.to_json()["training"]["loss"] == {"kind": "Huber", "settings": {"delta": 2.0}}
    again = cloudpickle.loads(cloudpickle.dumps(mine))
    assert again.to_json() == mine.to_json()


# Metrics


def costs(labels: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    return np.where(predictions > labels, predictions - labels, 10 * (labels - predictions))


COST = MeanMetric("cost", costs, smaller_is_better=True)
BIAS = SumMetric("bias", lambda labels, said: [said.sum(), labels.sum()], lambda sums: sums[0] / sums[1])
RANK = WholeMetric("rank", lambda labels, said: stats.spearmanr(labels, said).statistic)


def test_metrics_of_an_epoch_are_the_same_in_any_parts() -> None:
    said, truth = drawn(NUMBER)
    own = (COST, BIAS, RANK, keras.metrics.LogCoshError(name="cosh"), KerasMetric("R2Score", name="r2_too"))
    task = task_of(NUMBER, STATISTICS, recipe(NUMBER, "huber", own))
    total = np.zeros(task.tally_length)
    for part in np.array_split(np.arange(ROWS), 3):
        outputs, label = tf.constant(said[part]), tf.constant(truth[part])
        total += task.tally(task.predict(outputs) | task.row_losses(outputs, label), truth[part])  # type: ignore[attr-defined]
    found = task.held_out(total)
    predictions, labels = said * 50.0 + 300.0, truth.astype(float)
    assert found["eval_loss"] == pytest.approx(losses(NUMBER, "huber").mean(), rel=1e-5)
    assert found["eval_cost"] == pytest.approx(costs(labels, predictions).mean(), rel=1e-5)
    assert found["eval_bias"] == pytest.approx(predictions.sum() / labels.sum(), rel=1e-6)
    assert found["eval_r2_too"] == pytest.approx(metrics.r2_score(labels, predictions), rel=1e-4)
    error = predictions - labels
    log_cosh = np.logaddexp(error, -error) - np.log(2)
    assert found["eval_cosh"] == pytest.approx(log_cosh.mean(), rel=1e-4)
    assert "eval_rank" not in found
    assert task.metrics == ("rmse", "mae", "r2", "cost", "bias", "rank", "cosh", "r2_too")


def test_metrics_in_spark_are_those_of_all_rows_and_of_every_group(spark: SparkSession) -> None:
    said, truth = drawn(NUMBER)
    group = np.arange(ROWS) % 3
    rows = [(float(s * 50 + 300), float(t), [0, int(g) + 1]) for s, t, g in zip(said, truth, group, strict=True)]
    scored = spark.createDataFrame(rows, f"prediction float, price float, {GROUPS} array<int>").repartition(3)
    own = (COST, BIAS, RANK, KerasMetric("R2Score", name="r2_too"))
    found = task_of(NUMBER, STATISTICS, recipe(NUMBER, own=own)).evaluate(scored, "price", 0.5)
    predictions, labels = (said * np.float32(50) + np.float32(300)).astype(float), truth.astype(float)
    for number, its in {0: group >= 0, **{n + 1: group == n for n in range(3)}}.items():
        mine, said_, labels_ = found[number].metrics, predictions[its], labels[its]
        assert mine["cost"] == pytest.approx(costs(labels_, said_).mean(), rel=1e-6), number
        assert mine["bias"] == pytest.approx(said_.sum() / labels_.sum(), rel=1e-6)
        assert mine["rank"] == pytest.approx(stats.spearmanr(labels_, said_).statistic, rel=1e-6)
        assert mine["r2_too"] == pytest.approx(metrics.r2_score(labels_, said_), rel=1e-4)
        assert mine["mae"] == pytest.approx(np.abs(labels_ - said_).mean(), rel=1e-6)
        assert list(mine)[-1] == "rows"
        assert mine["rows"] == its.sum()


def test_metrics_of_several_classes_see_probabilities(spark: SparkSession) -> None:
    said, truth = drawn(THREE)
    own = (
        MeanMetric("sure", lambda labels, probabilities: probabilities.max(axis=1)),
        keras.metrics.SparseTopKCategoricalAccuracy(k=2, name="second"),
        keras.metrics.CategoricalCrossentropy(name="surprise"),
    )
    mine = recipe(THREE, own=own)
    task = task_of(THREE, None, mine)
    probabilities = softmax(said)
    found = task.held_out(task.tally(task.predict(tf.constant(said)), truth))
    rows = [(p.tolist(), int(p.argmax()), float(t)) for p, t in zip(probabilities, truth, strict=True)]
    scored = spark.createDataFrame(rows, "probabilities array<float>, class long, kind float")
    in_spark = task.evaluate(scored, "kind", 0.5)[0].metrics
    for name, expected in (
        ("sure", probabilities.max(axis=1).mean()),
        ("second", metrics.top_k_accuracy_score(truth, probabilities, k=2)),
        ("surprise", metrics.log_loss(truth, probabilities)),
    ):
        assert found[f"eval_{name}"] == pytest.approx(expected, rel=1e-4)
        assert in_spark[name] == pytest.approx(expected, rel=1e-4)
    assert in_spark["surprise"] == pytest.approx(in_spark["log_loss"], rel=1e-4)


def test_gates_know_their_names_and_directions() -> None:
    mine = recipe(NUMBER, own=(COST, RANK), gate=Gate("cost", 100.0))
    schema = Schema((Field("age", "integer"),), NUMBER, "row")
    gate = gate_of(mine, schema)
    assert gate.smaller_is_better
    task = task_of(NUMBER, recipe=mine)
    assert [smaller_is_better(task, name) for name in ("eval_cost", "rank", "eval_rmse", "r2")] == [
        True,
        False,
        True,
        False,
    ]
    with pytest.raises(BadInputError, match=r"of a regression label are rmse, mae, r2, cost, rank. Set gate.metric"):
        gate_of(dataclasses.replace(mine, gate=Gate("costs")), schema)


class Most(keras.metrics.Metric):
    """The largest prediction: the largest of all rows is not the sum of those of two parts."""

    def __init__(self, name: str = "most", dtype: Any = None) -> None:
        super().__init__(name=name)
        self.most = self.add_weight(shape=(), initializer="zeros", name="most")

    def update_state(self, truth: Any, said: Any, sample_weight: Any = None) -> None:
        self.most.assign(np.maximum(np.array(self.most), np.max(said)))

    def result(self) -> Any:
        return self.most


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ((costs,), r"evaluation.metrics has costs: expected a Metric.*MeanMetric\('costs', costs\), one of all rows"),
        ((MeanMetric("rmse", costs),), "evaluation.metrics has 'rmse', which is the name of another metric"),
        ((COST, COST), "evaluation.metrics has 'cost', which is the name of another metric"),
        ((MeanMetric("odd", lambda labels, said: 1 / 0),), "The metric 'odd' of the recipe failed: ZeroDivisionError"),
        (
            (MeanMetric("odd", lambda labels, said: 1.0),),
            "Metric 'odd': expected a number for each of . rows.*WholeMetric",
        ),
        ((KerasMetric("R2Scor"),), "There is no metric 'R2Scor' in Keras. Did you mean 'R2Score'"),
        ((Most(name="most"),), "The sums of metric 'most' do not add up over rows: .*WholeMetric"),
        # The mean of the correlations inside batches, which is another number for other batches.
        (
            (KerasMetric("PearsonCorrelation", {"axis": 0}),),
            "The sums of metric 'pearsoncorrelation' do not add up over rows: .*WholeMetric",
        ),
        ((KerasMetric("CosineSimilarity", {"axis": 0}),), "'cosinesimilarity' do not add up over rows: .*WholeMetric"),
    ],
)
def test_metrics_that_cannot_be_counted(own: tuple[Any, ...], message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        task_of(NUMBER, STATISTICS, recipe(NUMBER, own=own)).tally_length  # noqa: B018
