"""A picture in, the same picture out: autoencoders and super-resolution."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emberline.pipelines.tasks.task import Losses, PredictionColumn, Sums, means, own_losses

if TYPE_CHECKING:
    import tensorflow as tf
    from pyspark.sql import DataFrame

    from emberline.pipelines.metrics.grouped import GroupMetrics

SSIM_WINDOW = 11
"""Pixels across the window of the structural similarity; smaller pictures are one window."""

SMALLEST_ERROR = 1e-10
"""A picture without any error counts as one of 100 dB."""


@dataclass(frozen=True)
class Reconstruction:
    """Mean squared error over a picture's values; a prediction is the picture, and how near it comes to the real one.

    A network says `reconstruction` and `target`, both `[batch, height, width, channels]` of 0 to 1; what it says of
    losses goes before the squared error.
    """

    outputs = 0
    columns = (
        PredictionColumn("mse", "float"),
        PredictionColumn("psnr", "float"),
        PredictionColumn("ssim", "float"),
        PredictionColumn("reconstruction", "floats"),
    )
    metrics = ("mse", "psnr", "ssim")
    default_metric = "psnr"
    tally_length = 4

    def losses(self, outputs: "Mapping[str, tf.Tensor]", label: "tf.Tensor") -> "Losses":
        """Returns the network's own loss, or the mean squared error."""
        return own_losses(outputs) or _squared(outputs)

    def predict(self, outputs: "Mapping[str, tf.Tensor]") -> "dict[str, tf.Tensor]":
        """Returns `mse`; `psnr`, the peak signal-to-noise ratio in dB; `ssim`, the structural similarity (Wang and
        others, 2004); and `reconstruction`, row by row of the picture.
        """
        import tensorflow as tf

        made, error = outputs["reconstruction"], _squared(outputs)
        window = min(SSIM_WINDOW, *made.shape[1:3])
        return {
            "mse": error,
            "psnr": -10 * tf.math.log(tf.maximum(error, SMALLEST_ERROR)) / tf.math.log(10.0),
            "ssim": tf.image.ssim(made, outputs["target"], max_val=1.0, filter_size=window),
            "reconstruction": tf.reshape(made, [tf.shape(made)[0], int(np.prod(made.shape[1:]))]),
        }

    def tally(self, predicted: "Mapping[str, tf.Tensor]", label: NDArray[np.float32]) -> Sums:
        """Returns the sums of the three measures, rows."""
        return np.array([*(predicted[name].numpy().astype(float).sum() for name in self.metrics), len(label)])

    def held_out(self, sums: Sums) -> dict[str, float]:
        """Returns the mean squared error, PSNR and SSIM, each the mean over pictures."""
        error, ratio, similarity = (float(total / sums[3]) for total in sums[:3])
        return {"eval_loss": error, "eval_psnr": ratio, "eval_ssim": similarity}

    def evaluate(self, scored: "DataFrame", label: str, threshold: float) -> "dict[int, GroupMetrics]":
        """Returns the means over images."""
        return means(scored, {name: name for name in self.metrics})

    def pictures(self, outputs: "Mapping[str, tf.Tensor]") -> "tf.Tensor":
        """Returns each real picture with its reconstruction below."""
        import tensorflow as tf

        return tf.concat([outputs["target"], outputs["reconstruction"]], axis=1)


def _squared(outputs: "Mapping[str, tf.Tensor]") -> "tf.Tensor":
    import tensorflow as tf

    difference = tf.math.squared_difference(outputs["reconstruction"], outputs["target"])
    return tf.reduce_mean(difference, axis=[1, 2, 3])
