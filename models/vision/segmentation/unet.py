"""U-Net: down by pooling, up by transposed convolutions, across at every size; 34,513,921 weights for four channels.

Ronneberger, Fischer, Brox, "U-Net", with padding, as the TensorLayer book's chapter on brain tumours has it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emberline.features.columns import Column, Image
from emberline.features.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras


@dataclass(frozen=True)
class Config:
    """The network.

    Args:
        images: The pixels: one image, or several of the same place, whose channels are laid on each other.
        mask: Image of one channel that is not black where the looked-for is. Rows that are only scored may lack it.
        filters: Of the convolutions, from the largest size to the smallest.
    """

    images: tuple[Image, ...]
    mask: Image
    filters: tuple[int, ...] = (64, 128, 256, 512, 1024)

    def __post_init__(self) -> None:
        sizes = {(image.height, image.width) for image in (*self.images, self.mask)}
        parts = 2 ** (len(self.filters) - 1)
        if len(sizes) > 1 or self.mask.channels != 1 or any(side % parts for side in self.mask.stored_shape[:2]):
            raise BadInputError(
                f"A U-Net of {len(self.filters)} sizes reads images and a mask of one height and width, multiples of "
                f"{parts}, the mask with 1 channel; got {[image.stored_shape for image in (*self.images, self.mask)]}."
            )

    @property
    def columns(self) -> tuple[Column, ...]:
        return (*self.images, self.mask)

    @property
    def outputs(self) -> int:
        """Several by name."""
        return 0


def build(config: Config, cardinalities: "Mapping[str, int]") -> "keras.Model":
    """Returns a model from images to `mask`, logits, and `target`, 0 or 1: both `[batch, height, width, 1]`."""
    import keras

    from emberline.models.vision.image_input import model_input, scaled

    layers = keras.layers

    def convolved(inputs: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
        for index in range(2):
            inputs = layers.Conv2D(
                filters, 3, padding="same", activation="relu", kernel_initializer="he_normal", name=f"{name}_{index}"
            )(inputs)
        return inputs

    inputs = {column.name: model_input(column) for column in (*config.images, config.mask)}
    read = [scaled(inputs[image.name]) for image in config.images]
    hidden = read[0] if len(read) == 1 else layers.Concatenate(name="images")(read)
    across = []
    for depth, filters in enumerate(config.filters):
        if depth:
            hidden = layers.MaxPooling2D(2, name=f"pool_{depth}")(hidden)
        hidden = convolved(hidden, filters, f"down_{depth}")
        across.append(hidden)
    for depth, filters in reversed(list(enumerate(config.filters[:-1]))):
        hidden = layers.Conv2DTranspose(filters, 3, 2, "same", name=f"grow_{depth}")(hidden)
        hidden = layers.Concatenate(name=f"across_{depth}")([hidden, across[depth]])
        hidden = convolved(hidden, filters, f"up_{depth}")
    logits = layers.Conv2D(1, 1, name="mask_logits")(hidden)
    target = keras.ops.cast(inputs[config.mask.name] > 0, "float32")
    return keras.Model(inputs, {"mask": logits, "target": target}, name="unet")
