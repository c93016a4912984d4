"""Convolutions, then dense layers: the small convolutional networks of books and tutorials on MNIST.

| published in | convolutions | dense | weights |
|---|---|---|---|
| TensorFlow 1.8 documentation, "A Guide to TF Layers", and books after it | 32 and 64 of 5 x 5 | 1024 | 3,274,634 |
| Keras' example `mnist_cnn` | 32 and 32 of 3 x 3, one pooling | 128 | 600,810 |
| TensorLayer book, chapter "Convolutional networks" | 32 and 64 of 5 x 5 | 256 | 857,738 |
| a textbook's three convolutions, no biases | 32, 64 and 128 of 3 x 3 | 625 | 1,378,698 |
| a textbook's LeNet-5 | 32 and 64 of 5 x 5 | 512 | 1,663,370 |
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from emberline.features.columns import Column, Image

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras


@dataclass(frozen=True)
class Convolution:
    """One convolution with a rectifier, and what follows it.

    Args:
        filters: Channels that leave it.
        size: Width and height of its kernel.
        pool: Width, height and stride of the max pooling behind it; 1 for none.
        padding: Of the convolution: `same` keeps the size, `valid` shrinks it. Pooling keeps what does not fill its
            last window where the convolution does.
        dropout: Share of values dropped in training, behind all that.
    """

    filters: int
    size: int = 5
    pool: int = 2
    padding: Literal["same", "valid"] = "same"
    dropout: float = 0.0


@dataclass(frozen=True)
class Config:
    """The network.

    Args:
        image: The pixels.
        convolutions: In order.
        hidden_units: Widths of the dense layers between the convolutions and the logits.
        dropout: Share of their units dropped in training.
        biases: Whether layers have them.
        deviation: Of the truncated normal distribution of initial weights; 0 for Keras' own.
        bias: Initial value of biases.
        outputs: Number of classes.
    """

    image: Image
    convolutions: tuple[Convolution, ...] = (Convolution(32), Convolution(64))
    hidden_units: tuple[int, ...] = (1024,)
    dropout: float = 0.4
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
    hidden = scaled(pixels)
    for index, one in enumerate(config.convolutions):
        convolution = layers.Conv2D(one.filters, one.size, 1, one.padding, name=f"conv_{index}", **options)
        hidden = layers.ReLU(name=f"relu_{index}")(convolution(hidden))
        if one.pool > 1:
            hidden = layers.MaxPooling2D(one.pool, padding=one.padding, name=f"pool_{index}")(hidden)
        if one.dropout:
            hidden = layers.Dropout(one.dropout, name=f"conv_dropout_{index}")(hidden)
    hidden = layers.Flatten(name="flat")(hidden)
    for index, units in enumerate(config.hidden_units):
        hidden = layers.Dense(units, "relu", name=f"dense_{index}", **options)(hidden)
        if config.dropout:
            hidden = layers.Dropout(config.dropout, name=f"dropout_{index}")(hidden)
    return keras.Model({config.image.name: pixels}, class_logits(hidden, config.outputs, **options), name="cnn")
