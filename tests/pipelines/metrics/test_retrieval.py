"""Ranked lists against scikit-learn's average precision, query by query."""

import numpy as np
import pytest
from pyspark.sql import SparkSession
from sklearn.metrics import average_precision_score

from emberline.features.errors import BadInputError
from emberline.pipelines.metrics.retrieval import retrieval_metrics

COLUMNS = "query string, score double, relevant int"


def test_means_over_queries(spark: SparkSession) -> None:
    generator = np.random.default_rng(1)
    queries = {f"q{index}": (np.round(generator.random(12), 1), generator.random(12) < 0.15) for index in range(30)}
    rows = [
        (name, float(s), int(r))
        for name, (scores, relevant) in queries.items()
        for s, r in zip(scores, relevant, strict=True)
    ]
    found = retrieval_metrics(spark.createDataFrame(rows, COLUMNS), "query", "score", "relevant").metrics
    answered = [(scores, relevant) for scores, relevant in queries.values() if relevant.any()]
    assert len(answered) < 30, "a query without any relevant item is among them"
    assert found["map"] == pytest.approx(np.mean([average_precision_score(r, s) for s, r in answered]))
    assert found["mrr"] == pytest.approx(np.mean([1 / np.sum(s >= s[r].max()) for s, r in answered]))
    assert (found["queries"], found["rows"]) == (len(answered), 360)


def test_nothing_relevant_is_refused(spark: SparkSession) -> None:
    with pytest.raises(BadInputError, match="no scored rows"):
        retrieval_metrics(spark.createDataFrame([("a", 1.0, 0)], COLUMNS), "query", "score", "relevant")
