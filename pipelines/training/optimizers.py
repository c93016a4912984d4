"""Recipe optimizers as Keras optimizers, each with the variables it moves."""

from collections.abc import Sequence
from typing import Any

import keras

from features.errors import BadInputError
from pipelines.recipe import Optimizer


def make(declared: Optimizer, total_steps: int, average_decay: float) -> keras.optimizers.Optimizer:
    """The Keras optimizer of one declaration.

    Args:
        declared: Kind and settings.
        total_steps: Steps of the whole training; the length of a schedule.
        average_decay: Decay of the moving average of the weights, 0 for none.
    """
    rate: float | keras.optimizers.schedules.LearningRateSchedule = declared.learning_rate
    if declared.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(declared.learning_rate, total_steps)
    average: dict[str, Any] = {"use_ema": True, "ema_momentum": average_decay} if average_decay else {}
    average["name"] = declared.kind  # Keras would count the optimizers of the process, and name variables after that
    match declared.kind:
        case "ftrl":
            return keras.optimizers.Ftrl(
                rate, l1_regularization_strength=declared.l1, l2_regularization_strength=declared.l2, **average
            )
        case "adamw":
            return keras.optimizers.AdamW(rate, weight_decay=declared.weight_decay, **average)
        case "sgd":
            return keras.optimizers.SGD(rate, **average)
        case "adagrad":
            return keras.optimizers.Adagrad(rate, **average)
        case "adam":
            return keras.optimizers.Adam(rate, **average)


def assign(declared: Sequence[Optimizer], variables: Sequence[keras.Variable]) -> list[list[int]]:
    """For each optimizer, the positions of the variables it moves.

    Raises:
        BadInputError: if a variable belongs to no optimizer, or an optimizer has none.
    """
    chosen: list[list[int]] = [[] for _ in declared]
    for position, variable in enumerate(variables):
        fits = [index for index, optimizer in enumerate(declared) if variable.path.startswith(optimizer.scope)]
        if not fits:
            scopes = ", ".join(repr(optimizer.scope) for optimizer in declared)
            raise BadInputError(
                f"No optimizer moves {variable.path!r}: the scopes are {scopes}. Add one with an empty scope."
            )
        chosen[fits[0]].append(position)
    for optimizer, positions in zip(declared, chosen, strict=True):
        if not positions:
            names = ", ".join(sorted({variable.path.split("/")[0] for variable in variables}))
            raise BadInputError(f"The optimizer with scope {optimizer.scope!r} moves nothing. Layers: {names}.")
    return chosen
