"""Three classes or more: a network says one logit for each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emberline.pipelines.metrics.definitions import PROBABILITY_FLOOR
from emberline.pipelines.tasks.losses import OwnLoss
from emberline.pipelines.tasks.task import ROW_LOSS, PredictionColumn, Sums

if TYPE_CHECKING:
    import tensorflow as tf
    from pyspark.sql import DataFrame

    from emberline.pipelines.metrics.grouped import GroupMetrics

TOP = (2, 5)
"""How often the truth is among the k likeliest classes is counted for these k, where there are more than k classes."""


@dataclass(frozen=True)
class Multiclass:
    """Softmax cross entropy; a prediction is the likeliest class, its probability, and all probabilities.

    Args:
        classes: Names by class id.
        loss: The recipe's own, instead.
    """

    classes: tuple[str, ...]
    loss: OwnLoss | None = None

    judged = "probabilities"
    default_metric = "accuracy"
    tally_length = 3

    @property
    def outputs(self) -> int:
        return len(self.classes)

    @property
    def columns(self) -> tuple[PredictionColumn, ...]:
        return (
            PredictionColumn("class", "long"),
            PredictionColumn("class_name", "string"),
            PredictionColumn("score", "float"),
            PredictionColumn("probabilities", "floats"),
        )

    @property
    def metrics(self) -> tuple[str, ...]:
        return ("accuracy", "log_loss", *(f"top_{k}_accuracy" for k in self.top), "f1_macro", "f1_micro")

    @property
    def top(self) -> tuple[int, ...]:
        """The k of `top_k_accuracy`."""
        return tuple(k for k in TOP if k < len(self.classes))

    def losses(self, outputs: "tf.Tensor", label: "tf.Tensor") -> "tf.Tensor":
        """Returns -ln of the probability given to the true class, or the recipe's own."""
        if self.loss:
            return self.loss(outputs, label)
        import tensorflow as tf

        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.cast(label, tf.int32), logits=outputs)

    def row_losses(self, outputs: "tf.Tensor", label: "tf.Tensor") -> "dict[str, tf.Tensor]":
        """Returns the loss of each row if the recipe has its own; see `OrdinaryTask`."""
        return {ROW_LOSS: self.loss(outputs, label)} if self.loss else {}

    def predict(self, outputs: "tf.Tensor") -> "dict[str, tf.Tensor]":
        """Returns `class` (the smallest id of equals), `class_name`, `score` (its probability) and `probabilities`."""
        import tensorflow as tf

        probabilities = tf.nn.softmax(outputs)
        chosen = tf.argmax(outputs, axis=-1)
        return {
            "class": chosen,
            "class_name": tf.gather(tf.constant(self.classes), chosen),
            "score": tf.reduce_max(probabilities, axis=-1),
            "probabilities": probabilities,
        }

    def tally(self, predicted: "Mapping[str, tf.Tensor]", label: NDArray[np.float32]) -> Sums:
        """Returns the loss, rows predicted right, rows."""
        truth = label.astype(int)
        own = predicted["probabilities"].numpy().astype(np.float64)[np.arange(len(truth)), truth]
        right = np.sum(predicted["class"].numpy() == truth)
        loss = -np.sum(np.log(np.maximum(own, PROBABILITY_FLOOR)))
        if self.loss:
            loss = predicted[ROW_LOSS].numpy().astype(np.float64).sum()
        return np.array([loss, right, len(truth)])

    def held_out(self, sums: Sums) -> dict[str, float]:
        """Returns the log loss and accuracy."""
        loss, right, rows = sums
        return {"eval_loss": float(loss / rows), "eval_accuracy": float(right / rows)}

    def evaluate(self, scored: "DataFrame", label: str, threshold: float) -> "dict[int, GroupMetrics]":
        """Returns `multiclass_metrics`, with the classes in the details."""
        from emberline.pipelines.metrics.grouped import ALL
        from emberline.pipelines.metrics.multiclass import multiclass_metrics

        found = multiclass_metrics(scored, label, len(self.classes), self.top)
        found[ALL].details["classes"] = list(self.classes)
        return found
