"""Metrics of numbers, counted in Spark, against scikit-learn's."""

import numpy as np
import pytest
from pyspark.sql import SparkSession
from sklearn import metrics

from emberline.features.errors import BadInputError
from emberline.pipelines.metrics.grouped import ALL, GROUPS
from emberline.pipelines.metrics.regression import regression_metrics


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_they_equal_scikit_learns(spark: SparkSession, offset: float) -> None:
    """Far from zero too, where a variance from sums of squares would have no digits left."""
    generator = np.random.default_rng(1)
    label = (offset + generator.normal(size=1000) * 3).astype(np.float32)
    prediction = (label + generator.normal(size=1000)).astype(np.float32)
    rows = [(float(x), float(y)) for x, y in zip(label, prediction, strict=True)]
    frame = spark.createDataFrame(rows, "label float, prediction float")
    measured = regression_metrics(frame, "label", "prediction")[ALL]
    found, errors = measured.metrics, measured.details["errors"]
    truth, guess = label.astype(float), prediction.astype(float)
    assert found == pytest.approx(
        {
            "rmse": metrics.root_mean_squared_error(truth, guess),
            "mae": metrics.mean_absolute_error(truth, guess),
            "r2": metrics.r2_score(truth, guess),
            "rows": 1000,
        },
        rel=1e-9,
    )
    assert errors["limit"] == pytest.approx(3 * found["rmse"])
    inside = np.clip(guess - truth, -errors["limit"], errors["limit"])
    assert errors["rows"] == np.histogram(inside, 40, (-errors["limit"], errors["limit"]))[0].tolist()


def test_a_slice_counts_as_if_it_were_alone(spark: SparkSession) -> None:
    rows = [(1.0, 2.0, [ALL, 1]), (3.0, 3.5, [ALL, 1]), (7.0, 7.0, [ALL])]
    found = regression_metrics(
        spark.createDataFrame(rows, f"label float, prediction float, {GROUPS} array<int>"), "label", "prediction"
    )
    assert found[1].metrics == pytest.approx({"rmse": (1.25 / 2) ** 0.5, "mae": 0.75, "r2": 1 - 0.625, "rows": 2})
    assert found[ALL].metrics["rows"] == 3


@pytest.mark.parametrize(("prediction", "r2"), [(2.0, 1.0), (3.0, 0.0)])
def test_a_constant_label(spark: SparkSession, prediction: float, r2: float) -> None:
    rows = spark.createDataFrame([(2.0, prediction)] * 3, "label float, prediction float")
    assert regression_metrics(rows, "label", "prediction")[ALL].metrics["r2"] == r2
    assert metrics.r2_score([2.0] * 3, [prediction] * 3) == r2


def test_no_rows_are_refused(spark: SparkSession) -> None:
    with pytest.raises(BadInputError, match="no scored rows"):
        regression_metrics(spark.createDataFrame([], "label float, prediction float"), "label", "prediction")


@pytest.mark.parametrize("unknown", [None, float("nan")])
@pytest.mark.parametrize("what", ["label", "prediction"])
def test_rows_that_cannot_be_judged_are_refused(spark: SparkSession, what: str, unknown: float | None) -> None:
    """Counted among the rows and left out of the means, one such row made an r2 of 0.625 one of 0.9999."""
    row = (unknown, 7.0) if what == "label" else (100.0, unknown)
    rows = spark.createDataFrame([(1.0, 1.5), (2.0, 2.5), (3.0, 2.5), row], "label double, prediction double")
    with pytest.raises(BadInputError, match=f"The {what} of 1 of 4 rows is no number"):
        regression_metrics(rows, "label", "prediction")
