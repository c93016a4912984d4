"""A vector for every word, so that words with like neighbours are close together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emberline.pipelines.tasks.task import Losses, PredictionColumn, Sums, own_losses

if TYPE_CHECKING:
    import tensorflow as tf
    from pyspark.sql import DataFrame

    from emberline.pipelines.metrics.grouped import GroupMetrics


@dataclass(frozen=True)
class Vectors:
    """The network's own loss; a prediction is the mean vector of a text's words, and the loss of its neighbours.

    A network says `vector` `[batch, width]`, `loss` and `pairs` `[batch]`: of each text the sum of the losses of its
    pairs of words, and their number; and `loss/`, what training makes smaller.
    """

    outputs = 0
    columns = (
        PredictionColumn("vector", "floats"),
        PredictionColumn("loss", "float"),
        PredictionColumn("pairs", "float"),
    )
    metrics = ("loss",)
    default_metric = "loss"
    tally_length = 2

    def losses(self, outputs: "Mapping[str, tf.Tensor]", label: "tf.Tensor") -> "Losses":
        """Returns the network's own loss."""
        return own_losses(outputs)

    def predict(self, outputs: "Mapping[str, tf.Tensor]") -> "dict[str, tf.Tensor]":
        """Returns `vector`, `loss`, `pairs`."""
        return {column.name: outputs[column.name] for column in self.columns}

    def tally(self, predicted: "Mapping[str, tf.Tensor]", label: NDArray[np.float32]) -> Sums:
        """Returns the sums of the loss and of the pairs."""
        return np.array([predicted[name].numpy().astype(np.float64).sum() for name in ("loss", "pairs")])

    def held_out(self, sums: Sums) -> dict[str, float]:
        """Returns the loss of a pair in the mean."""
        return {"eval_loss": float(sums[0] / max(sums[1], 1.0))}

    def evaluate(self, scored: "DataFrame", label: str, threshold: float) -> "dict[int, GroupMetrics]":
        """Returns the same metrics of an evaluation's rows."""
        from emberline.pipelines.metrics.text import loss_per_token

        return loss_per_token(scored, "loss", "pairs")
