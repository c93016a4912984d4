"""Pong from its pictures: 80 x 80 pixels, 200 rectified units, three actions: 1,280,803 weights.

A textbook's policy, after Karpathy, "Deep Reinforcement Learning: Pong from Pixels", 2016. It is trained by the loss of
`emberline.pipelines.reinforcement.policy_gradient`, each point of the game being a game of its own. What it sees is the
difference of two pictures, for a single one does not tell where the ball goes.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

SIDE, UNITS = 80, 200
ACTIONS = (1, 2, 3)
"""Of the Atari: nothing, up, down."""

GROUNDS = (144, 109)
"""Values of the two backgrounds in the first channel."""


def build() -> "keras.Model":
    """Returns a model from differences of pictures `[batch, 6400]` to a logit per action `[batch, 3]`."""
    import keras

    seen = keras.Input((SIDE * SIDE,), name="seen")
    hidden = keras.layers.Dense(UNITS, activation="relu", name="hidden")(seen)
    return keras.Model(seen, keras.layers.Dense(len(ACTIONS), name="actions")(hidden), name="pong")


def picture(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Returns the field of the game, every other pixel, 1 where there is a bat or the ball: `[6400]`.

    Args:
        frame: What the Atari shows, `[210, 160, 3]`.
    """
    field = frame[35:195:2, ::2, 0]
    return (~np.isin(field, (0, *GROUNDS))).astype(np.float32).ravel()
