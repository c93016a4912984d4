"""AlexNet's layers on images of 28 x 28: 37,327,562 weights.

As textbooks print it for MNIST, with the wiring that they mean: pooling behind the first, second and last convolution
leaves 4 x 4 x 256. (Printed code pools only where results are thrown away, and shares the weights of the first dense
layer with the second.) Initial weights are He's, not N(0, 1), with which the printed loss begins at 400,000.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emberline.features.columns import Column, Image

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

CONVOLUTIONS = ((96, 11, True), (256, 5, True), (384, 3, False), (384, 3, False), (256, 3, True))
"""Filters, size of the kernel, and whether pooling and normalisation follow."""


@dataclass(frozen=True)
class Config:
    """The network.

    Args:
        image: The pixels.
        hidden_units: Widths of the dense layers.
        dropout: Share of their units dropped in training.
        outputs: Number of classes.
    """

    image: Image
    hidden_units: tuple[int, ...] = (4096, 4096)
    dropout: float = 0.2
    outputs: int = 10

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.image,)


def build(config: Config, cardinalities: "Mapping[str, int]") -> "keras.Model":
    """Returns a model from images to a logit per class, `[batch, outputs]`."""
    import keras

    from emberline.models.vision.heads import class_logits
    from emberline.models.vision.image_input import model_input, scaled
    from emberline.models.vision.layers import LocalResponseNormalization

    layers = keras.layers
    pixels = model_input(config.image)
    hidden = scaled(pixels)
    for index, (filters, size, pooled) in enumerate(CONVOLUTIONS):
        hidden = layers.Conv2D(
            filters, size, padding="same", activation="relu", kernel_initializer="he_normal", name=f"conv_{index}"
        )(hidden)
        if pooled:
            hidden = layers.MaxPooling2D(2, padding="same", name=f"pool_{index}")(hidden)
            hidden = LocalResponseNormalization(name=f"norm_{index}")(hidden)
    hidden = layers.Flatten(name="flat")(hidden)
    for index, units in enumerate(config.hidden_units):
        dense = layers.Dense(units, "relu", kernel_initializer="he_normal", name=f"dense_{index}")
        hidden = layers.Dropout(config.dropout, name=f"dropout_{index}")(dense(hidden))
    return keras.Model({config.image.name: pixels}, class_logits(hidden, config.outputs), name="alexnet")
