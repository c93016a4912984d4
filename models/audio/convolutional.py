"""Convolutions over the spectrum of a second: 926,860 weights, or 949,862 that are quicker to run.

The two networks of TensorFlow's tutorial on recognising spoken words, after Sainath and Parada, "Convolutional Neural
Networks for Small-footprint Keyword Spotting", 2015. In training sounds are shifted and mixed with noise before their
spectrum is taken; the noise is an input that an exported model does without.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from emberline.features.columns import Column, Spectrum, Waveform
from emberline.features.errors import BadInputError
from emberline.features.names import safe_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras


@dataclass(frozen=True)
class Config:
    """The network.

    Args:
        spectrum: What is made of the sound, in the network; it has a fixed number of frames.
        noise: Raw sound field of what is mixed in, empty for nothing.
        layers: `conv`: 64 filters of 20 frames x 8 numbers, halved, 64 of 10 x 4, and the classes. `low_latency`: 186
            filters over all frames x 8 numbers, two linear layers of 128, and the classes.
        shift: Samples by which a sound is moved at most, either way.
        volume: What noise is multiplied by at most.
        share: How many of the sounds have noise mixed in.
        dropout: Share of each layer's outputs that is dropped in training.
        outputs: Number of classes.
    """

    spectrum: Spectrum
    noise: str = ""
    layers: Literal["conv", "low_latency"] = "conv"
    shift: int = 1_600
    volume: float = 0.1
    share: float = 0.8
    dropout: float = 0.5
    outputs: int = 12

    def __post_init__(self) -> None:
        if not self.spectrum.frames:
            raise BadInputError(f"Sound {self.spectrum.field!r}: this network needs a fixed number of frames, got 0.")
        if min(self.shift, self.volume, self.share) < 0 or self.share > 1:
            raise BadInputError(
                f"Expected a shift and volume of at least 0 and a share of 0 to 1, got {self.shift}, {self.volume:g} "
                f"and {self.share:g}."
            )

    @property
    def columns(self) -> tuple[Column, ...]:
        fields = (self.spectrum.field, self.noise) if self.noise else (self.spectrum.field,)
        return tuple(Waveform(field, self.spectrum.rate, self.spectrum.samples) for field in fields)

    @property
    def only_in_training(self) -> tuple[str, ...]:
        """Columns that an exported model does without."""
        return (self.noise,) if self.noise else ()


def build(config: Config, cardinalities: "Mapping[str, int]") -> "keras.Model":
    """Builds a model from waveforms `[batch, samples]` to a logit per class, `[batch, outputs]`."""
    import keras

    from emberline.models.audio.sound_input import Disturbed, Heard, standardised
    from emberline.models.vision.heads import class_logits

    layers, spectrum = keras.layers, config.spectrum
    inputs = {
        column.name: keras.Input(
            (spectrum.samples,), name=safe_name(column.name), optional=column.name in config.only_in_training
        )
        for column in config.columns
    }
    # Samples are of full precision, whatever the layers compute in.
    full = {"dtype": "float32"}
    disturbed = Disturbed(config.shift, config.volume, config.share, name="disturbed", **full)(*inputs.values())
    frames = standardised(Heard(spectrum, name="heard", **full)(disturbed))
    maps = layers.Reshape((spectrum.frames, spectrum.width, 1), name="map")(frames)
    if config.layers == "conv":
        maps = layers.Conv2D(64, (20, 8), padding="same", activation="relu", name="conv_0")(maps)
        maps = layers.Dropout(config.dropout, name="dropout_0")(maps)
        maps = layers.MaxPooling2D(2, padding="same", name="halved")(maps)
        maps = layers.Conv2D(64, (10, 4), padding="same", activation="relu", name="conv_1")(maps)
        last = layers.Flatten(name="flat")(layers.Dropout(config.dropout, name="dropout_1")(maps))
    else:
        maps = layers.Conv2D(186, (spectrum.frames, 8), activation="relu", name="conv")(maps)
        last = layers.Flatten(name="flat")(layers.Dropout(config.dropout, name="dropout")(maps))
        for index in range(2):
            last = layers.Dense(128, name=f"linear_{index}")(last)
            last = layers.Dropout(config.dropout, name=f"linear_dropout_{index}")(last)
    return keras.Model(inputs, class_logits(last, config.outputs), name="convolutional")
