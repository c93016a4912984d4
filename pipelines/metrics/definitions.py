"""What is true of a metric wherever it is counted: in Spark, while training, or by the gate."""

from collections.abc import Mapping
from typing import Any

PROBABILITY_FLOOR = 2.0**-23
"""A probability nearer to 0 or 1 counts as this far away: the machine epsilon of float32, in which models predict.

scikit-learn clips by the epsilon of the type that it is given, 2.2e-16 for float64. A row that a model of float32 holds
for impossible would then cost 36 where nothing between 16 and 36 can be said of the other class.
"""

CHANCE_AUC = 0.5
"""What scores without any meaning reach."""

SMALLER_IS_BETTER = frozenset(
    {"log_loss", "brier", "calibration_error", "rmse", "mae", "mse", "eer", "perplexity", "loss"}
)
"""Of all other metrics, more is better."""


LEFT_OUT = "left_out"
"""Among the details of metrics: those that the rows do not define, with the reason."""


def left_out(details: Mapping[str, Any]) -> dict[str, str]:
    """Returns the metrics that rows do not define, with the reason; those of one label of several as `LABEL/METRIC`."""
    found = dict(details.get(LEFT_OUT, {}))
    for label, own in details.get("labels", {}).items():
        found |= {f"{label}/{name}": why for name, why in own.get(LEFT_OUT, {}).items()}
    return found


def is_smaller_better(metric: str) -> bool:
    """Returns whether smaller is better; `eval_METRIC` and `LABEL/METRIC` count as the metric itself."""
    return metric.removeprefix("eval_").rpartition("/")[2] in SMALLER_IS_BETTER
