"""AlexNet: 60,965,224 weights for 1,000 classes.

Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep Convolutional Neural Networks". The second, fourth and
fifth convolution read halves of the maps, which lay on two GPUs; here both halves lie on one.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emberline.features.columns import Column, Image

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

CONVOLUTIONS = ((96, 11, 1, True), (256, 5, 2, True), (384, 3, 1, False), (384, 3, 2, False), (256, 3, 2, True))
"""Filters, size of the kernel, parts of the maps, and whether pooling follows."""


@dataclass(frozen=True)
class Config:
    """The network.

    Args:
        image: The pixels, 227 x 227 in three channels.
        dropout: Share of the units of dense layers dropped in training.
        outputs: Number of classes.
    """

    image: Image
    dropout: float = 0.5
    outputs: int = 1000

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
    for number, (filters, size, parts, pooled) in enumerate(CONVOLUTIONS):
        # Halves side by side, because TensorFlow has no gradient of grouped convolutions on CPUs.
        stride, padding = (1, "same") if number else (4, "valid")
        convolutions = [
            layers.Conv2D(filters // parts, size, stride, padding, activation="relu", name=f"conv_{number}_{part}")
            for part in range(parts)
        ]
        halves = keras.ops.split(hidden, parts, axis=-1) if parts > 1 else [hidden]
        read = [convolution(half) for convolution, half in zip(convolutions, halves, strict=True)]
        hidden = read[0] if parts == 1 else layers.Concatenate(name=f"conv_{number}")(read)
        if number < 2:
            hidden = LocalResponseNormalization(2, 2.0, 1e-4, name=f"norm_{number}")(hidden)
        if pooled:
            hidden = layers.MaxPooling2D(3, 2, name=f"pool_{number}")(hidden)
    hidden = layers.Flatten(name="flat")(hidden)
    for index in range(2):
        hidden = layers.Dense(4096, "relu", name=f"dense_{index}")(hidden)
        hidden = layers.Dropout(config.dropout, name=f"dropout_{index}")(hidden)
    return keras.Model({config.image.name: pixels}, class_logits(hidden, config.outputs), name="alexnet")
