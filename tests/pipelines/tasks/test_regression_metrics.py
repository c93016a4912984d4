"""Metrics of numbers, counted in Spark, against scikit-learn's."""

import numpy as np
import pytest
from pyspark.sql import SparkSession
from sklearn import metrics

from features.errors import BadInputError
from pipelines.tasks.regression_metrics import regression_metrics


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_they_equal_scikit_learns(spark: SparkSession, offset: float) -> None:
    """Far from zero too, where a variance from sums of squares would have no digits left."""
    generator = np.random.default_rng(1)
    label = (offset + generator.normal(size=1000) * 3).astype(np.float32)
    prediction = (label + generator.normal(size=1000)).astype(np.float32)
    rows = [(float(x), float(y)) for x, y in zip(label, prediction, strict=True)]
    found = regression_metrics(spark.createDataFrame(rows, "label float, prediction float"), "label", "prediction")
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


@pytest.mark.parametrize(("prediction", "r2"), [(2.0, 1.0), (3.0, 0.0)])
def test_a_constant_label(spark: SparkSession, prediction: float, r2: float) -> None:
    rows = spark.createDataFrame([(2.0, prediction)] * 3, "label float, prediction float")
    assert regression_metrics(rows, "label", "prediction")["r2"] == r2
    assert metrics.r2_score([2.0] * 3, [prediction] * 3) == r2


def test_no_rows_are_refused(spark: SparkSession) -> None:
    with pytest.raises(BadInputError, match="no scored rows"):
        regression_metrics(spark.createDataFrame([], "label float, prediction float"), "label", "prediction")
