"""Metrics of several classes, counted in Spark, against scikit-learn's."""

import numpy as np
import pytest
from pyspark.sql import SparkSession
from sklearn import metrics

from emberline.features.errors import BadInputError
from emberline.pipelines.metrics.grouped import ALL, GROUPS
from emberline.pipelines.metrics.multiclass import multiclass_metrics

COLUMNS = "label float, class long, probabilities array<float>"


@pytest.mark.parametrize("classes", [3, 7])
def test_they_equal_scikit_learns(spark: SparkSession, classes: int) -> None:
    """The last class is never true: it counts for F1 only when it was predicted."""
    generator = np.random.default_rng(classes)
    label = generator.integers(0, classes - 1, 1500)
    logits = generator.normal(size=(1500, classes)) + 1.5 * np.eye(classes)[label]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    probabilities[:40, 0], probabilities[:40, 1:] = 1.0, 0.0  # certain, and often wrong: the floor of the logarithm
    probabilities = probabilities.astype(np.float32)
    chosen = probabilities.argmax(axis=1)
    rows = [(float(x), int(y), z) for x, y, z in zip(label, chosen, probabilities.tolist(), strict=True)]
    top = (2, 5) if classes == 7 else (2,)
    measured = multiclass_metrics(spark.createDataFrame(rows, COLUMNS), "label", classes, top)[ALL]
    found, confusion = measured.metrics, measured.details["confusion"]
    everything = list(range(classes))
    clipped = np.clip(probabilities.astype(float), np.finfo(np.float32).eps, None)
    expected = {
        "accuracy": metrics.accuracy_score(label, chosen),
        "log_loss": -np.mean(np.log(clipped[np.arange(1500), label])),
        **{
            f"top_{k}_accuracy": metrics.top_k_accuracy_score(label[40:], probabilities[40:], k=k, labels=everything)
            for k in top
        },
        "f1_macro": metrics.f1_score(label, chosen, average="macro"),
        "f1_micro": metrics.f1_score(label, chosen, average="micro"),
        "rows": 1500,
    }
    assert found.keys() == expected.keys()
    exact = multiclass_metrics(spark.createDataFrame(rows[40:], COLUMNS), "label", classes, top)[ALL].metrics
    for name, value in expected.items():
        # Without the rows of equal probabilities, whose order scikit-learn turns the other way round.
        compared = exact if name.startswith("top_") else found
        assert compared[name] == pytest.approx(value, abs=1e-9), name
    assert exact["log_loss"] == pytest.approx(
        metrics.log_loss(label[40:], probabilities[40:].astype(float), labels=everything), abs=1e-6
    )
    np.testing.assert_array_equal(confusion, metrics.confusion_matrix(label, chosen, labels=everything))


def test_of_equally_likely_classes_the_smaller_id_is_first(spark: SparkSession) -> None:
    rows = [(float(label), 0, [0.25] * 4) for label in range(4)]
    found = multiclass_metrics(spark.createDataFrame(rows, COLUMNS), "label", 4, (1, 2, 3))[ALL].metrics
    assert [found[f"top_{k}_accuracy"] for k in (1, 2, 3)] == [0.25, 0.5, 0.75]
    assert found["top_1_accuracy"] == found["accuracy"]


def test_a_slice_counts_as_if_it_were_alone(spark: SparkSession) -> None:
    """Class 3 is neither true nor predicted in group 1, and class 2 only predicted: each F1 has classes of its own."""
    truth, chosen = [0, 0, 1, 1, 3, 2], [0, 2, 1, 0, 3, 2]
    rows = [
        (float(x), y, [0.1 + 0.7 * (k == y) for k in range(4)], [ALL, 1] if i < 4 else [ALL])
        for i, (x, y) in enumerate(zip(truth, chosen, strict=True))
    ]
    frame = spark.createDataFrame(rows, f"{COLUMNS}, {GROUPS} array<int>")
    found = multiclass_metrics(frame, "label", 4, (2,))
    alone = multiclass_metrics(frame.limit(4).drop(GROUPS), "label", 4, (2,))[ALL]
    assert found.keys() == {ALL, 1}
    assert found[1].metrics == pytest.approx(alone.metrics)
    assert found[1].metrics["f1_macro"] == pytest.approx(metrics.f1_score(truth[:4], chosen[:4], average="macro"))
    assert found[ALL].metrics["f1_macro"] == pytest.approx(metrics.f1_score(truth, chosen, average="macro"))
    assert "confusion" not in found[1].details


def test_no_rows_are_refused(spark: SparkSession) -> None:
    with pytest.raises(BadInputError, match="no scored rows"):
        multiclass_metrics(spark.createDataFrame([], COLUMNS), "label", 3)


def test_rows_that_cannot_be_judged_are_refused(spark: SparkSession) -> None:
    """A missing label was a place in an array, and there all places: it changed a whole row of the confusion."""
    good = [(1.0, 0, [0.5, 0.3, 0.2])]
    for what, bad in (("label", (None, 2, [0.1, 0.2, 0.7])), ("probability", (2.0, 0, [float("nan")] * 3))):
        with pytest.raises(BadInputError, match=f"The {what} of 1 of 2 rows is no number"):
            multiclass_metrics(spark.createDataFrame([*good, bad], COLUMNS), "label", 3)
