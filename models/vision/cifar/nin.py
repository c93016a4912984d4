"""Network in Network: convolutions of 1 x 1 behind each larger one, and averages of maps as logits; 966,986 weights.

Lin, Chen, Yan, "Network In Network", section 4.2.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emberline.features.columns import Column, Image

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

BLOCKS = ((5, (192, 160, 96)), (5, (192, 192, 192)), (3, (192, 192)))
"""Size of the first kernel, and the filters of it and of those of 1 x 1 behind it. The last block ends in classes."""


@dataclass(frozen=True)
class Config:
    """The network.

    Args:
        image: The pixels.
        dropout: Share of values dropped in training behind the first two blocks.
        outputs: Number of classes.
    """

    image: Image
    dropout: float = 0.5
    outputs: int = 10

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.image,)


def build(config: Config, cardinalities: "Mapping[str, int]") -> "keras.Model":
    """Returns a model from images to a logit per class, `[batch, outputs]`."""
    import keras

    from emberline.models.vision.image_input import model_input, scaled

    layers = keras.layers
    pixels = model_input(config.image)
    hidden = scaled(pixels)
    for number, (size, filters) in enumerate(BLOCKS):
        for index, width in enumerate(filters):
            hidden = layers.Conv2D(
                width,
                1 if index else size,
                padding="same",
                activation="relu",
                kernel_initializer="he_normal",
                name=f"block_{number}_conv_{index}",
            )(hidden)
        if number < 2:
            pool = layers.AveragePooling2D if number else layers.MaxPooling2D
            hidden = pool(3, 2, "same", name=f"block_{number}_pool")(hidden)
            hidden = layers.Dropout(config.dropout, name=f"block_{number}_dropout")(hidden)
    maps = layers.Conv2D(config.outputs, 1, kernel_initializer="he_normal", name="maps")(hidden)
    return keras.Model({config.image.name: pixels}, layers.GlobalAveragePooling2D(name="logits")(maps), name="nin")
