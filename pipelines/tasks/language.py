"""Texts told word by word: how surprised a network is by each."""

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
class Language:
    """The network's own loss; a prediction is how surprising a text is.

    A network says `loss` and `tokens` `[batch]`: of each text the sum of -ln of the probabilities of its words, and how
    many it told; and `loss/`, what training makes smaller.
    """

    outputs = 0
    columns = (
        PredictionColumn("loss", "float"),
        PredictionColumn("tokens", "float"),
        PredictionColumn("perplexity", "float"),
    )
    metrics = ("perplexity", "loss")
    default_metric = "perplexity"
    tally_length = 2

    def losses(self, outputs: "Mapping[str, tf.Tensor]", label: "tf.Tensor") -> "Losses":
        """Returns the network's own loss."""
        return own_losses(outputs)

    def predict(self, outputs: "Mapping[str, tf.Tensor]") -> "dict[str, tf.Tensor]":
        """Returns `loss`, `tokens`, and `perplexity`, exp of the loss of a word in the mean."""
        import tensorflow as tf

        mean = tf.math.divide_no_nan(outputs["loss"], outputs["tokens"])
        return {"loss": outputs["loss"], "tokens": outputs["tokens"], "perplexity": tf.exp(mean)}

    def tally(self, predicted: "Mapping[str, tf.Tensor]", label: NDArray[np.float32]) -> Sums:
        """Returns the sums of the loss and of the words."""
        return np.array([predicted[name].numpy().astype(np.float64).sum() for name in ("loss", "tokens")])

    def held_out(self, sums: Sums) -> dict[str, float]:
        """Returns the loss of a word in the mean, and its exponential."""
        from emberline.pipelines.metrics.text import perplexity_of

        loss = float(sums[0] / max(sums[1], 1.0))
        return {"eval_loss": loss, "eval_perplexity": perplexity_of(loss)}

    def evaluate(self, scored: "DataFrame", label: str, threshold: float) -> "dict[int, GroupMetrics]":
        """Returns the same metrics of an evaluation's rows."""
        from emberline.pipelines.metrics.text import perplexities

        return perplexities(scored, "loss", "tokens")
