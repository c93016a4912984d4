"""What training, export, evaluation and scoring ask of a task."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import tensorflow as tf
    from pyspark.sql import DataFrame

    from pipelines.metrics.measured import Measured

Sums = NDArray[np.float64]
"""A vector of counts and sums over rows: those of two sets of rows, added, are those of both."""

PROBABILITY_FLOOR = 1e-7
"""Probabilities nearer to 0 or 1 than float32 can tell count as this far away."""

SMALLER_IS_BETTER = frozenset({"log_loss", "brier", "calibration_error", "rmse", "mae"})
"""Of all other metrics, more is better."""


def is_smaller_better(metric: str) -> bool:
    """Whether less of a metric of held-out rows, `eval_…`, is better."""
    return metric.removeprefix("eval_") in SMALLER_IS_BETTER | {"loss"}


@dataclass(frozen=True)
class PredictionColumn:
    """One column of a prediction.

    Args:
        name: In signatures and tables.
        type: `float` (float32), `long` (int64), `string`, or `floats` (an array of float32, equally long in all rows).
    """

    name: str
    type: Literal["float", "long", "string", "floats"]


class Task(Protocol):
    """One kind of label."""

    @property
    def outputs(self) -> int:
        """Outputs of the network: 1 for `[batch]`, more for `[batch, outputs]`."""

    @property
    def columns(self) -> tuple[PredictionColumn, ...]:
        """What a prediction consists of."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics `evaluate` gives, `rows` aside."""

    def losses(self, outputs: "tf.Tensor", label: "tf.Tensor") -> "tf.Tensor":
        """Loss of each row, `[batch]`.

        Args:
            outputs: What the network says.
            label: float32 `[batch]`, a class id or a number.
        """

    def predict(self, outputs: "tf.Tensor") -> "dict[str, tf.Tensor]":
        """The columns of the prediction, from what the network says."""

    @property
    def tally_length(self) -> int:
        """Length of what `tally` gives."""

    def tally(self, predicted: "Mapping[str, tf.Tensor]", label: NDArray[np.float32]) -> Sums:
        """Sums over the rows of one batch, which `held_out` reads once they are added up.

        Args:
            predicted: What `predict` gave.
            label: The truth, `[batch]`.
        """

    def held_out(self, sums: Sums) -> dict[str, float]:
        """Metrics of the held-out rows of an epoch, `eval_loss` first."""

    def evaluate(self, scored: "DataFrame", label: str, threshold: float) -> "dict[int, Measured]":
        """Metrics over scored rows by group of rows, counted in Spark.

        Args:
            scored: The columns of the prediction and the label; and the groups of each row, if there are several (see
                `pipelines.metrics.measured.spread`).
            label: Name of the label.
            threshold: Probability of the second of two classes above which it is the prediction.

        Raises:
            BadInputError: if the rows cannot be judged.
        """
