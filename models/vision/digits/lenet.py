"""LeNet-5, in its own shape: 61,706 weights.

LeCun, Bottou, Bengio, Haffner, "Gradient-Based Learning Applied to Document Recognition": images of 32 x 32, tanh,
averages between the convolutions. As textbooks print it, the second convolution reads all maps, pooling has no weights,
and the last layer is linear with a softmax instead of distances to drawn digits.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from emberline.features.columns import Column, Image

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

SIDE = 32
"""Pixels to which smaller images are filled up with zeros."""


@dataclass(frozen=True)
class Config:
    """The network.

    Args:
        image: The pixels, at most 32 x 32.
        activation: Of all layers, by its Keras name.
        pooling: `average` as in 1998, or `max`.
        outputs: Number of classes.
    """

    image: Image
    activation: str = "tanh"
    pooling: Literal["average", "max"] = "average"
    outputs: int = 10

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.image,)


def build(config: Config, cardinalities: "Mapping[str, int]") -> "keras.Model":
    """Returns a model from images to a logit per class, `[batch, outputs]`."""
    import keras

    from emberline.models.vision.heads import class_logits
    from emberline.models.vision.image_input import model_input, scaled

    layers = keras.layers
    pool = layers.AveragePooling2D if config.pooling == "average" else layers.MaxPooling2D
    pixels = model_input(config.image)
    top, left = (SIDE - config.image.height) // 2, (SIDE - config.image.width) // 2
    bottom, right = SIDE - config.image.height - top, SIDE - config.image.width - left
    hidden = layers.ZeroPadding2D(((top, bottom), (left, right)), name="pad")(scaled(pixels))
    for index, filters in enumerate((6, 16)):
        hidden = layers.Conv2D(filters, 5, activation=config.activation, name=f"conv_{index}")(hidden)
        hidden = pool(2, name=f"pool_{index}")(hidden)
    hidden = layers.Flatten(name="flat")(hidden)
    for index, units in enumerate((120, 84)):
        hidden = layers.Dense(units, config.activation, name=f"dense_{index}")(hidden)
    return keras.Model({config.image.name: pixels}, class_logits(hidden, config.outputs), name="lenet")
