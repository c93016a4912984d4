"""LSTMs above each other over the last numbers of a series, which say the next one: 12,271 weights for two of 30 units.

A textbook's network, in which the ten numbers of a window are the ten elements of a single step.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emberline.features.columns import Column, Numeric
from emberline.features.errors import BadInputError
from emberline.features.names import safe_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras


@dataclass(frozen=True)
class Config:
    """The network.

    Args:
        values: The window, an array of numbers, the latest last.
        per_step: Numbers of the window that are read at a time; they divide it.
        units: Width of each LSTM, the first one first.
        outputs: 1 for a number.
    """

    values: Numeric
    per_step: int = 10
    units: tuple[int, ...] = (30, 30)
    outputs: int = 1

    def __post_init__(self) -> None:
        if len(self.values.shape) != 1 or not self.units or self.per_step < 1 or self.values.shape[0] % self.per_step:
            raise BadInputError(
                f"Series {self.values.field!r}: expected an array that steps of {self.per_step} numbers divide and at "
                f"least one LSTM, got the shape {self.values.shape} and units {self.units}."
            )

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.values,)


def build(config: Config, cardinalities: "Mapping[str, int]") -> "keras.Model":
    """Builds a model from windows `[batch, numbers]` to the next number `[batch]`."""
    import keras
    from keras import ops

    values = keras.Input(config.values.shape, name=safe_name(config.values.name))
    state = keras.layers.Reshape((-1, config.per_step), name="steps")(values)
    for index, units in enumerate(config.units):
        last = index == len(config.units) - 1
        state = keras.layers.LSTM(units, return_sequences=not last, name=f"lstm_{index}")(state)
    outputs = keras.layers.Dense(config.outputs, name="next")(state)
    return keras.Model({config.values.name: values}, ops.squeeze(outputs, -1), name="recurrent")
