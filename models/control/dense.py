"""A number for each action from a vector of what is seen: dense layers with tanh between them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Config:
    """The network.

    Args:
        size: Numbers of what is seen.
        outputs: Actions, or 1 for what a state is worth.
        units: Width of each hidden layer.
    """

    size: int
    outputs: int
    units: tuple[int, ...] = (64,)


def build(config: Config) -> "keras.Model":
    """Returns a model from `[batch, size]` to `[batch, outputs]`."""
    import keras

    seen = hidden = keras.Input((config.size,), name="seen")
    for index, units in enumerate(config.units):
        hidden = keras.layers.Dense(units, activation="tanh", name=f"hidden_{index}")(hidden)
    return keras.Model(seen, keras.layers.Dense(config.outputs, name="actions")(hidden), name="dense")
