"""Gender or age of a face: 8,856,066 weights for two classes, 8,859,144 for eight.

Levi, Hassner, "Age and Gender Classification using Convolutional Neural Networks".
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emberline.features.columns import Column, Image

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

CONVOLUTIONS = ((96, 7, 0.0), (256, 5, 1.0), (384, 3, 0.0))
"""Filters, size of the kernel, and initial value of biases."""

MEANS = (0.48, 0.46, 0.41)
"""Of red, green and blue. Its weights begin so small because it reads colours from 0 to 255, less their means."""


@dataclass(frozen=True)
class Config:
    """The network.

    Args:
        image: The pixels, 227 x 227 in three channels.
        dropout: Share of the units of dense layers dropped in training.
        outputs: Number of classes: 2 for gender, 8 for ranges of age.
    """

    image: Image
    dropout: float = 0.5
    outputs: int = 8

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

    def start(deviation: float, bias: float) -> dict[str, keras.initializers.Initializer]:
        return {
            "kernel_initializer": keras.initializers.RandomNormal(stddev=deviation),
            "bias_initializer": keras.initializers.Constant(bias),
        }

    pixels = model_input(config.image)
    hidden = scaled(pixels, mean=MEANS, deviation=(1 / 255,) * 3)
    for index, (filters, size, bias) in enumerate(CONVOLUTIONS):
        stride, padding = (1, "same") if index else (4, "valid")
        hidden = layers.Conv2D(
            filters, size, stride, padding, activation="relu", name=f"conv_{index}", **start(0.01, bias)
        )(hidden)
        hidden = layers.MaxPooling2D(3, 2, name=f"pool_{index}")(hidden)
        if index < 2:
            hidden = LocalResponseNormalization(5, 1.0, 1e-4, name=f"norm_{index}")(hidden)
    hidden = layers.Flatten(name="flat")(hidden)
    for index in range(2):
        hidden = layers.Dense(512, "relu", name=f"dense_{index}", **start(0.005, 1.0))(hidden)
        hidden = layers.Dropout(config.dropout, name=f"dropout_{index}")(hidden)
    logits = class_logits(hidden, config.outputs, **start(0.01, 0.0))
    return keras.Model({config.image.name: pixels}, logits, name="gender_age")
