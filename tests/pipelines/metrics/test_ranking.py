"""Areas that are summed in pieces, against scikit-learn's over all rows at once."""

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from sklearn import metrics

from emberline.pipelines.metrics.grouped import ALL, GROUPS
from emberline.pipelines.metrics.ranking import CURVE_CELLS, Ranking, _Thinning, rank

ROOT = Path(__file__).parents[3]
ROWS = st.lists(
    st.tuples(st.sampled_from([-2.0, 0.0, 0.25, 0.5, 1e-8, 3.0]), st.booleans(), st.booleans()), min_size=1, max_size=60
)


def rank_in_pieces(
    spark: SparkSession, rows: list[tuple[float, bool, list[int]]], rows_per_range: int
) -> dict[int, Ranking]:
    frame = spark.createDataFrame(rows, f"score double, positive boolean, {GROUPS} array<int>")
    return rank(frame, F.col("score"), F.col("positive"), rows_per_range=rows_per_range)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS)
def test_any_rows_in_any_pieces(spark: SparkSession, rows: list[tuple[float, bool, bool]]) -> None:
    """Ties across all pieces, groups that begin and end anywhere, groups without one of the classes."""
    found = rank_in_pieces(spark, [(s, p, [ALL, 7] if sliced else [ALL]) for s, p, sliced in rows], 7)
    for group, ranking in found.items():
        members = [(s, p) for s, p, sliced in rows if group == ALL or sliced]
        score, positive = np.array([s for s, _ in members]), np.array([p for _, p in members])
        assert (ranking.positives, ranking.negatives) == (positive.sum(), (~positive).sum())
        if positive.any() and not positive.all():
            assert ranking.auc == pytest.approx(metrics.roc_auc_score(positive, score))
        else:
            assert np.isnan(ranking.auc)
        if positive.any():
            assert ranking.average_precision == pytest.approx(metrics.average_precision_score(positive, score))
    assert (7 in found) == any(sliced for *_, sliced in rows)


def test_many_ranges_and_batches_equal_one(spark: SparkSession) -> None:
    generator = np.random.default_rng(1)
    score = np.round(generator.normal(size=30_000), 4)
    positive = generator.random(30_000) < 1 / (1 + np.exp(-score))
    rows = [(float(s), bool(p), [ALL]) for s, p in zip(score, positive, strict=True)]
    # So few rows Spark would else put into one partition wherever it moves them, and nobody would see it.
    spark.conf.set("spark.sql.adaptive.coalescePartitions.enabled", "false")
    try:
        pieces, whole = rank_in_pieces(spark, rows, 4000)[ALL], rank_in_pieces(spark, rows, 10**9)[ALL]
    finally:
        spark.conf.unset("spark.sql.adaptive.coalescePartitions.enabled")
    assert pieces.auc == pytest.approx(metrics.roc_auc_score(positive, score), abs=1e-12)
    assert pieces.average_precision == pytest.approx(metrics.average_precision_score(positive, score), abs=1e-12)
    assert pieces.curve == whole.curve
    assert len(pieces.curve.score) <= 4 * CURVE_CELLS + 8


def test_a_curve_has_exact_points_where_they_are_asked_for(spark: SparkSession) -> None:
    """What lies between two points of the thinned curve enters no other cell, alarm rate or side of equal errors."""
    hits, alarms = np.cumsum(np.arange(500) % 2), np.cumsum(1 - np.arange(500) % 2)
    thin = _Thinning(frozenset({ALL}), (0.001, 0.0333))
    kept = thin(hits, alarms, (250, 250))
    points = list(zip(hits[kept], alarms[kept], strict=True))
    below = max(alarm for _, alarm in points if alarm / 250 <= 0.0333)
    assert below == max(alarm for alarm in alarms if alarm / 250 <= 0.0333)
    assert kept[0]
    assert kept[-1]


MILLIONS = """
    import os, sys
    os.environ["PYSPARK_PYTHON"] = sys.executable
    from pyspark.sql import SparkSession
    from pyspark.sql import functions as F
    from emberline.pipelines.metrics.binary import binary_metrics
    from emberline.pipelines.metrics.grouped import ALL

    # Spark itself ends a job whose results, of all its tasks together, are larger than this.
    spark = SparkSession.builder.master("local[2]").config("spark.driver.maxResultSize", "1m").getOrCreate()
    rows = spark.range(4_000_000, numPartitions=8).select(
        F.rand(1).alias("score"), (F.rand(2) < F.rand(1)).cast("float").alias("label"))
    found = binary_metrics(rows, "label", "score")[ALL]
    assert found.metrics["rows"] == 4_000_000
    print(found.metrics["auc"])
"""


@pytest.mark.slow
def test_the_driver_sees_no_scores() -> None:
    """Four million different scores, of which a megabyte may reach the driver."""
    script = textwrap.dedent(MILLIONS)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    # Labels drawn with their score as probability: P(score of a positive > score of a negative) = 5/6.
    assert float(done.stdout) == pytest.approx(5 / 6, abs=1e-3)
