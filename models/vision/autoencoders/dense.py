"""An autoencoder of dense layers, plain, sparse or denoising.

| published in | layers | weights |
|---|---|---|
| a textbook's autoencoder on MNIST | 784, 256, 128, 256, 784, sigmoid | 468,368 |
| TensorLayer book, "Sparse autoencoder" and "Denoising autoencoder" | 784, 196, 784 | 308,308 |
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
        hidden_units: Widths of the layers down to the code; back from there they are the same.
        activation: Of the hidden layers, by its Keras name.
        output: Of the layer that draws: `sigmoid`, or `softplus` behind rectifiers.
        noise: Share of pixels dropped in training; the image that is drawn is the whole one.
        sparsity: Mean activation that units of the code should have; 0 for any.
        sparsity_weight: Factor of the Kullback-Leibler divergence from it, summed over units. Beside a squared error
            that is a mean over pixels, published factors are divided by the number of pixels.
        code_l1: Factor of the mean size of the code's values.
        deviation: Of normally distributed initial weights; 0 for Keras' own.
    """

    image: Image
    hidden_units: tuple[int, ...] = (256, 128)
    activation: str = "sigmoid"
    output: str = "sigmoid"
    noise: float = 0.0
    sparsity: float = 0.0
    sparsity_weight: float = 0.0
    code_l1: float = 0.0
    deviation: float = 0.0

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.image,)

    @property
    def outputs(self) -> int:
        """Several by name."""
        return 0


def build(config: Config, cardinalities: "Mapping[str, int]") -> "keras.Model":
    """Returns a model from images to `reconstruction` and `target`: `[batch, height, width, channels]` of 0 to 1."""
    import keras

    from emberline.models.vision.image_input import model_input, scaled
    from emberline.models.vision.layers import Sparse

    layers = keras.layers
    start = keras.initializers.RandomNormal(stddev=config.deviation) if config.deviation else "glorot_uniform"
    pixels = model_input(config.image)
    target = scaled(pixels)
    hidden = flat = layers.Flatten(name="flat")(target)
    if config.noise:
        hidden = layers.Dropout(config.noise, name="noise")(hidden)
    for index, units in enumerate(config.hidden_units):
        dense = layers.Dense(units, config.activation, kernel_initializer=start, name=f"encoder_{index}")
        hidden = dense(hidden)
    if config.sparsity_weight or config.code_l1:
        hidden = Sparse(config.sparsity, config.sparsity_weight, config.code_l1, name="code")(hidden)
    for index, units in enumerate((*config.hidden_units[-2::-1], flat.shape[-1])):
        last = index == len(config.hidden_units) - 1
        activation = config.output if last else config.activation
        hidden = layers.Dense(units, activation, kernel_initializer=start, name=f"decoder_{index}")(hidden)
    drawn = layers.Reshape(config.image.stored_shape, name="reconstruction")(hidden)
    return keras.Model({config.image.name: pixels}, {"reconstruction": drawn, "target": target}, name="autoencoder")
