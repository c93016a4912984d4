"""A number: a network says how many standard deviations the label is from its mean."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emberline.features.errors import BadInputError
from emberline.features.statistics import Statistics
from emberline.pipelines.tasks.task import PredictionColumn, Sums

if TYPE_CHECKING:
    import tensorflow as tf
    from pyspark.sql import DataFrame

    from emberline.pipelines.metrics.grouped import GroupMetrics


@dataclass(frozen=True)
class Regression:
    """Squared error; a prediction is a number in the label's own unit.

    The loss is that of the standardised label: one learning rate suits prices in dollars and in thousands, and a
    loss of 1 is what the mean alone would score.

    Args:
        mean: Of the training split's labels.
        deviation: Their population standard deviation.
    """

    mean: float = 0.0
    deviation: float = 1.0

    outputs = 1
    columns = (PredictionColumn("prediction", "float"),)
    metrics = ("rmse", "mae", "r2")
    tally_length = 3

    @classmethod
    def of(cls, statistics: Statistics | None) -> "Regression":
        """With what Spark learned of the label; without statistics, for its names alone.

        Raises:
            BadInputError: if the statistics say nothing of the label.
        """
        if statistics is None:
            return cls()
        if statistics.label is None or statistics.label.mean is None:
            raise BadInputError("The dataset version has no statistics of its numeric label. Run etl again.")
        return cls(statistics.label.mean, statistics.label.deviation or 1.0)  # a constant label has no spread

    def losses(self, outputs: "tf.Tensor", label: "tf.Tensor") -> "tf.Tensor":
        """Squared error in standard deviations."""
        import tensorflow as tf

        return tf.math.squared_difference(outputs, (label - self.mean) / self.deviation)

    def predict(self, outputs: "tf.Tensor") -> "dict[str, tf.Tensor]":
        """`prediction`."""
        return {"prediction": outputs * self.deviation + self.mean}

    def tally(self, predicted: "Mapping[str, tf.Tensor]", label: NDArray[np.float32]) -> Sums:
        """Squared errors, absolute errors, rows."""
        error = predicted["prediction"].numpy().astype(np.float64) - label
        return np.array([np.sum(error**2), np.sum(np.abs(error)), len(error)])

    def held_out(self, sums: Sums) -> dict[str, float]:
        """The loss, as in training, and the errors in the label's unit."""
        squared, absolute, rows = sums
        mean_squared = float(squared / rows)
        return {
            "eval_loss": mean_squared / self.deviation**2,
            "eval_rmse": mean_squared**0.5,
            "eval_mae": float(absolute / rows),
        }

    def evaluate(self, scored: "DataFrame", label: str, threshold: float) -> "dict[int, GroupMetrics]":
        """See `regression_metrics`."""
        from emberline.pipelines.metrics.regression import regression_metrics

        return regression_metrics(scored, label, "prediction")
