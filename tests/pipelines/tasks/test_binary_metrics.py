"""Metrics counted in Spark against scikit-learn's."""

import numpy as np
import pytest
from pyspark.sql import SparkSession
from sklearn import metrics

from features.errors import BadInputError
from pipelines.datasets.synthetic import roc_auc
from pipelines.tasks.binary_metrics import binary_metrics


@pytest.mark.parametrize("decimals", [1, 2, 7])
def test_they_equal_scikit_learns(spark: SparkSession, decimals: int) -> None:
    """Few decimals make many ties, which is where formulas for areas differ."""
    generator = np.random.default_rng(decimals)
    score = np.round(generator.beta(1, 2, 2000), decimals).astype(np.float32)
    label = (generator.random(2000) < score * 0.8 + 0.1).astype(np.float32)
    frame = spark.createDataFrame(
        [(float(x), float(y)) for x, y in zip(score, label, strict=True)], "score float, label float"
    )
    found = binary_metrics(frame, "label", "score")
    clipped = np.clip(score.astype(float), 1e-7, 1 - 1e-7)
    expected = {
        "accuracy": metrics.accuracy_score(label, score > 0.5),
        "auc": metrics.roc_auc_score(label, score),
        "pr_auc": metrics.average_precision_score(label, score),
        "log_loss": metrics.log_loss(label, clipped),
        "positive_rate": label.mean(),
        "rows": 2000,
    }
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-9), name
    assert roc_auc(label.astype(float), score.astype(float)) == pytest.approx(expected["auc"], abs=1e-12)


def test_one_class_alone_is_refused(spark: SparkSession) -> None:
    with pytest.raises(BadInputError, match="same label; AUC needs both"):
        binary_metrics(spark.createDataFrame([(0.5, 1.0)], "score float, label float"), "label", "score")
    with pytest.raises(BadInputError, match="no scored rows"):
        binary_metrics(spark.createDataFrame([], "score float, label float"), "label", "score")
