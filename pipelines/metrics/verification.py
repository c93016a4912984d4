"""Metrics of pairs that are the same or not, such as two faces: equal errors, and who passes at an alarm rate."""

import itertools
from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from features.errors import BadInputError
from pipelines.metrics.measured import ALL, Measured
from pipelines.metrics.ranking import Ranking, rank


def verification_metrics(
    pairs: DataFrame, same: str, similarity: str, alarm_rates: Sequence[float] = (0.001, 0.01, 0.1)
) -> dict[int, Measured]:
    """How well a similarity tells pairs of the same from pairs of others.

    Args:
        pairs: One row per pair; with its groups, if it has more than one (see `measured.spread`).
        same: Column of truths, 0 or 1.
        similarity: Column of numbers, larger for pairs that are likelier the same; for a distance, its negative.
        alarm_rates: Shares of pairs of others that may be accepted (FAR).

    Returns:
        By group: `auc`; `eer`, the equal error rate, where as many of the same are rejected as of others accepted,
        interpolated linearly between neighbouring thresholds; `tar_at_far_R` for each rate R, the largest share of the
        same that a threshold accepts which accepts at most the share R of the others; and `rows`. Details: `curve` (see
        `pipelines.metrics.binary`), and `thresholds` by alarm rate, None where only rejecting all pairs is good enough.

    Raises:
        BadInputError: if the pairs are not of both kinds.
    """
    rankings = rank(pairs, F.col(similarity), F.col(same) > 0.5, curves=None, alarm_rates=alarm_rates)
    if ALL not in rankings or not (rankings[ALL].positives and rankings[ALL].negatives):
        raise BadInputError("Verification needs pairs of the same and pairs of others; one of them is missing.")
    return {group: _measured(ranking, alarm_rates) for group, ranking in sorted(rankings.items())}


def _measured(ranking: Ranking, alarm_rates: Sequence[float]) -> Measured:
    rows = float(ranking.positives + ranking.negatives)
    if not (ranking.positives and ranking.negatives):
        return Measured({"rows": rows})
    curve, metrics, thresholds = ranking.curve, {"auc": ranking.auc, "eer": _equal_error_rate(ranking)}, {}
    for rate in alarm_rates:
        # The curve has the last point on this side of the rate, and no point between it and the next.
        good = [place for place, alarms in enumerate(curve.alarms) if alarms / ranking.negatives <= rate]
        metrics[f"tar_at_far_{rate:g}"] = curve.hits[good[-1]] / ranking.positives if good else 0.0
        thresholds[f"{rate:g}"] = curve.score[good[-1]] if good else None
    points = {"score": list(curve.score), "hits": list(curve.hits), "alarms": list(curve.alarms)}
    return Measured(metrics | {"rows": rows}, {"curve": points, "thresholds": thresholds})


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
