"""What a recipe's callbacks are given on the chief, and the error for one that fails."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from emberline.pipelines.recipe.callback import Callback
from emberline.pipelines.training.step.training_step import TrainingStep


class CallbackError(RuntimeError):
    """A callback of a recipe failed."""


@dataclass
class EpochOfLoop:
    """See `emberline.pipelines.recipe.callback.EpochEnd`.

    Args:
        epoch: Counted from 1.
        step: Steps done.
        metrics: Of the epoch.
        of: What was trained; callbacks see copies of its weights.

    Attributes:
        stopped: Why the training shall end; empty if it shall not.
    """

    epoch: int
    step: int
    metrics: Mapping[str, float]
    of: TrainingStep = field(repr=False)
    stopped: str = ""

    def weights(self) -> dict[str, np.ndarray]:
        """Returns the weights; see `EpochEnd`."""
        with self.of.averaged():
            trained = self.of.model.trainable_variables
            return {one.path: np.array(tf.convert_to_tensor(one.value)) for one in trained}

    def predict(self, features: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Returns predictions; see `EpochEnd`."""
        with self.of.averaged():
            said = self.of.predict({name: tf.convert_to_tensor(value) for name, value in features.items()})
        return {name: np.array(value) for name, value in said.items()}

    def stop(self, reason: str = "") -> None:
        """Stops the training; see `EpochEnd`."""
        self.stopped = self.stopped or reason or "no reason given"


def call(callbacks: Sequence[Callback], epoch: EpochOfLoop) -> str:
    """Calls them in order; returns why the training shall end, by the name of the first that wants it, or nothing.

    Raises:
        CallbackError: if one fails, naming it.
    """
    why = ""
    for callback in callbacks:
        name = getattr(callback, "__name__", type(callback).__name__)
        epoch.stopped = ""
        with _named(name, epoch.epoch):
            callback(epoch)
        if epoch.stopped and not why:
            why = f"{name}: {epoch.stopped}"
    return why


@contextmanager
def _named(name: str, epoch: int) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise CallbackError(
            f"The callback {name!r} failed at the end of epoch {epoch}: {type(error).__name__}: {error}"
        ) from error
