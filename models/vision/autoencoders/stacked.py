"""A stack of denoising autoencoders, each of which draws what the one before it says.

TensorLayer book, "Stacked denoising autoencoder": two layers of 800, whose weights `digits.mlp` then starts from
(`--warm-start`, `training.transfer`). There the layers are trained one after the other; here all in the same steps,
each by a loss of its own that no other layer feels: give `training.optimizers` one of scope `hidden_0` and one of
scope `hidden_1`.
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
        hidden_units: Widths of the layers.
        activation: Of the layers, by its Keras name.
        noise: Share of each layer's input dropped in training.
    """

    image: Image
    hidden_units: tuple[int, ...] = (800, 800)
    activation: str = "relu"
    noise: float = 0.5

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.image,)

    @property
    def outputs(self) -> int:
        """Several by name."""
        return 0


def build(config: Config, cardinalities: "Mapping[str, int]") -> "keras.Model":
    """Returns a model from images to `reconstruction`, `target`, and `loss/hidden_N` of each layer."""
    import keras

    from emberline.models.vision.image_input import model_input, scaled

    layers, ops, shape = keras.layers, keras.ops, config.image.stored_shape
    pixels = model_input(config.image)
    target = scaled(pixels)
    read = layers.Flatten(name="flat")(target)
    outputs: dict[str, keras.KerasTensor] = {}
    backwards: list[keras.layers.Layer] = []
    for index, units in enumerate(config.hidden_units):
        noisy = layers.Dropout(config.noise, name=f"noise_{index}")(read)
        hidden = layers.Dense(units, config.activation, name=f"hidden_{index}")(noisy)
        back = layers.Dense(read.shape[-1], "softplus" if index else "sigmoid", name=f"hidden_{index}_back")
        outputs[f"loss/hidden_{index}"] = ops.mean(ops.square(back(hidden) - read), axis=-1)
        backwards.insert(0, back)
        read = ops.stop_gradient(hidden)
    for back in backwards:
        read = back(read)
    outputs |= {"reconstruction": layers.Reshape(shape, name="reconstruction")(read), "target": target}
    return keras.Model({config.image.name: pixels}, outputs, name="stacked")
