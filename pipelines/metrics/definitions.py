"""What is true of a metric wherever it is counted: in Spark, while training, or by the gate."""

PROBABILITY_FLOOR = 1e-7
"""Probabilities nearer to 0 or 1 than float32 can tell count as this far away."""

CHANCE_AUC = 0.5
"""What scores without any meaning reach."""

SMALLER_IS_BETTER = frozenset(
    {"log_loss", "brier", "calibration_error", "rmse", "mae", "mse", "eer", "perplexity", "loss"}
)
"""Of all other metrics, more is better."""


def is_smaller_better(metric: str) -> bool:
    """Whether less of a metric, of the same of held-out rows, `eval_…`, or of one label, `LABEL/…`, is better."""
    return metric.removeprefix("eval_").rpartition("/")[2] in SMALLER_IS_BETTER
