"""Metrics of a probability of one of two classes."""

from typing import Any

import numpy as np
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from emberline.features.names import quoted
from emberline.pipelines.metrics.definitions import LEFT_OUT, PROBABILITY_FLOOR
from emberline.pipelines.metrics.grouped import (
    ALL,
    GROUP,
    GroupMetrics,
    groups_of,
    is_unknown,
    require_known,
    require_rows,
    spread,
)
from emberline.pipelines.metrics.ranking import Ranking, rank


def binary_metrics(scored: DataFrame, label: str, score: str, threshold: float = 0.5) -> dict[int, GroupMetrics]:
    """Measures how right, how well ordered and how well calibrated probabilities are.

    Args:
        scored: One row per example; with its groups, if it has more than one (see `spread`).
        label: Column of truths, 0 or 1.
        score: Column of probabilities of 1.
        threshold: A score above it is a prediction of 1.

    Returns:
        By group: `accuracy`, `precision`, `recall` and `f1` (0 where their denominator is), `auc` (Mann-Whitney, ties
        count half), `pr_auc` (average precision: the step-wise area, as scikit-learn's `average_precision_score`),
        `log_loss` (natural logarithm), `brier` (mean squared error of the probability), `calibration_error`
        (expected calibration error: over parts of equally many rows by score, see `Ranking.calibration`, the mean
        distance, weighted by rows, of mean prediction and share of 1; parts of equal width would hold all rows of a
        rare event in one), `positive_rate`, `rows`. Rows of one class alone have no `auc` and `pr_auc`.
        Details of all rows: `threshold`, `confusion` (`[true, predicted]`), `calibration` (of each bin with rows: rows,
        mean score, share of 1), and `curve` (scores with hits and false alarms above them), or, of one class alone,
        `left_out` (metrics that need both, with the reason).

    Raises:
        BadInputError: if there are no rows, or scores or labels that are no numbers.
    """
    probability = F.col(score).cast("double")
    clipped = F.greatest(F.least(probability, F.lit(1 - PROBABILITY_FLOOR)), F.lit(PROBABILITY_FLOOR))
    positive = F.col(quoted(label)) > 0.5
    rows = scored.select(
        positive.cast("long").alias("positive"),
        (positive & (probability > threshold)).cast("long").alias("hit"),
        (~positive & (probability > threshold)).cast("long").alias("alarm"),
        probability.alias("score"),
        F.when(positive, -F.log(clipped)).otherwise(-F.log1p(-clipped)).alias("loss"),
        F.pow(probability - positive.cast("double"), 2).alias("squared"),
        is_unknown(probability).alias("unknown"),
        is_unknown(F.col(quoted(label)).cast("double")).alias("unlabelled"),
        *groups_of(scored),
    )
    names = ("positive", "hit", "alarm", "score", "loss", "squared", "unknown", "unlabelled")
    counted = spread(rows).groupBy(GROUP).agg(F.count(F.lit(1)).alias("rows"), *(F.sum(n).alias(n) for n in names))
    sums = {row[GROUP]: row for row in counted.collect()}
    require_rows(sums[ALL]["rows"] if ALL in sums else 0)
    whole = sums[ALL]
    require_known("label", whole["unlabelled"], whole["rows"])
    require_known("score", whole["unknown"], whole["rows"])
    rankings = rank(scored, probability, positive)
    found = {group: GroupMetrics(_metrics(sums[group], rankings[group])) for group in sorted(sums)}
    found[ALL].details.update(_details(whole, rankings[ALL], threshold))
    return found


def _metrics(sums: Row, ranking: Ranking) -> dict[str, float]:
    rows, positives, hits, alarms = (sums[name] for name in ("rows", "positive", "hit", "alarm"))
    return {
        "accuracy": (hits + rows - positives - alarms) / rows,
        **({"auc": ranking.auc, "pr_auc": ranking.average_precision} if _has_both(sums) else {}),
        "precision": hits / (hits + alarms) if hits else 0.0,
        "recall": hits / positives if hits else 0.0,
        "f1": 2 * hits / (hits + alarms + positives) if hits else 0.0,
        "log_loss": sums["loss"] / rows,
        "brier": sums["squared"] / rows,
        "calibration_error": float(np.abs(ranking.calibration[:, 1] - ranking.calibration[:, 2]).sum() / rows),
        "positive_rate": positives / rows,
        "rows": float(rows),
    }


def _has_both(sums: Row) -> bool:
    return bool(0 < sums["positive"] < sums["rows"])


def _details(sums: Row, ranking: Ranking, threshold: float) -> dict[str, Any]:
    negatives = sums["rows"] - sums["positive"]
    curve = ranking.curve
    if _has_both(sums):
        more = {"curve": {"score": list(curve.score), "hits": list(curve.hits), "alarms": list(curve.alarms)}}
    else:
        reason = f"all {sums['rows']:,} held-out rows have the same label, and it needs both"
        more = {LEFT_OUT: dict.fromkeys(("auc", "pr_auc"), reason)}
    return {
        "threshold": threshold,
        "confusion": [[negatives - sums["alarm"], sums["alarm"]], [sums["positive"] - sums["hit"], sums["hit"]]],
        "calibration": [
            {"rows": int(rows), "score": score / rows, "share": positives / rows}
            for rows, score, positives in ranking.calibration[::-1].tolist()
        ],
        **more,
    }
