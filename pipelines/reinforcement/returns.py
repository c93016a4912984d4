"""What an action was worth, from the rewards that followed it."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def discounted(rewards: Array, discount: float, *, after: float = 0.0, points: bool = False) -> NDArray[np.float64]:
    """Returns the sums of the rewards from each step on, each a step later worth `discount` times as much.

    Args:
        rewards: `[steps]`.
        discount: Between 0 and 1.
        after: What the steps behind the last one are worth.
        points: Each reward that is not 0 ends a game of its own, as a point of Pong does: nothing behind it counts.
    """
    worth = np.empty(len(rewards))
    running = after
    for step in range(len(rewards) - 1, -1, -1):
        if points and rewards[step]:
            running = 0.0
        running = rewards[step] + discount * running
        worth[step] = running
    return worth


def standardised(values: Array) -> NDArray[np.float64]:
    """Returns the values with mean 0 and deviation 1: half of the actions become likelier, half less likely."""
    return np.asarray((values - values.mean()) / max(float(values.std()), 1e-8))
