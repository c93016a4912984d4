"""An image read row by row by an LSTM: 136,586 weights for 28 x 28.

A textbook's recurrent network on MNIST: 28 steps, a dense layer of 128 on each row, an LSTM of 128 with forget bias 1,
and logits from its last state.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emberline.features.columns import Column, Image

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras


@dataclass(frozen=True)
class Config:
    """The network.

    Args:
        image: The pixels; each row of them is a step.
        units: Width of the dense layer on a row, and of the LSTM.
        outputs: Number of classes.
    """

    image: Image
    units: int = 128
    outputs: int = 10

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.image,)


def build(config: Config, cardinalities: "Mapping[str, int]") -> "keras.Model":
    """Returns a model from images to a logit per class, `[batch, outputs]`."""
    import keras

    from emberline.models.vision.heads import class_logits
    from emberline.models.vision.image_input import model_input, scaled

    layers, image = keras.layers, config.image
    pixels = model_input(image)
    rows = layers.Reshape((image.height, image.width * image.channels), name="rows")(scaled(pixels))
    steps = layers.Dense(config.units, name="row")(rows)
    last = layers.LSTM(config.units, unit_forget_bias=True, name="lstm")(steps)
    return keras.Model({image.name: pixels}, class_logits(last, config.outputs), name="row_lstm")
