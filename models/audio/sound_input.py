"""The first layers of networks that listen."""

from dataclasses import asdict
from typing import Any

import keras
from keras import ops

from emberline.features.columns import Spectrum


def standardised(frames: keras.KerasTensor) -> keras.KerasTensor:
    """Returns every number of a frame with mean 0 and deviation 1 over the training's sounds: `[batch, frames, width]`.

    Batch normalisation without weights of its own: it only learns how large the numbers are.
    """
    normal = keras.layers.BatchNormalization(momentum=0.9, center=False, scale=False, name="standardised")
    return normal(frames)


@keras.saving.register_keras_serializable("emberline")
class Heard(keras.layers.Layer):
    """Waveforms `[batch, samples]` to their spectra `[batch, frames, width]`, as the column makes them in Spark.

    Args:
        spectrum: Of a fixed number of frames, or its fields by name.
    """

    def __init__(self, spectrum: Spectrum | dict[str, Any], **layer: Any) -> None:
        super().__init__(**layer)
        self.spectrum = spectrum if isinstance(spectrum, Spectrum) else Spectrum(**spectrum)

    def call(self, samples: keras.KerasTensor) -> keras.KerasTensor:
        lengths = ops.full(ops.shape(samples)[:1], self.spectrum.samples, dtype="int32")
        return ops.reshape(self.spectrum.of(samples, lengths), (-1, self.spectrum.frames, self.spectrum.width))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"spectrum": asdict(self.spectrum)}

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (shape[0], self.spectrum.frames, self.spectrum.width)


@keras.saving.register_keras_serializable("emberline")
class Disturbed(keras.layers.Layer):
    """Moves waveforms and mixes noise in, drawn anew in each step of a training; passes them on as they are otherwise.

    Args:
        shift: Samples by which a sound is moved at most, either way; silence moves in.
        volume: What noise is multiplied by at most.
        share: How many of the sounds have noise mixed in.
    """

    def __init__(self, shift: int, volume: float, share: float, **layer: Any) -> None:
        super().__init__(**layer)
        self.shift = shift
        self.volume = volume
        self.share = share
        self.seed_generator = keras.random.SeedGenerator()

    def call(
        self, samples: keras.KerasTensor, noise: keras.KerasTensor | None = None, training: bool = False
    ) -> keras.KerasTensor:
        if not training:
            return samples
        batch, length = ops.shape(samples)[0], samples.shape[1]
        if self.shift:
            by = keras.random.randint((batch, 1), -self.shift, self.shift + 1, seed=self.seed_generator)
            places = ops.arange(length) - by
            moved = ops.take_along_axis(samples, ops.clip(places, 0, length - 1), axis=1)
            samples = ops.where(ops.logical_and(places >= 0, places < length), moved, ops.zeros_like(moved))
        if noise is None:
            return samples
        # Every row brings a noise; in each step another row has it.
        noise = keras.random.shuffle(noise, axis=0, seed=self.seed_generator)
        volume = keras.random.uniform((batch, 1), 0.0, self.volume, dtype=noise.dtype, seed=self.seed_generator)
        mixed = keras.random.uniform((batch, 1), seed=self.seed_generator) < self.share
        return ops.clip(samples + noise * ops.where(mixed, volume, ops.zeros_like(volume)), -1.0, 1.0)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"shift": self.shift, "volume": self.volume, "share": self.share}

    def compute_output_shape(
        self, samples_shape: tuple[int | None, ...], noise_shape: tuple[int | None, ...] | None = None
    ) -> tuple[int | None, ...]:
        return samples_shape
