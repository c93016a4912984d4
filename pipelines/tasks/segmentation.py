"""Which pixels of a picture belong to what is looked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emberline.pipelines.tasks.task import Losses, PredictionColumn, Sums, means

if TYPE_CHECKING:
    import tensorflow as tf
    from pyspark.sql import DataFrame

    from emberline.pipelines.metrics.grouped import GroupMetrics

SMOOTH = 1e-5
"""Keeps the overlap of two empty masks defined, and calls it perfect."""


@dataclass(frozen=True)
class Segmentation:
    """1 - soft Dice of each picture; a prediction is a probability per pixel, and its overlap with the marked pixels.

    A network says `mask`, logits, and `target`, 0 or 1, both `[batch, height, width, 1]`.
    Milletari, Navab, Ahmadi, "V-Net", section 3: 2 sum(p t) / (sum(p²) + sum(t²)).
    """

    outputs = 0
    columns = (PredictionColumn("dice", "float"), PredictionColumn("iou", "float"), PredictionColumn("mask", "floats"))
    metrics = ("dice", "iou")
    default_metric = "dice"
    tally_length = 4

    def losses(self, outputs: "Mapping[str, tf.Tensor]", label: "tf.Tensor") -> "Losses":
        """Returns 1 - soft Dice."""
        import tensorflow as tf

        return 1 - _dice(tf.sigmoid(outputs["mask"]), outputs["target"])

    def predict(self, outputs: "Mapping[str, tf.Tensor]") -> "dict[str, tf.Tensor]":
        """Returns `dice` and `iou` (intersection over union) of the pixels above one half, and `mask`, row by row."""
        import tensorflow as tf

        probabilities, truth = tf.sigmoid(outputs["mask"]), outputs["target"]
        dice = _dice(tf.cast(probabilities > 0.5, tf.float32), truth)
        pixels = int(np.prod(probabilities.shape[1:]))
        return {"dice": dice, "iou": dice / (2 - dice), "mask": tf.reshape(probabilities, [-1, pixels])}

    def tally(self, predicted: "Mapping[str, tf.Tensor]", label: NDArray[np.float32]) -> Sums:
        """Returns the sums of both measures, pictures whose marks were met by half at least, rows."""
        dice, iou = (predicted[name].numpy().astype(float) for name in self.metrics)
        return np.array([dice.sum(), iou.sum(), (iou >= 0.5).sum(), len(label)])

    def held_out(self, sums: Sums) -> dict[str, float]:
        """Returns 1 - Dice, Dice and intersection over union, means over pictures; and the share met by half."""
        dice, iou, met = (float(total / sums[3]) for total in sums[:3])
        return {"eval_loss": 1 - dice, "eval_dice": dice, "eval_iou": iou, "eval_met": met}

    def evaluate(self, scored: "DataFrame", label: str, threshold: float) -> "dict[int, GroupMetrics]":
        """Returns the means over images."""
        return means(scored, {name: name for name in self.metrics})

    def pictures(self, outputs: "Mapping[str, tf.Tensor]") -> "tf.Tensor":
        """Returns the pixels that are marked, with those that were found below."""
        import tensorflow as tf

        return tf.concat([outputs["target"], tf.sigmoid(outputs["mask"])], axis=1)


def _dice(found: "tf.Tensor", truth: "tf.Tensor") -> "tf.Tensor":
    """Returns `[batch]`."""
    import tensorflow as tf

    axes = [1, 2, 3]
    sizes = tf.reduce_sum(found**2, axes) + tf.reduce_sum(truth**2, axes)
    return (2 * tf.reduce_sum(found * truth, axes) + SMOOTH) / (sizes + SMOOTH)
