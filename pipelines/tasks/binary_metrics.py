"""Metrics of a binary classifier over scored rows, counted in Spark."""

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from features.errors import BadInputError
from pipelines.tasks.task import PROBABILITY_FLOOR


def binary_metrics(scored: DataFrame, label: str, score: str, threshold: float = 0.5) -> dict[str, float]:
    """Accuracy, ROC AUC, PR AUC and log loss.

    Args:
        scored: One row per example.
        label: Column of truths, 0 or 1.
        score: Column of probabilities of 1.
        threshold: A score above it is a prediction of 1.

    Returns:
        `accuracy`, `auc` (Mann-Whitney, ties count half), `pr_auc` (average precision: the step-wise area,
        as scikit-learn's `average_precision_score`), `log_loss` (natural logarithm), `positive_rate`, `rows`.

    Raises:
        BadInputError: if there are no rows, or only one class.

    Rows are grouped by score in Spark; the driver sees each different score once.
    """
    clipped = F.greatest(F.least(F.col(score).cast("double"), F.lit(1 - PROBABILITY_FLOOR)), F.lit(PROBABILITY_FLOOR))
    positive = F.col(label) > 0.5
    grouped = scored.groupBy(F.col(score).cast("double").alias("score")).agg(
        F.sum(positive.cast("long")).alias("positives"),
        F.sum((~positive).cast("long")).alias("negatives"),
        F.sum(F.when(positive, -F.log(clipped)).otherwise(-F.log1p(-clipped))).alias("loss"),
    )
    table = grouped.toArrow().sort_by([("score", "descending")])
    columns = {name: table.column(name).to_numpy().astype(float) for name in table.column_names}
    positives, negatives = columns["positives"], columns["negatives"]
    total, truths = float((positives + negatives).sum()), float(positives.sum())
    if not total:
        raise BadInputError("There are no scored rows to evaluate.")
    if truths in (0.0, total):
        raise BadInputError(f"All {total:,.0f} evaluated rows have the same label; AUC needs both.")
    hits, seen = np.cumsum(positives), np.cumsum(positives + negatives)
    false_alarms = np.cumsum(negatives)
    above = columns["score"] > threshold
    right = positives[above].sum() + negatives[~above].sum()
    return {
        "accuracy": float(right / total),
        "auc": float(np.sum(negatives * (hits - positives / 2)) / (truths * false_alarms[-1])),
        "pr_auc": float(np.sum(positives * hits / seen) / truths),
        "log_loss": float(columns["loss"].sum() / total),
        "positive_rate": truths / total,
        "rows": total,
    }
