"""Metrics of two classes, counted in Spark, against scikit-learn's."""

import numpy as np
import pytest
from pyspark.sql import SparkSession
from sklearn import metrics
from sklearn.calibration import calibration_curve

from emberline.features.errors import BadInputError
from emberline.pipelines.datasets.synthetic import roc_auc
from emberline.pipelines.metrics.binary import binary_metrics
from emberline.pipelines.metrics.definitions import left_out
from emberline.pipelines.metrics.grouped import ALL, GROUPS
from emberline.pipelines.metrics.ranking import CALIBRATION_BINS


@pytest.mark.parametrize(("decimals", "threshold"), [(1, 0.5), (2, 0.3), (7, 0.5)])
def test_they_equal_scikit_learns(spark: SparkSession, decimals: int, threshold: float) -> None:
    """Few decimals make many ties, which is where formulas for areas differ."""
    generator = np.random.default_rng(decimals)
    score = np.round(generator.beta(1, 2, 2000), decimals).astype(np.float32)
    label = (generator.random(2000) < score * 0.8 + 0.1).astype(np.float32)
    frame = spark.createDataFrame(
        [(float(x), float(y)) for x, y in zip(score, label, strict=True)], "score float, label float"
    )
    measured = binary_metrics(frame, "label", "score", threshold)[ALL]
    predicted = score.astype(float) > threshold
    expected = {
        "accuracy": metrics.accuracy_score(label, predicted),
        "auc": metrics.roc_auc_score(label, score),
        "pr_auc": metrics.average_precision_score(label, score),
        "precision": metrics.precision_score(label, predicted),
        "recall": metrics.recall_score(label, predicted),
        "f1": metrics.f1_score(label, predicted),
        "log_loss": metrics.log_loss(label, score),  # clipped by the epsilon of float32
        "brier": metrics.brier_score_loss(label, score.astype(float)),
        "positive_rate": label.mean(),
        "rows": 2000,
    }
    found = dict(measured.metrics)
    weights = [bin["rows"] / 2000 for bin in measured.details["calibration"]]
    distances = [abs(bin["score"] - bin["share"]) for bin in measured.details["calibration"]]
    assert found.pop("calibration_error") == pytest.approx(np.dot(weights, distances))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        # scikit-learn takes its logarithms of float32 in float32.
        assert found[name] == pytest.approx(value, abs=1e-6 if name == "log_loss" else 1e-9), name
    assert roc_auc(label.astype(float), score.astype(float)) == pytest.approx(expected["auc"], abs=1e-12)
    assert measured.details["confusion"] == metrics.confusion_matrix(label, predicted).tolist()


@pytest.mark.parametrize("scale", [1, 1e-3])
def test_calibration_and_curve_are_scikit_learns(spark: SparkSession, scale: float) -> None:
    """The second is a rare event: its scores would all lie in the first of twenty parts of equal width."""
    generator = np.random.default_rng(3)
    score = generator.random(3000) ** 8 * scale
    label = generator.random(3000) < (score / scale) ** 0.5
    frame = spark.createDataFrame(
        [(float(x), float(y)) for x, y in zip(score, label, strict=True)], "score double, label float"
    )
    details = binary_metrics(frame, "label", "score")[ALL].details
    share, mean = calibration_curve(label, score, n_bins=CALIBRATION_BINS, strategy="quantile")
    assert len(share) == CALIBRATION_BINS
    np.testing.assert_allclose([bin["share"] for bin in details["calibration"]], share)
    np.testing.assert_allclose([bin["score"] for bin in details["calibration"]], mean)
    false, true, thresholds = metrics.roc_curve(label, score, drop_intermediate=False)
    exact = {threshold: (t, f) for threshold, t, f in zip(thresholds, true, false, strict=True)}
    curve = details["curve"]
    assert 100 < len(curve["score"]) <= 4 * 101 + 4
    for threshold, hits, alarms in zip(curve["score"], curve["hits"], curve["alarms"], strict=True):
        assert exact[threshold] == pytest.approx((hits / label.sum(), alarms / (~label).sum())), threshold
    assert (curve["hits"][-1], curve["alarms"][-1]) == (label.sum(), (~label).sum())
    for axis, total in (("hits", label.sum()), ("alarms", (~label).sum())):
        assert np.diff(np.array([0, *curve[axis]]) / total).max() < 0.011, "no gap that a drawing would show"


def test_a_slice_counts_as_if_it_were_alone(spark: SparkSession) -> None:
    generator = np.random.default_rng(5)
    rows = [
        (float(np.float32(generator.random())), float(generator.integers(2)), [ALL, 1 + index % 3, 4])
        for index in range(300)
    ]
    rows = [(score, 1.0 if 3 in groups else label, groups) for score, label, groups in rows]
    found = binary_metrics(
        spark.createDataFrame(rows, f"score float, label float, {GROUPS} array<int>"), "label", "score"
    )
    assert found.keys() == {ALL, 1, 2, 3, 4}
    for group in (1, 2):
        score, label = (np.array([row[column] for row in rows if group in row[2]]) for column in (0, 1))
        assert found[group].metrics["rows"] == 100
        assert found[group].metrics["auc"] == pytest.approx(metrics.roc_auc_score(label, score))
        assert found[group].metrics["pr_auc"] == pytest.approx(metrics.average_precision_score(label, score))
        assert found[group].metrics["f1"] == pytest.approx(metrics.f1_score(label, score > 0.5))
    assert found[4].metrics == pytest.approx(found[ALL].metrics)
    assert not {"auc", "pr_auc"} & found[3].metrics.keys(), "all of it is of one class"
    assert found[3].metrics["positive_rate"] == 1
    assert not found[1].details


def test_rows_of_one_class_have_no_auc_and_say_why(spark: SparkSession) -> None:
    scores = [0.25, 0.125, 0.75]
    rows = spark.createDataFrame([(score, 0.0) for score in scores], "score float, label float")
    found = binary_metrics(rows, "label", "score")[ALL]
    assert left_out(found.details) == dict.fromkeys(
        ("auc", "pr_auc"), "all 3 held-out rows have the same label, and it needs both"
    )
    assert not {"auc", "pr_auc"} & found.metrics.keys()
    assert found.metrics["log_loss"] == pytest.approx(metrics.log_loss([0, 0, 0], scores, labels=[0, 1]))
    assert found.metrics["accuracy"] == pytest.approx(2 / 3)
    assert "curve" not in found.details
    assert found.details["confusion"] == [[2, 1], [0, 0]]


def test_rows_that_cannot_be_judged_are_refused(spark: SparkSession) -> None:
    def measure(*rows: tuple[float, float]) -> None:
        binary_metrics(spark.createDataFrame(list(rows), "score float, label float"), "label", "score")

    with pytest.raises(BadInputError, match="no scored rows"):
        measure()
    for unknown in (None, float("nan")):
        with pytest.raises(BadInputError, match="The label of 1 of 2 rows is no number"):
            measure((0.5, 1.0), (0.5, unknown))  # type: ignore[arg-type]
    with pytest.raises(BadInputError, match="The score of 1 of 3 rows is no number"):
        measure((0.5, 1.0), (float("nan"), 0.0), (0.1, 0.0))
