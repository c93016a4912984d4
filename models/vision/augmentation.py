"""Random changes to pictures that leave their meaning alone, drawn anew for each picture in each step of a training.

They run on the accelerator, as layers of the network: they are no part of an exported model, whose graph is that of
`training=False`.
"""

from dataclasses import asdict, dataclass
from math import pi
from typing import Any

import keras
from keras import ops

from emberline.features.errors import BadInputError


@dataclass(frozen=True)
class Augmentation:
    """What is changed, and how far; every part is off by default.

    Args:
        shift: The picture is moved by up to so many pixels in each direction, black moving in: a random crop of a
            picture with so wide a black margin.
        flip: Half of the pictures are mirrored, left for right.
        rotation: Turned by up to so many degrees, either way.
        brightness: Up to so much is added to all values, or taken away; 1 is the step from black to white.
        contrast: Distances from the picture's mean are multiplied by 1 - contrast to 1 + contrast.
        saturation: Distances from grey are multiplied by 1 - saturation to 1 + saturation (three channels only).
        hue: Colours are turned by up to so many degrees, either way (three channels only).
        cut_out: Side of a black square at a random place, in pixels; parts of it may lie outside.
    """

    shift: int = 0
    flip: bool = False
    rotation: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    cut_out: int = 0

    def __post_init__(self) -> None:
        odd = [f"{name}={value}" for name, value in asdict(self).items() if value < 0]
        odd += [f"{name}={getattr(self, name)}" for name in ("contrast", "saturation") if getattr(self, name) > 1]
        if odd:
            raise BadInputError(f"Augmentation: {', '.join(odd)}; expected 0 or more, and contrast, saturation <= 1.")

    @property
    def changes(self) -> bool:
        """Whether anything is changed at all."""
        return self != Augmentation()


@keras.saving.register_keras_serializable("emberline")
class Augmented(keras.layers.Layer):
    """Augments `[batch, height, width, channels]` of 0 to 1 in training; passes them on as they are otherwise.

    Args:
        augmentation: What is changed, or its fields by name.
    """

    def __init__(self, augmentation: Augmentation | dict[str, Any], **layer: Any) -> None:
        super().__init__(**layer)
        given = augmentation if isinstance(augmentation, Augmentation) else Augmentation(**augmentation)
        self.augmentation = given
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, pixels: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        if not training:
            return pixels
        asked = self.augmentation
        if asked.shift or asked.flip or asked.rotation:
            pixels = self._moved(pixels)
        if asked.brightness:
            pixels = pixels + self._draw(pixels, -asked.brightness, asked.brightness)
        if asked.contrast:
            mean = ops.mean(pixels, axis=(1, 2), keepdims=True)
            pixels = mean + (pixels - mean) * self._draw(pixels, 1 - asked.contrast, 1 + asked.contrast)
        if pixels.shape[-1] == 3 and (asked.saturation or asked.hue):
            pixels = self._recoloured(pixels)
        if asked.brightness or asked.contrast or asked.saturation or asked.hue:
            pixels = ops.clip(pixels, 0.0, 1.0)
        return self._cut(pixels) if asked.cut_out else pixels

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"augmentation": asdict(self.augmentation)}

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return shape

    def _draw(self, pixels: keras.KerasTensor, low: float, high: float) -> keras.KerasTensor:
        """Returns a number for each picture: `[batch, 1, 1, 1]`."""
        shape = (ops.shape(pixels)[0], 1, 1, 1)
        return keras.random.uniform(shape, low, high, dtype=pixels.dtype, seed=self.seed_generator)

    def _moved(self, pixels: keras.KerasTensor) -> keras.KerasTensor:
        """Returns the images flipped, rotated about the middle and shifted, in one pass over the pixels."""
        asked, (height, width) = self.augmentation, pixels.shape[1:3]
        numbers = [ops.cast(self._draw(pixels, -1.0, 1.0)[:, 0, 0, 0], "float32") for _ in range(4)]
        turn = numbers[0] * (asked.rotation * pi / 180)
        across, down = (ops.round(number * (asked.shift + 0.5)) for number in numbers[1:3])
        across, down = (ops.clip(by, -asked.shift, asked.shift) for by in (across, down))
        mirror = ops.where(numbers[3] < 0, -1.0, 1.0) if asked.flip else ops.ones_like(turn)
        middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
        cosine, sine, zero = ops.cos(turn), ops.sin(turn), ops.zeros_like(turn)
        # For each place of the result, where its value comes from: x' = a x + b y + c.
        a, b, d, e = mirror * cosine, -mirror * sine, sine, cosine
        c = middle_x - a * middle_x - b * middle_y + across
        f = middle_y - d * middle_x - e * middle_y + down
        transform = ops.stack([a, b, c, d, e, f, zero, zero], axis=1)
        moved = ops.image.affine_transform(
            ops.cast(pixels, "float32"), transform, interpolation="bilinear", fill_mode="constant", fill_value=0.0
        )
        return ops.cast(moved, pixels.dtype)

    def _recoloured(self, pixels: keras.KerasTensor) -> keras.KerasTensor:
        """Returns the images with chroma scaled and turned in YIQ, the colour space of NTSC television, which leaves
        brightness alone.
        """
        asked = self.augmentation
        scale = self._draw(pixels, 1 - asked.saturation, 1 + asked.saturation)
        turn = self._draw(pixels, -asked.hue * pi / 180, asked.hue * pi / 180)
        luma = ops.sum(pixels * ops.convert_to_tensor((0.299, 0.587, 0.114), pixels.dtype), axis=-1, keepdims=True)
        i = ops.sum(pixels * ops.convert_to_tensor((0.5959, -0.2746, -0.3213), pixels.dtype), axis=-1, keepdims=True)
        q = ops.sum(pixels * ops.convert_to_tensor((0.2115, -0.5227, 0.3112), pixels.dtype), axis=-1, keepdims=True)
        cosine, sine = ops.cos(turn) * scale, ops.sin(turn) * scale
        i, q = i * cosine - q * sine, i * sine + q * cosine
        into_i = ops.convert_to_tensor((0.956, -0.272, -1.106), pixels.dtype)
        into_q = ops.convert_to_tensor((0.619, -0.647, 1.703), pixels.dtype)
        return luma + i * into_i + q * into_q

    def _cut(self, pixels: keras.KerasTensor) -> keras.KerasTensor:
        side, (height, width) = self.augmentation.cut_out, pixels.shape[1:3]
        rows = ops.reshape(ops.arange(height, dtype="float32"), (1, -1, 1, 1))
        columns = ops.reshape(ops.arange(width, dtype="float32"), (1, 1, -1, 1))
        top = ops.floor(ops.cast(self._draw(pixels, 0.0, float(height)), "float32")) - side // 2
        left = ops.floor(ops.cast(self._draw(pixels, 0.0, float(width)), "float32")) - side // 2
        inside = ops.logical_and(
            ops.logical_and(rows >= top, rows < top + side), ops.logical_and(columns >= left, columns < left + side)
        )
        return ops.where(inside, ops.zeros_like(pixels), pixels)


@keras.saving.register_keras_serializable("emberline")
class Standardised(keras.layers.Layer):
    """Every picture with mean 0 and deviation 1, as `tf.image.per_image_standardization` does it."""

    def call(self, pixels: keras.KerasTensor) -> keras.KerasTensor:
        count = pixels.shape[1] * pixels.shape[2] * pixels.shape[3]
        mean = ops.mean(pixels, axis=(1, 2, 3), keepdims=True)
        deviation = ops.std(pixels, axis=(1, 2, 3), keepdims=True)
        return (pixels - mean) / ops.maximum(deviation, count**-0.5)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return shape
