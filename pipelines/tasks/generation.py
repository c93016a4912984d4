"""Pictures out of noise, and what a critic thinks of them: adversarial networks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emberline.pipelines.metrics.definitions import PROBABILITY_FLOOR
from emberline.pipelines.tasks.task import Losses, PredictionColumn, Sums, means, own_losses

if TYPE_CHECKING:
    import tensorflow as tf
    from pyspark.sql import DataFrame

    from emberline.pipelines.metrics.grouped import GroupMetrics


@dataclass(frozen=True)
class Generation:
    """The losses are the network's; a prediction is a picture that it made, and how real it finds that and the row's.

    A network says `loss/generator`, `loss/discriminator`, `generated` `[batch, height, width, channels]` of 0 to 1,
    and the logits `real` and `fake` `[batch]`; `classes`, a logit per class of the row's picture, if it tells them.
    """

    outputs = 0
    columns = (
        PredictionColumn("realness", "float"),
        PredictionColumn("generated_realness", "float"),
        PredictionColumn("generated", "floats"),
    )
    metrics = ("realness", "generated_realness")
    default_metric = "generated_realness"
    tally_length = 4

    def losses(self, outputs: "Mapping[str, tf.Tensor]", label: "tf.Tensor") -> "Losses":
        """Returns the network's own losses; the critic's has the row's class in it where it tells classes."""
        import tensorflow as tf

        found = own_losses(outputs)
        if "classes" in outputs:
            truth = tf.cast(label, tf.int32)
            found["discriminator"] += tf.nn.sparse_softmax_cross_entropy_with_logits(truth, outputs["classes"])
        return found

    def predict(self, outputs: "Mapping[str, tf.Tensor]") -> "dict[str, tf.Tensor]":
        """Returns `realness`, the probability by which the row's picture is real; the same of `generated`, and that
        itself.

        What is generated follows from a row's place in its batch, not from the row.
        """
        import tensorflow as tf

        made = outputs["generated"]
        return {
            "realness": tf.sigmoid(outputs["real"]),
            "generated_realness": tf.sigmoid(outputs["fake"]),
            "generated": tf.reshape(made, [tf.shape(made)[0], int(np.prod(made.shape[1:]))]),
        }

    def tally(self, predicted: "Mapping[str, tf.Tensor]", label: NDArray[np.float32]) -> Sums:
        """Returns the log loss of the critic, sums of both probabilities, rows."""
        real, fake = (predicted[name].numpy().astype(np.float64) for name in self.metrics)
        right = np.concatenate([real, 1 - fake])
        loss = -np.sum(np.log(np.maximum(right, PROBABILITY_FLOOR)))
        return np.array([loss, real.sum(), fake.sum(), len(label)])

    def held_out(self, sums: Sums) -> dict[str, float]:
        """Returns the log loss of the critic over a real and a generated picture, and its mean probabilities."""
        loss, real, fake = (float(total / sums[3]) for total in sums[:3])
        return {"eval_loss": loss, "eval_realness": real, "eval_generated_realness": fake}

    def evaluate(self, scored: "DataFrame", label: str, threshold: float) -> "dict[int, GroupMetrics]":
        """Returns the means over images."""
        return means(scored, {name: name for name in self.metrics})

    def pictures(self, outputs: "Mapping[str, tf.Tensor]") -> "tf.Tensor":
        """Returns the generated images."""
        return outputs["generated"]
