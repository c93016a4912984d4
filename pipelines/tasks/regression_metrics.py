"""Metrics of predicted numbers over scored rows, counted in Spark."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from features.errors import BadInputError


def regression_metrics(scored: DataFrame, label: str, prediction: str) -> dict[str, float]:
    """Errors in the label's unit, and the share of its variance that is explained.

    Args:
        scored: One row per example.
        label: Column of truths.
        prediction: Column of predictions.

    Returns:
        `rmse` (root of the mean squared error), `mae` (mean absolute error), `r2` (1 - squared error / variance of
        the label; for a constant label 1 when every prediction is right, else 0, as in scikit-learn) and `rows`.

    Raises:
        BadInputError: if there are no rows.
    """
    truth = F.col(label).cast("double")
    error = F.col(prediction).cast("double") - truth
    found = scored.agg(
        F.count(F.lit(1)).alias("rows"),
        F.avg(error * error).alias("squared"),
        F.avg(F.abs(error)).alias("absolute"),
        F.var_pop(truth).alias("variance"),
    ).first()
    if not found or not found["rows"]:
        raise BadInputError("There are no scored rows to evaluate.")
    squared, variance = float(found["squared"]), float(found["variance"])
    explained = 1 - squared / variance if variance else float(squared == 0)
    return {
        "rmse": squared**0.5,
        "mae": float(found["absolute"]),
        "r2": explained,
        "rows": float(found["rows"]),
    }
