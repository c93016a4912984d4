"""Recipe optimizers as Keras optimizers, each with the variables it moves."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from emberline.features.errors import BadInputError
from emberline.pipelines.recipe import Optimizer
from emberline.pipelines.training.step.learning_rate import factor


def make(declared: Optimizer, steps: tf.Variable, total_steps: int, epochs: int = 1) -> keras.optimizers.Optimizer:
    """The Keras optimizer of one declaration. It takes gradients that are summed over the replicas already.

    Args:
        declared: Kind and settings.
        steps: Steps done, which the schedule follows.
        total_steps: Steps of the whole training; the length of a schedule.
        epochs: Of the whole training.
    """
    rate: Any = declared.learning_rate
    if declared.schedule.changes:
        rate = lambda: declared.learning_rate * factor(declared.schedule, steps, total_steps, epochs)  # noqa: E731
    made = _keras(declared, rate)
    # Keras clips before it sums, and sums once per optimizer; our step does both itself, in the right order.
    made._all_reduce_sum_gradients = list
    return made


def _keras(declared: Optimizer, rate: Any) -> keras.optimizers.Optimizer:
    # Without a name, Keras counts the optimizers of the process and calls their variables after that number.
    name = declared.kind
    match declared.kind:
        case "ftrl":
            l1, l2 = declared.l1, declared.l2
            return keras.optimizers.Ftrl(rate, l1_regularization_strength=l1, l2_regularization_strength=l2, name=name)
        case "adamw":
            return keras.optimizers.AdamW(rate, declared.weight_decay, declared.beta_1, name=name)
        case "sgd":
            return keras.optimizers.SGD(rate, declared.momentum, name=name)
        case "adagrad":
            return keras.optimizers.Adagrad(rate, name=name)
        case "adam":
            return keras.optimizers.Adam(rate, declared.beta_1, name=name)
        case "adadelta":
            return keras.optimizers.Adadelta(rate, name=name)
        case "rmsprop":
            return keras.optimizers.RMSprop(rate, name=name)


def penalty(declared: Sequence[Optimizer], groups: Sequence[Sequence[keras.Variable]]) -> tf.Tensor:
    """What L1 and L2 add to the loss: strength times the sum of sizes, or of squares, of the elements of kernels.

    `ftrl` has L1 and L2 of its own and adds nothing here.
    """
    total = tf.zeros([])
    for optimizer, group in zip(declared, groups, strict=True):
        kernels = [tf.convert_to_tensor(variable.value) for variable in group if variable.path.endswith("kernel")]
        if optimizer.kind == "ftrl":
            continue
        if optimizer.l1:
            total += optimizer.l1 * tf.add_n([tf.reduce_sum(tf.abs(kernel)) for kernel in kernels])
        if optimizer.l2:
            total += optimizer.l2 * tf.add_n([tf.reduce_sum(tf.square(kernel)) for kernel in kernels])
    return total


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
