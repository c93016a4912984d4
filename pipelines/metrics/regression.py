"""Metrics of predicted numbers."""

from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from emberline.features.names import quoted
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

ERROR_BINS = 40
"""Equal parts of the errors within `ERROR_SPAN` times their root mean square; all further out are in the outermost."""

ERROR_SPAN = 3.0


def regression_metrics(scored: DataFrame, label: str, prediction: str) -> dict[int, GroupMetrics]:
    """Returns errors in the label's unit, and the share of its variance that is explained.

    Args:
        scored: One row per example; with its groups, if it has more than one (see `spread`).
        label: Column of truths.
        prediction: Column of predictions.

    Returns:
        By group: `rmse` (root of the mean squared error), `mae` (mean absolute error), `r2` (1 - squared error /
        variance of the label; for a constant label 1 when every prediction is right, else 0, as in scikit-learn) and
        `rows`. Details of all rows: `errors`, a histogram of prediction minus truth (`limit`: its ends are -limit and
        limit; `rows` of each bin).

    Raises:
        BadInputError: if there are no rows, or predictions or labels that are no numbers.
    """
    truth, predicted = (F.col(quoted(name)).cast("double") for name in (label, prediction))
    rows = scored.select(
        truth.alias("truth"),
        (predicted - truth).alias("error"),
        is_unknown(truth).alias("unlabelled"),
        is_unknown(predicted).alias("unknown"),
        *groups_of(scored),
    )
    sums = (
        spread(rows)
        .groupBy(GROUP)
        .agg(
            F.count(F.lit(1)).alias("rows"),
            F.avg(F.col("error") * F.col("error")).alias("squared"),
            F.avg(F.abs(F.col("error"))).alias("absolute"),
            F.var_pop("truth").alias("variance"),
            F.sum("unlabelled").alias("unlabelled"),
            F.sum("unknown").alias("unknown"),
        )
    )
    by_group = {row[GROUP]: row for row in sums.collect()}
    require_rows(by_group[ALL]["rows"] if ALL in by_group else 0)
    whole = by_group[ALL]
    require_known("label", whole["unlabelled"], whole["rows"])
    require_known("prediction", whole["unknown"], whole["rows"])
    found = {group: GroupMetrics(_metrics(row)) for group, row in sorted(by_group.items())}
    found[ALL].details["errors"] = _errors(rows, found[ALL].metrics["rmse"])
    return found


def _metrics(found: Row) -> dict[str, float]:
    squared, variance = float(found["squared"]), float(found["variance"])
    return {
        "rmse": squared**0.5,
        "mae": float(found["absolute"]),
        "r2": 1 - squared / variance if variance else float(squared == 0),
        "rows": float(found["rows"]),
    }


def _errors(rows: DataFrame, rmse: float) -> dict[str, Any]:
    limit = ERROR_SPAN * rmse
    counts = [0] * ERROR_BINS
    if 0 < limit < float("inf"):
        place = F.floor((F.col("error") / limit + 1) / 2 * ERROR_BINS).cast("int")
        bins = F.greatest(F.least(place, F.lit(ERROR_BINS - 1)), F.lit(0))
        for row in rows.groupBy(bins.alias("bin")).count().collect():
            counts[row["bin"]] = row["count"]
    return {"limit": limit, "rows": counts}
