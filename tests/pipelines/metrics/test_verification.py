"""Pairs of the same and of others: rates against scikit-learn's whole curve."""

import numpy as np
import pytest
from pyspark.sql import SparkSession
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from sklearn import metrics

from emberline.features.errors import BadInputError
from emberline.pipelines.metrics.grouped import ALL, GROUPS
from emberline.pipelines.metrics.verification import FOLDS, accuracy_of_folds, fold_accuracy, verification_metrics

RATES = (0.0001, 0.001, 0.0125, 0.2)


@pytest.mark.parametrize("decimals", [2, 9])
def test_they_equal_scikit_learns(spark: SparkSession, decimals: int) -> None:
    generator = np.random.default_rng(decimals)
    same = generator.random(3000) < 0.4
    similarity = np.round(generator.normal(size=3000) + 2 * same, decimals)
    rows = [(float(x), float(y), [ALL, 1]) for x, y in zip(similarity, same, strict=True)]
    measured = verification_metrics(
        spark.createDataFrame(rows, f"similarity double, same float, {GROUPS} array<int>"), "same", "similarity", RATES
    )
    found = measured[ALL].metrics
    assert measured[1].metrics == found
    false, true, thresholds = metrics.roc_curve(same, similarity, drop_intermediate=False)
    assert found["auc"] == pytest.approx(metrics.roc_auc_score(same, similarity))
    for rate in RATES:
        assert found[f"tar_at_far_{rate:g}"] == pytest.approx(true[false <= rate].max()), rate
        assert measured[ALL].details["thresholds"][f"{rate:g}"] in (None, thresholds[false <= rate][-1])
    crossing = brentq(lambda x: 1 - x - interp1d(false, true)(x), 0, 1)
    assert found["eer"] == pytest.approx(crossing, abs=1e-6)
    assert found["rows"] == 3000


def test_perfect_and_hopeless(spark: SparkSession) -> None:
    def eer(*rows: tuple[float, float]) -> float:
        frame = spark.createDataFrame(list(rows), "similarity double, same float")
        return verification_metrics(frame, "same", "similarity")[ALL].metrics["eer"]

    assert eer((0.9, 1.0), (0.8, 1.0), (0.1, 0.0)) == 0
    assert eer((0.1, 1.0), (0.9, 0.0)) == 1
    assert eer((0.5, 1.0), (0.5, 0.0)) == 0.5
    with pytest.raises(BadInputError, match="pairs of the same and pairs of others"):
        eer((0.5, 1.0))


def test_each_fold_is_judged_at_the_threshold_of_the_others() -> None:
    generator = np.random.default_rng(6)
    fold, same = generator.integers(0, 3, 400), generator.random(400) < 0.5
    place = np.clip(np.round(generator.normal(10 + 6 * same, 4)), 0, 29).astype(int)
    counts = np.zeros((4, 2, 30), np.int64)  # the last fold has no pairs
    np.add.at(counts, (fold, same.astype(int), place), 1)
    expected = []
    for number in range(3):
        here, right = fold == number, []
        for threshold in range(31):
            right.append(np.sum(((place >= threshold) == same)[~here]))
        expected.append(np.mean(((place >= np.argmax(right)) == same)[here]))
    found = accuracy_of_folds(counts)
    assert found["accuracy"] == pytest.approx(np.mean(expected))
    assert found["accuracy_deviation"] == pytest.approx(np.std(expected))


@pytest.mark.parametrize("spread", [1, 1e-4])
def test_folds_are_judged_alike_wherever_the_cosines_lie(spark: SparkSession, spread: float) -> None:
    """Against the best threshold among all cosines that there are; the second network has hardly begun."""
    generator = np.random.default_rng(8)
    fold, same = generator.integers(0, FOLDS, 600), generator.random(600) < 0.5
    cosine = 1 - spread * generator.uniform(0.1, 1, 600) * np.where(same, 0.7, 1.3)
    frame = spark.createDataFrame(
        [(float(x), float(y), int(z)) for x, y, z in zip(cosine, same, fold, strict=True)],
        "cosine double, same double, fold int",
    )
    expected = []
    for number in range(FOLDS):
        here = fold == number
        right = [np.sum(((cosine >= threshold) == same)[~here]) for threshold in np.sort(cosine)]
        expected.append(np.mean(((cosine >= np.sort(cosine)[np.argmax(right)]) == same)[here]))
    assert fold_accuracy(frame, "same", "cosine", "fold")["accuracy"] == pytest.approx(np.mean(expected), abs=0.02)
