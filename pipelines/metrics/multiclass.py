"""Metrics of probabilities of several classes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from emberline.features.names import quoted
from emberline.pipelines.metrics.definitions import PROBABILITY_FLOOR
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


def multiclass_metrics(scored: DataFrame, label: str, classes: int, top: Sequence[int] = ()) -> dict[int, GroupMetrics]:
    """Returns the accuracy, log loss, top-k accuracy and F1.

    Args:
        scored: One row per example, with the predicted `class` and the `probabilities` of all classes; and its groups,
            if it has more than one (see `spread`).
        label: Column of true class ids.
        classes: Number of classes.
        top: The k for which the truth among the k likeliest counts; of equally likely classes the smaller id is first.

    Returns:
        By group: `accuracy`, `log_loss` (natural logarithm), `top_k_accuracy`, `f1_macro` (mean over the classes that
        were true or predicted at least once), `f1_micro` (from the summed counts: with one class per row, the accuracy)
        and `rows`. Details of all rows: `confusion`, a row per true class, a column per predicted one.

    Raises:
        BadInputError: if there are no rows, or probabilities or labels that are no numbers.

    The driver sees each pair of a true and a predicted class once, and per group each class.
    """
    truth = F.col(quoted(label)).cast("int")
    probabilities = F.col("probabilities")
    own = F.element_at(probabilities, truth + 1)
    ahead = F.size(F.filter(probabilities, lambda other, index: (other > own) | ((other == own) & (index < truth))))
    rows = scored.select(
        truth.alias("truth"),
        F.col("class").cast("int").alias("class"),
        (-F.log(F.greatest(own.cast("double"), F.lit(PROBABILITY_FLOOR)))).alias("loss"),
        *((ahead < k).cast("long").alias(f"top_{k}") for k in top),
        is_unknown(truth.cast("double")).alias("unlabelled"),
        is_unknown(own.cast("double")).alias("unknown"),
        *groups_of(scored),
    )
    added = [
        F.count(F.lit(1)).alias("rows"),
        *(F.sum(name).alias(name) for name in ("loss", "unlabelled", "unknown", *(f"top_{k}" for k in top))),
    ]
    own_counts = _by_group(
        rows, "truth", [*added, F.sum((F.col("truth") == F.col("class")).cast("long")).alias("right")]
    )
    whole = own_counts.get(ALL, {}).values()
    total = int(sum(row["rows"] for row in whole))
    require_rows(total)
    # NumPy would take a missing class for all classes. Without a label its probability is unknown too: labels first.
    for what, name in (("label", "unlabelled"), ("probability", "unknown")):
        require_known(what, int(sum(row[name] for row in whole)), total)
    confusion = _confusion(rows.groupBy("truth", "class").count().collect(), classes)
    predicted = _by_group(rows, "class", [F.count(F.lit(1)).alias("rows")])
    found = {}
    for group, by_class in sorted(own_counts.items()):
        right, true, guessed = (np.zeros(classes, np.int64) for _ in range(3))
        for index, row in by_class.items():
            right[index], true[index] = row["right"], row["rows"]
        for index, row in predicted[group].items():
            guessed[index] = row["rows"]
        sums = {
            name: sum(row[name] for row in by_class.values()) for name in ("rows", "loss", *(f"top_{k}" for k in top))
        }
        found[group] = GroupMetrics(_metrics(sums, right, true, guessed, top))
    found[ALL].details["confusion"] = confusion.tolist()
    return found


def _by_group(rows: DataFrame, key: str, added: list[Column]) -> dict[int, dict[int, dict[str, float]]]:
    found: dict[int, dict[int, dict[str, float]]] = {}
    for row in spread(rows).groupBy(GROUP, key).agg(*added).collect():
        found.setdefault(row[GROUP], {})[row[key]] = row.asDict()
    return found


def _confusion(pairs: list[Row], classes: int) -> NDArray[np.int64]:
    confusion = np.zeros((classes, classes), np.int64)
    for truth, predicted, rows in pairs:
        confusion[truth, predicted] = rows
    return confusion


def _metrics(
    sums: dict[str, float],
    right: NDArray[np.int64],
    true: NDArray[np.int64],
    predicted: NDArray[np.int64],
    top: Sequence[int],
) -> dict[str, float]:
    rows, seen = sums["rows"], true + predicted > 0
    f1 = 2 * right[seen] / (true + predicted)[seen]  # 2 TP / (2 TP + FP + FN)
    return {
        "accuracy": float(right.sum() / rows),
        "log_loss": float(sums["loss"] / rows),
        **{f"top_{k}_accuracy": sums[f"top_{k}"] / rows for k in top},
        "f1_macro": float(f1.mean()),
        "f1_micro": float(2 * right.sum() / (true + predicted).sum()),
        "rows": float(rows),
    }
