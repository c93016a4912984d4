"""Metrics of a probability of one of two classes."""

from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from emberline.features.errors import BadInputError
from emberline.pipelines.metrics.definitions import PROBABILITY_FLOOR
from emberline.pipelines.metrics.grouped import ALL, GROUP, GroupMetrics, groups_of, require_rows, spread
from emberline.pipelines.metrics.ranking import Ranking, rank

CALIBRATION_BINS = 20
"""Equal parts of the probabilities, in each of which the mean prediction is compared with what came true."""


def binary_metrics(scored: DataFrame, label: str, score: str, threshold: float = 0.5) -> dict[int, GroupMetrics]:
    """How right, how well ordered and how well calibrated probabilities are.

    Args:
        scored: One row per example; with its groups, if it has more than one (see `spread`).
        label: Column of truths, 0 or 1.
        score: Column of probabilities of 1.
        threshold: A score above it is a prediction of 1.

    Returns:
        By group: `accuracy`, `precision`, `recall` and `f1` (0 where their denominator is), `auc` (Mann-Whitney, ties
        count half), `pr_auc` (average precision: the step-wise area, as scikit-learn's `average_precision_score`),
        `log_loss` (natural logarithm), `brier` (mean squared error of the probability), `calibration_error`
        (expected calibration error: over bins of equal width, the mean distance, weighted by rows, of mean prediction
        and share of 1), `positive_rate`, `rows`. A slice of one class alone has no `auc` and `pr_auc`.
        Details of all rows: `threshold`, `confusion` (`[true, predicted]`), `calibration` (of each bin with rows: rows,
        mean score, share of 1) and `curve` (scores with hits and false alarms above them).

    Raises:
        BadInputError: if there are no rows, only one class, or scores that are no numbers.
    """
    probability = F.col(score).cast("double")
    bounded = F.greatest(F.least(probability, F.lit(1.0)), F.lit(0.0))
    clipped = F.greatest(F.least(probability, F.lit(1 - PROBABILITY_FLOOR)), F.lit(PROBABILITY_FLOOR))
    positive = F.col(label) > 0.5
    rows = scored.select(
        positive.cast("long").alias("positive"),
        (positive & (probability > threshold)).cast("long").alias("hit"),
        (~positive & (probability > threshold)).cast("long").alias("alarm"),
        F.least(F.floor(bounded * CALIBRATION_BINS), F.lit(CALIBRATION_BINS - 1)).alias("bin"),
        probability.alias("score"),
        F.when(positive, -F.log(clipped)).otherwise(-F.log1p(-clipped)).alias("loss"),
        F.pow(probability - positive.cast("double"), 2).alias("squared"),
        (probability.isNull() | F.isnan(probability)).cast("long").alias("unknown"),
        *groups_of(scored),
    )
    names = ("positive", "hit", "alarm", "score", "loss", "squared", "unknown")
    bins: dict[int, list[Row]] = {}
    for row in (
        spread(rows).groupBy(GROUP, "bin").agg(F.count(F.lit(1)).alias("rows"), *(F.sum(n).alias(n) for n in names))
    ).collect():
        bins.setdefault(row[GROUP], []).append(row)
    sums = {group: _sums(found) for group, found in bins.items()}
    require_rows(sums[ALL]["rows"] if ALL in sums else 0)
    whole = sums[ALL]
    if whole["unknown"]:
        raise BadInputError(
            f"The score of {whole['unknown']:,} of {whole['rows']:,} rows is no number: the model diverged."
        )
    if whole["positive"] in (0, whole["rows"]):
        raise BadInputError(f"All {whole['rows']:,} evaluated rows have the same label; AUC needs both.")
    rankings = rank(scored, probability, positive)
    found = {group: GroupMetrics(_metrics(sums[group], bins[group], rankings[group])) for group in sorted(sums)}
    found[ALL].details.update(_details(whole, bins[ALL], rankings[ALL], threshold))
    return found


def _sums(bins: list[Row]) -> dict[str, Any]:
    return {name: sum(row[name] or 0 for row in bins) for name in bins[0].asDict() if name not in (GROUP, "bin")}


def _metrics(sums: dict[str, Any], bins: list[Row], ranking: Ranking) -> dict[str, float]:
    rows, positives, hits, alarms = (sums[name] for name in ("rows", "positive", "hit", "alarm"))
    both = 0 < positives < rows
    return {
        "accuracy": (hits + rows - positives - alarms) / rows,
        **({"auc": ranking.auc, "pr_auc": ranking.average_precision} if both else {}),
        "precision": hits / (hits + alarms) if hits else 0.0,
        "recall": hits / positives if hits else 0.0,
        "f1": 2 * hits / (hits + alarms + positives) if hits else 0.0,
        "log_loss": sums["loss"] / rows,
        "brier": sums["squared"] / rows,
        "calibration_error": sum(abs(row["score"] - row["positive"]) for row in bins) / rows,
        "positive_rate": positives / rows,
        "rows": float(rows),
    }


def _details(sums: dict[str, Any], bins: list[Row], ranking: Ranking, threshold: float) -> dict[str, Any]:
    negatives = sums["rows"] - sums["positive"]
    curve = ranking.curve
    return {
        "threshold": threshold,
        "confusion": [[negatives - sums["alarm"], sums["alarm"]], [sums["positive"] - sums["hit"], sums["hit"]]],
        "calibration": [
            {"rows": row["rows"], "score": row["score"] / row["rows"], "share": row["positive"] / row["rows"]}
            for row in sorted(bins, key=lambda row: row["bin"])
        ],
        "curve": {"score": list(curve.score), "hits": list(curve.hits), "alarms": list(curve.alarms)},
    }
