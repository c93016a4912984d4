"""GoogLeNet, the first Inception network: 6,998,552 weights for 1,000 classes.

Szegedy and others, "Going Deeper with Convolutions", table 1. Its two side classifiers (section 5) have 6,379,728
weights more for 1,000 classes. They help to train it, and say nothing in an exported model.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emberline.features.columns import Column, Image
from emberline.features.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

BLOCKS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
"""Filters of 1 x 1, of 3 x 3 (before it and of it), of 5 x 5 (before it and of it), and behind the pooling."""

SIDES = ("4a", "4d")
"""Blocks behind which a side classifier stands."""

SIDE_DROPOUT = 0.7

SIDE_SIZE = 65
"""Pixels from which on their maps are large enough to be pooled."""


@dataclass(frozen=True)
class Config:
    """The network.

    Args:
        image: The pixels, 224 x 224 in three channels.
        dropout: Share of the means of maps dropped in training.
        outputs: Number of classes.
        side_weight: Factor of the losses of the side classifiers, 0.3 in the source; 0 for no side classifiers.
    """

    image: Image
    dropout: float = 0.4
    outputs: int = 1000
    side_weight: float = 0.0

    def __post_init__(self) -> None:
        if self.side_weight and min(self.image.height, self.image.width) < SIDE_SIZE:
            raise BadInputError(
                f"model.side_weight={self.side_weight}: side classifiers pool maps of images of {SIDE_SIZE} pixels or "
                f"more, got {self.image.height} x {self.image.width}. Set model.side_weight=0."
            )

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.image,)


def build(config: Config, cardinalities: "Mapping[str, int]") -> "keras.Model":
    """Returns a model from images to a logit per class, `[batch, outputs]`, and if asked for those of its side
    classifiers.
    """
    import keras

    from emberline.models.vision.heads import class_logits
    from emberline.models.vision.image_input import model_input, scaled
    from emberline.models.vision.layers import LocalResponseNormalization

    layers = keras.layers

    def convolved(inputs: keras.KerasTensor, filters: int, size: int, name: str, stride: int = 1) -> keras.KerasTensor:
        return layers.Conv2D(filters, size, stride, "same", activation="relu", name=name)(inputs)

    def pooled(inputs: keras.KerasTensor, stride: int, name: str) -> keras.KerasTensor:
        return layers.MaxPooling2D(3, stride, "same", name=name)(inputs)

    def side(maps: keras.KerasTensor, name: str) -> keras.KerasTensor:
        small = convolved(layers.AveragePooling2D(5, 3, name=f"{name}_pool")(maps), 128, 1, f"{name}_conv")
        units = layers.Dense(1024, "relu", name=f"{name}_dense")(layers.Flatten(name=f"{name}_flat")(small))
        kept = layers.Dropout(SIDE_DROPOUT, name=f"{name}_dropout")(units)
        return class_logits(kept, config.outputs, f"{name}_logits")

    pixels = model_input(config.image)
    hidden = pooled(convolved(scaled(pixels), 64, 7, "conv_1", 2), 2, "pool_1")
    hidden = LocalResponseNormalization(2, 1.0, 2e-5, name="norm_1")(hidden)
    hidden = convolved(convolved(hidden, 64, 1, "conv_2_before"), 192, 3, "conv_2")
    hidden = pooled(LocalResponseNormalization(2, 1.0, 2e-5, name="norm_2")(hidden), 2, "pool_2")
    sides = {}
    for name, (one, before_three, three, before_five, five, behind_pool) in BLOCKS.items():
        if name in ("4a", "5a"):
            hidden = pooled(hidden, 2, f"pool_{name}")
        hidden = layers.Concatenate(name=name)(
            [
                convolved(hidden, one, 1, f"{name}_one"),
                convolved(convolved(hidden, before_three, 1, f"{name}_before_three"), three, 3, f"{name}_three"),
                convolved(convolved(hidden, before_five, 1, f"{name}_before_five"), five, 5, f"{name}_five"),
                convolved(pooled(hidden, 1, f"{name}_pool"), behind_pool, 1, f"{name}_behind_pool"),
            ]
        )
        if config.side_weight and name in SIDES:
            sides[f"side/{name}"] = side(hidden, f"side_{name}")
    hidden = layers.GlobalAveragePooling2D(name="mean")(hidden)
    hidden = layers.Dropout(config.dropout, name="dropout")(hidden)
    logits = class_logits(hidden, config.outputs)
    outputs = {"logits": logits, **sides} if sides else logits
    return keras.Model({config.image.name: pixels}, outputs, name="googlenet")
