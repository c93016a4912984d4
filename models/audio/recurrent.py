"""An LSTM that listens to a spectrum: 108,298 weights for 80 numbers a step, 128 units and ten words.

A textbook's network for spoken digits, in which a step is a coefficient over all 80 frames.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from emberline.features.columns import Column, Spectrum
from emberline.features.errors import BadInputError
from emberline.features.names import safe_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras


@dataclass(frozen=True)
class Config:
    """The network.

    Args:
        sound: Its spectrum, of a fixed number of frames.
        steps: What the LSTM goes along: `coefficients`, each of them over all frames, or `frames`, as time goes.
        units: Width of the state.
        input_dropout: Share of the spectrum's numbers that is dropped in training.
        dropout: Share of the last state's elements that is dropped in training.
        outputs: Number of classes, 1 for two.
    """

    sound: Spectrum
    steps: Literal["coefficients", "frames"] = "coefficients"
    units: int = 128
    input_dropout: float = 0.0
    dropout: float = 0.2
    outputs: int = 10

    def __post_init__(self) -> None:
        if not self.sound.frames:
            raise BadInputError(f"Sound {self.sound.field!r}: this network needs a fixed number of frames, got 0.")

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.sound,)


def build(config: Config, cardinalities: "Mapping[str, int]") -> "keras.Model":
    """Builds a model from spectra to a logit per class, `[batch, outputs]`."""
    import keras

    from emberline.models.audio.sound_input import standardised
    from emberline.models.vision.heads import class_logits

    layers, sound = keras.layers, config.sound
    given = keras.Input(sound.stored_shape, name=safe_name(sound.name))
    frames = standardised(layers.Reshape((sound.frames, sound.width), name="frames")(given))
    frames = layers.Dropout(config.input_dropout, name="input_dropout")(frames)
    steps = layers.Permute((2, 1), name="steps")(frames) if config.steps == "coefficients" else frames
    last = layers.LSTM(config.units, name="lstm")(steps)
    last = layers.Dropout(config.dropout, name="dropout")(last)
    return keras.Model({sound.name: given}, class_logits(last, config.outputs), name="recurrent")
