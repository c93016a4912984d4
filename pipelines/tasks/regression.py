"""A number: a network says how many standard deviations the label is from its mean."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emberline.features.errors import BadInputError
from emberline.features.statistics import Statistics
from emberline.pipelines.tasks.losses import OwnLoss
from emberline.pipelines.tasks.task import ROW_LOSS, PredictionColumn, Sums

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
        loss: The recipe's own, instead.
    """

    mean: float = 0.0
    deviation: float = 1.0
    loss: OwnLoss | None = None

    outputs = 1
    judged = "prediction"
    columns = (PredictionColumn("prediction", "float"),)
    metrics = ("rmse", "mae", "r2")
    default_metric = "rmse"
    tally_length = 4

    @classmethod
    def of(
        cls, statistics: Statistics | None, loss: OwnLoss | None = None, *, standardized: bool = True
    ) -> "Regression":
        """Makes the task with the statistics of the label; without statistics, for its names alone.

        Args:
            statistics: Of the training split.
            loss: The recipe's own.
            standardized: Whether the network says standard deviations from the mean; otherwise the label as it is.

        Raises:
            BadInputError: if the statistics say nothing of the label.
        """
        if statistics is None or not standardized:
            return cls(loss=loss)
        if statistics.label is None or statistics.label.mean is None:
            raise BadInputError("The dataset version has no statistics of its numeric label. Run etl again.")
        return cls(statistics.label.mean, statistics.label.deviation or 1.0, loss)  # a constant label has no spread

    def losses(self, outputs: "tf.Tensor", label: "tf.Tensor") -> "tf.Tensor":
        """Returns the squared error in standard deviations, or the recipe's own."""
        if self.loss:
            return self.loss(outputs, (label - self.mean) / self.deviation)
        import tensorflow as tf

        return tf.math.squared_difference(outputs, (label - self.mean) / self.deviation)

    def row_losses(self, outputs: "tf.Tensor", label: "tf.Tensor") -> "dict[str, tf.Tensor]":
        """Returns the loss of each row if the recipe has its own; see `OrdinaryTask`."""
        return {ROW_LOSS: self.losses(outputs, label)} if self.loss else {}

    def predict(self, outputs: "tf.Tensor") -> "dict[str, tf.Tensor]":
        """Returns `prediction`."""
        return {"prediction": outputs * self.deviation + self.mean}

    def tally(self, predicted: "Mapping[str, tf.Tensor]", label: NDArray[np.float32]) -> Sums:
        """Returns the loss, squared errors, absolute errors, rows."""
        error = predicted["prediction"].numpy().astype(np.float64) - label
        squared = np.sum(error**2)
        loss = squared / self.deviation**2
        if self.loss:
            loss = predicted[ROW_LOSS].numpy().astype(np.float64).sum()
        return np.array([loss, squared, np.sum(np.abs(error)), len(error)])

    def held_out(self, sums: Sums) -> dict[str, float]:
        """Returns the loss, as in training, and the errors in the label's unit."""
        loss, squared, absolute, rows = sums
        return {
            "eval_loss": float(loss / rows),
            "eval_rmse": float(squared / rows) ** 0.5,
            "eval_mae": float(absolute / rows),
        }

    def evaluate(self, scored: "DataFrame", label: str, threshold: float) -> "dict[int, GroupMetrics]":
        """Returns `regression_metrics`."""
        from emberline.pipelines.metrics.regression import regression_metrics

        return regression_metrics(scored, label, "prediction")
