"""Recipe optimizers as Keras optimizers, each with the variables it moves."""

import inspect
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from emberline.features.errors import BadInputError, nearest
from emberline.pipelines.recipe import Optimizer
from emberline.pipelines.recipe.training import ROWWISE_ADAGRAD, TAKEN_BY
from emberline.pipelines.training.step.learning_rate import factor
from emberline.pipelines.training.step.rowwise_adagrad import RowwiseAdagrad


def make(declared: Optimizer, steps: tf.Variable, total_steps: int, epochs: int = 1) -> keras.optimizers.Optimizer:
    """Returns the Keras optimizer of one declaration. It takes gradients that are summed over the replicas already.

    Args:
        declared: Kind and settings.
        steps: Steps done, which the schedule follows.
        total_steps: Steps of the whole training; the length of a schedule.
        epochs: Of the whole training.

    Raises:
        BadInputError: if Keras's optimizer does not take one of the settings, or a recipe's own function makes none.
    """
    rate: Any = declared.learning_rate
    if declared.schedule.changes:
        rate = lambda: declared.learning_rate * factor(declared.schedule, steps, total_steps, epochs)  # noqa: E731
    made = _keras(declared, rate)
    # Keras clips before it sums, and sums once per optimizer; our step does both itself, in the right order.
    made._all_reduce_sum_gradients = list
    return made


def _keras(declared: Optimizer, rate: Any) -> keras.optimizers.Optimizer:
    if not isinstance(declared.kind, str):
        made = declared.kind(rate, **declared.settings)
        if not isinstance(made, keras.optimizers.Optimizer):
            raise BadInputError(f"{declared.name} makes no Keras optimizer, but a value of type {type(made).__name__}.")
        return made
    arguments: dict[str, Any] = {}
    if declared.kind in TAKEN_BY["beta_1"]:
        arguments["beta_1"] = declared.beta_1
    if declared.kind in TAKEN_BY["momentum"]:
        arguments["momentum"] = declared.momentum
    if declared.kind == "ftrl":
        arguments |= {"l1_regularization_strength": declared.l1, "l2_regularization_strength": declared.l2}
    if declared.kind == "adamw" or declared.weight_decay:
        arguments["weight_decay"] = declared.weight_decay
    by_name = {name.lower(): item for name, item in vars(keras.optimizers).items() if isinstance(item, type)}
    by_name |= {ROWWISE_ADAGRAD: RowwiseAdagrad}
    if declared.kind not in by_name:
        raise BadInputError(f"Keras {keras.__version__} has no optimizer {declared.kind!r}.")
    kind = by_name[declared.kind]
    known = inspect.signature(kind).parameters
    for name in declared.settings:
        if name not in known:
            raise BadInputError(f"Keras's {kind.__name__} takes no {name!r}. {nearest(name, known)}")
    # Without a name, Keras counts the optimizers of the process and calls their variables after that number.
    return kind(rate, name=declared.kind, **(arguments | dict(declared.settings)))


def penalty(declared: Sequence[Optimizer], groups: Sequence[Sequence[keras.Variable]]) -> tf.Tensor:
    """Returns what L1 and L2 add to the loss: strength times the sum of sizes, or of squares, of the elements of
    kernels.

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
    """Returns, for each optimizer, the positions of the variables that it updates.

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
