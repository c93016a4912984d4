"""Metrics of a classifier of several classes over scored rows, counted in Spark."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from features.errors import BadInputError
from pipelines.tasks.task import PROBABILITY_FLOOR


def multiclass_metrics(
    scored: DataFrame, label: str, classes: int, top: Sequence[int] = ()
) -> tuple[dict[str, float], NDArray[np.int64]]:
    """Accuracy, log loss, top-k accuracy and F1.

    Args:
        scored: One row per example, with the predicted `class` and the `probabilities` of all classes.
        label: Column of true class ids.
        classes: Number of classes.
        top: The k for which the truth among the k likeliest counts; of equally likely classes the smaller id is first.

    Returns:
        `accuracy`, `log_loss` (natural logarithm), `top_k_accuracy`, `f1_macro` (mean over the classes that were
        true or predicted at least once), `f1_micro` (from the summed counts: with one class per row, the accuracy)
        and `rows`; and the confusion matrix `[true, predicted]`.

    Raises:
        BadInputError: if there are no rows.

    Rows are grouped by true and predicted class in Spark; the driver sees each pair once.
    """
    truth = F.col(label).cast("int")
    probabilities = F.col("probabilities")
    own = F.element_at(probabilities, truth + 1)
    ahead = F.size(F.filter(probabilities, lambda other, index: (other > own) | ((other == own) & (index < truth))))
    loss = -F.log(F.greatest(own.cast("double"), F.lit(PROBABILITY_FLOOR)))
    grouped = scored.groupBy(truth.alias("truth"), F.col("class").alias("class")).agg(
        F.count(F.lit(1)).alias("rows"),
        F.sum(loss).alias("loss"),
        *(F.sum((ahead < k).cast("long")).alias(f"top_{k}") for k in top),
    )
    pairs = grouped.collect()
    confusion = np.zeros((classes, classes), np.int64)
    for pair in pairs:
        confusion[pair["truth"], pair["class"]] = pair["rows"]
    rows = int(confusion.sum())
    if not rows:
        raise BadInputError("There are no scored rows to evaluate.")
    right, true, predicted = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    seen = true + predicted > 0
    f1 = 2 * right[seen] / (true + predicted)[seen]  # 2 TP / (2 TP + FP + FN)
    metrics = {
        "accuracy": float(right.sum() / rows),
        "log_loss": float(sum(pair["loss"] for pair in pairs) / rows),
        **{f"top_{k}_accuracy": sum(pair[f"top_{k}"] for pair in pairs) / rows for k in top},
        "f1_macro": float(f1.mean()),
        "f1_micro": float(2 * right.sum() / (true + predicted).sum()),
        "rows": float(rows),
    }
    return metrics, confusion
