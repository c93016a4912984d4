"""What a recipe wants to be called with at the end of an epoch."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

Array: TypeAlias = Any
"""A NumPy array; this module imports nothing heavy."""


class EpochEnd(Protocol):
    """An epoch that is over and evaluated: what a callback is given."""

    @property
    def epoch(self) -> int:
        """Its number, counted from 1."""

    @property
    def step(self) -> int:
        """Steps done since the start."""

    @property
    def metrics(self) -> Mapping[str, float]:
        """Of the epoch and of the held-out rows after it."""

    def weights(self) -> dict[str, Array]:
        """Returns a copy of every weight by its path; moving averages if the recipe asks for them."""

    def predict(self, features: Mapping[str, Array]) -> dict[str, Array]:
        """Returns the columns of the prediction.

        Args:
            features: Inputs of the network, `[batch, …]`, by column.
        """

    def stop(self, reason: str = "") -> None:
        """Ends the training with this epoch."""


Callback: TypeAlias = Callable[[EpochEnd], Any]
"""A function, or an object that can be called."""
