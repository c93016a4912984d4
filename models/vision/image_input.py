"""The first layers of every vision network: stored pixels to numbers, augmented in training."""

from collections.abc import Sequence

import keras

from emberline.features.columns import Image
from emberline.features.names import safe_name
from emberline.models.vision.augmentation import Augmentation, Augmented, Standardised


def model_input(image: Image) -> keras.KerasTensor:
    """Returns the input of a network: uint8 `[batch, height, width, channels]`, called by the column's name."""
    return keras.Input(image.stored_shape, name=safe_name(image.name), dtype=image.stored_type)


def scaled(
    pixels: keras.KerasTensor,
    augmentation: Augmentation | None = None,
    *,
    mean: Sequence[float] = (),
    deviation: Sequence[float] = (),
    standardised: bool = False,
) -> keras.KerasTensor:
    """Returns pixels as numbers between 0 and 1, in the precision of the layers: `[batch, height, width, channels]`.

    Args:
        pixels: `model_input`.
        augmentation: What is changed at random, in training only.
        mean: Subtracted per channel after that, on the scale of 0 to 1; empty for none.
        deviation: Divides what is left, per channel.
        standardised: Instead, every picture gets mean 0 and deviation 1 by itself.
    """
    values = keras.layers.Rescaling(1 / 255)(pixels)
    if augmentation is not None and augmentation.changes:
        values = Augmented(augmentation)(values)
    if standardised:
        return Standardised()(values)
    if mean or deviation:
        channels = pixels.shape[-1]
        centre, spread = mean or (0.0,) * channels, deviation or (1.0,) * channels
        variance = [value**2 for value in spread]
        values = keras.layers.Normalization(mean=list(centre), variance=variance)(values)
    return values
