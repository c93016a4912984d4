"""Metrics of pairs that are the same or not, such as two faces: equal errors, and who passes at an alarm rate."""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from emberline.features.errors import BadInputError
from emberline.pipelines.metrics.grouped import ALL, GroupMetrics
from emberline.pipelines.metrics.ranking import Ranking, rank

FOLDS = 10
SIMILARITY_BINS, BINS_PER_UNIT = 1 << 14, 1 << 9
"""Of the log-odds of where a similarity lies between -1 and 1, from -16 to 16: faces of a network that has learned
little all have cosines close to 1."""


def verification_metrics(
    pairs: DataFrame, same: str, similarity: str, alarm_rates: Sequence[float] = (0.001, 0.01, 0.1)
) -> dict[int, GroupMetrics]:
    """Measures how well a similarity separates pairs of the same from pairs of others.

    Args:
        pairs: One row per pair; with its groups, if it has more than one (see `grouped.spread`).
        same: Column of truths, 0 or 1.
        similarity: Column of numbers, larger for pairs that are likelier the same; for a distance, its negative.
        alarm_rates: Shares of pairs of others that may be accepted (FAR).

    Returns:
        By group: `auc`; `eer`, the equal error rate, where as many of the same are rejected as of others accepted,
        interpolated linearly between neighbouring thresholds; `tar_at_far_R` for each rate R, the largest share of the
        same that a threshold accepts which accepts at most the share R of the others; and `rows`. Details: `curve` (see
        `emberline.pipelines.metrics.binary`), and `thresholds` by alarm rate, None where only rejecting all pairs is
        good enough.

    Raises:
        BadInputError: if the pairs are not of both kinds.
    """
    rankings = rank(pairs, F.col(similarity), F.col(same) > 0.5, curves=None, alarm_rates=alarm_rates)
    if ALL not in rankings or not (rankings[ALL].positives and rankings[ALL].negatives):
        raise BadInputError("Verification needs pairs of the same and pairs of others; one of them is missing.")
    return {group: _measured(ranking, alarm_rates) for group, ranking in sorted(rankings.items())}


def _measured(ranking: Ranking, alarm_rates: Sequence[float]) -> GroupMetrics:
    rows = float(ranking.positives + ranking.negatives)
    if not (ranking.positives and ranking.negatives):
        return GroupMetrics({"rows": rows})
    curve, metrics, thresholds = ranking.curve, {"auc": ranking.auc, "eer": _equal_error_rate(ranking)}, {}
    for rate in alarm_rates:
        # The curve has the last point on this side of the rate, and no point between it and the next.
        good = [place for place, alarms in enumerate(curve.alarms) if alarms / ranking.negatives <= rate]
        metrics[f"tar_at_far_{rate:g}"] = curve.hits[good[-1]] / ranking.positives if good else 0.0
        thresholds[f"{rate:g}"] = curve.score[good[-1]] if good else None
    points = {"score": list(curve.score), "hits": list(curve.hits), "alarms": list(curve.alarms)}
    return GroupMetrics(metrics | {"rows": rows}, {"curve": points, "thresholds": thresholds})


def _equal_error_rate(ranking: Ranking) -> float:
    """Where the curve, from rejecting all to accepting all, crosses that of equal errors."""
    points = [(0.0, 1.0)]  # false alarms, misses
    for hits, alarms in zip(ranking.curve.hits, ranking.curve.alarms, strict=True):
        points.append((alarms / ranking.negatives, 1 - hits / ranking.positives))
    for (alarm, miss), (next_alarm, next_miss) in itertools.pairwise(points):
        if next_alarm >= next_miss:
            way = (miss - alarm) / (miss - alarm + next_alarm - next_miss)
            return alarm + way * (next_alarm - alarm)
    return points[-1][0]


def fold_accuracy(pairs: DataFrame, same: str, similarity: str, fold: str) -> dict[str, float]:
    """Returns the accuracy over pairs at a threshold that other pairs chose, as in "Labeled Faces in the Wild".

    Args:
        pairs: One row per pair.
        same: Column of truths, 0 or 1.
        similarity: Column of numbers from -1 to 1, such as a cosine; counted in `SIMILARITY_BINS`.
        fold: Column of integers from 0 to `FOLDS` - 1.

    Returns:
        `accuracy`, the mean over the folds that have pairs, each at the threshold that is best for all others, and
        `accuracy_deviation`, the standard deviation over folds.
    """
    part = F.greatest(F.least((F.col(similarity).cast("double") + 1) / 2, F.lit(1 - 1e-9)), F.lit(1e-9))
    place = F.floor(F.log(part / (1 - part)) * BINS_PER_UNIT) + SIMILARITY_BINS // 2
    bins = F.greatest(F.least(place, F.lit(SIMILARITY_BINS - 1)), F.lit(0)).cast("int")
    counted = pairs.groupBy(F.col(fold).alias("fold"), (F.col(same) > 0.5).cast("int").alias("kind"), bins.alias("bin"))
    counts = np.zeros((FOLDS, 2, SIMILARITY_BINS), np.int64)
    for row in counted.count().collect():
        counts[row["fold"], row["kind"], row["bin"]] = row["count"]
    return accuracy_of_folds(counts)


def accuracy_of_folds(counts: NDArray[np.int64]) -> dict[str, float]:
    """Computes the metrics of `fold_accuracy` from counts.

    Args:
        counts: Pairs by fold, kind (of others, of the same) and similarity, `[folds, 2, bins]`.
    """
    found = []
    for fold in counts[counts.sum(axis=(1, 2)) > 0]:
        best = np.argmax(_right(counts.sum(axis=0) - fold))
        found.append(_right(fold)[best] / fold.sum())
    return {"accuracy": float(np.mean(found)), "accuracy_deviation": float(np.std(found))}


def _right(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pairs told right for each bin from which on pairs are accepted, and for accepting none: `[bins + 1]`."""
    others, same = counts
    rejected = np.concatenate([[0], np.cumsum(others)])
    accepted: NDArray[np.int64] = same.sum() - np.concatenate([[0], np.cumsum(same)])
    return rejected + accepted
