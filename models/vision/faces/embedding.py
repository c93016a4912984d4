"""A place for every face, near to those of the same person.

Schroff, Kalenichenko, Philbin, "FaceNet": unit vectors of 128 numbers and the triplet loss, above a small residual
network instead of theirs. With `loss="softmax"` it learns to tell the persons of the training data apart, and the
vector is what it says just before.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from emberline.features.columns import Column, Image

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras


@dataclass(frozen=True)
class Config:
    """The network.

    Args:
        image: The pixels.
        width: Numbers of a place.
        filters: Of the stages, each of half the size.
        loss: `triplet` or `softmax`.
        persons: Number of labels, for `softmax`.
    """

    image: Image
    width: int = 128
    filters: tuple[int, ...] = (32, 64, 128, 256)
    loss: Literal["triplet", "softmax"] = "triplet"
    persons: int = 0

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.image,)

    @property
    def outputs(self) -> int:
        """Several by name."""
        return 0


def build(config: Config, cardinalities: "Mapping[str, int]") -> "keras.Model":
    """Returns a model from images to `embedding`, unit vectors, and for `softmax` `logits`."""
    import keras

    from emberline.models.vision.image_input import model_input, scaled
    from emberline.models.vision.layers import UnitLength

    layers = keras.layers

    def convolved(inputs: keras.KerasTensor, filters: int, stride: int, name: str) -> keras.KerasTensor:
        convolution = layers.Conv2D(
            filters, 3, stride, "same", use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv"
        )
        return layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(convolution(inputs))

    pixels = model_input(config.image)
    hidden = scaled(pixels, standardised=True)
    for index, filters in enumerate(config.filters):
        name = f"stage_{index}"
        hidden = layers.ReLU(name=f"{name}_relu_0")(convolved(hidden, filters, 2 if index else 1, f"{name}_0"))
        inner = layers.ReLU(name=f"{name}_relu_1")(convolved(hidden, filters, 1, f"{name}_1"))
        hidden = layers.Add(name=f"{name}_add")([hidden, convolved(inner, filters, 1, f"{name}_2")])
    mean = layers.GlobalAveragePooling2D(name="mean")(hidden)
    place = layers.Dense(config.width, name="place")(mean)
    outputs = {"embedding": UnitLength(name="embedding")(place)}
    if config.loss == "softmax":
        outputs["logits"] = layers.Dense(config.persons, name="logits")(layers.ReLU(name="place_relu")(place))
    return keras.Model({config.image.name: pixels}, outputs, name="faces")
