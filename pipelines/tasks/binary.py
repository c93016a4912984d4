"""Two classes: a network says the log-odds of the second."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emberline.pipelines.metrics import log_odds
from emberline.pipelines.metrics.definitions import PROBABILITY_FLOOR
from emberline.pipelines.tasks.losses import OwnLoss
from emberline.pipelines.tasks.task import ROW_LOSS, PredictionColumn, Sums

if TYPE_CHECKING:
    import tensorflow as tf
    from pyspark.sql import DataFrame

    from emberline.pipelines.metrics.grouped import GroupMetrics


@dataclass(frozen=True)
class Binary:
    """Logistic loss; a prediction is a probability and whether it exceeds one half.

    Args:
        classes: Names by class id.
        loss: The recipe's own, instead.
    """

    classes: tuple[str, ...] = ("0", "1")
    loss: OwnLoss | None = None

    outputs = 1
    judged = "score"
    columns = (PredictionColumn("score", "float"), PredictionColumn("class", "long"))
    metrics = (
        "accuracy", "auc", "pr_auc", "precision", "recall", "f1", "log_loss", "brier", "calibration_error",
        "positive_rate",
    )  # fmt: skip
    default_metric = "auc"
    tally_length = 3 + 2 * log_odds.BINS

    def losses(self, outputs: "tf.Tensor", label: "tf.Tensor") -> "tf.Tensor":
        """Returns -ln of the probability given to the true class, or the recipe's own loss."""
        if self.loss:
            return self.loss(outputs, label)
        import tensorflow as tf

        return tf.nn.sigmoid_cross_entropy_with_logits(labels=label, logits=outputs)

    def row_losses(self, outputs: "tf.Tensor", label: "tf.Tensor") -> "dict[str, tf.Tensor]":
        """Returns the loss of each row if the recipe has its own; see `OrdinaryTask`."""
        return {ROW_LOSS: self.loss(outputs, label)} if self.loss else {}

    def predict(self, outputs: "tf.Tensor") -> "dict[str, tf.Tensor]":
        """Returns `score`, the probability of the second class, and `class`, 1 where it exceeds one half."""
        import tensorflow as tf

        score = tf.sigmoid(outputs)
        return {"score": score, "class": tf.cast(score > 0.5, tf.int64)}

    def tally(self, predicted: "Mapping[str, tf.Tensor]", label: NDArray[np.float32]) -> Sums:
        """Returns loss, rows predicted right, rows; then negatives and positives by the log-odds of their score."""
        score, truth = predicted["score"].numpy().astype(np.float64), label > 0.5
        clipped = np.clip(score, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
        loss = -np.sum(np.where(truth, np.log(clipped), np.log1p(-clipped)))
        if self.loss:
            loss = predicted[ROW_LOSS].numpy().astype(np.float64).sum()
        counts = [log_odds.counted(score[truth == kind]) for kind in (False, True)]
        return np.concatenate([[loss, np.sum((score > 0.5) == truth), len(score)], *counts])

    def held_out(self, sums: Sums) -> dict[str, float]:
        """Returns log loss, accuracy, and AUC (see `log_odds.area`) when both classes are there."""
        loss, right, rows = sums[:3]
        negatives, positives = sums[3:].reshape(2, log_odds.BINS)
        metrics = {"eval_loss": float(loss / rows), "eval_accuracy": float(right / rows)}
        both = negatives.any() and positives.any()
        return metrics | ({"eval_auc": log_odds.area(negatives, positives)} if both else {})

    def evaluate(self, scored: "DataFrame", label: str, threshold: float) -> "dict[int, GroupMetrics]":
        """Returns `binary_metrics`, with the classes in the details."""
        from emberline.pipelines.metrics.binary import binary_metrics
        from emberline.pipelines.metrics.grouped import ALL

        found = binary_metrics(scored, label, "score", threshold)
        found[ALL].details["classes"] = list(self.classes)
        return found
