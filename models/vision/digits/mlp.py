"""A feed-forward network over pixels, as the books on TensorFlow train it on MNIST.

| published in | layers | weights |
|---|---|---|
| softmax regression, chapter "MNIST for beginners" of the TensorFlow documentation | none | 7,850 |
| TensorLayer book, chapter "Multilayer perceptron" | 800, 800, dropout | 1,276,810 |
| a textbook's checkpoint example | 625, 625, no biases, dropout | 886,875 |
| a textbook's MNIST best practice: averages, L2, falling learning rate | 500 | 397,510 |
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
        image: The pixels.
        hidden_units: Widths of the hidden layers, none for softmax regression.
        activation: Of the hidden layers, by its Keras name; `linear` shows what they are worth.
        input_dropout: Share of pixels dropped in training.
        dropout: Share of hidden units dropped in training.
        biases: Whether layers have them.
        deviation: Of the truncated normal distribution of initial weights; 0 for Keras' own.
        bias: Initial value of biases.
        outputs: Number of classes.
    """

    image: Image
    hidden_units: tuple[int, ...] = (800, 800)
    activation: str = "relu"
    input_dropout: float = 0.0
    dropout: float = 0.0
    biases: bool = True
    deviation: float = 0.0
    bias: float = 0.0
    outputs: int = 10

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.image,)


def build(config: Config, cardinalities: "Mapping[str, int]") -> "keras.Model":
    """Returns a model from images to a logit per class, `[batch, outputs]`."""
    import keras

    from emberline.models.vision.heads import class_logits, first_values
    from emberline.models.vision.image_input import model_input, scaled

    layers = keras.layers
    options = first_values(config.biases, config.deviation, config.bias)
    pixels = model_input(config.image)
    hidden = layers.Flatten(name="flat")(scaled(pixels))
    if config.input_dropout:
        hidden = layers.Dropout(config.input_dropout, name="input_dropout")(hidden)
    for index, units in enumerate(config.hidden_units):
        hidden = layers.Dense(units, config.activation, name=f"hidden_{index}", **options)(hidden)
        if config.dropout:
            hidden = layers.Dropout(config.dropout, name=f"dropout_{index}")(hidden)
    return keras.Model({config.image.name: pixels}, class_logits(hidden, config.outputs, **options), name="mlp")
