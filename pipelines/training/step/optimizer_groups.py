"""The parts of a network: each optimizer of a recipe with the weights it moves, by which loss, and in which steps."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from emberline.features.errors import BadInputError
from emberline.pipelines.recipe import Optimizer, Training
from emberline.pipelines.training.step import optimizers

Gradients = list[tf.Tensor]

ALL = "*"
"""Stands for the scopes of all optimizers, where there is one loss."""


class Part(NamedTuple):
    """One optimizer.

    Args:
        declared: Its declaration.
        optimizer: What Keras makes of it.
        weights: Positions of the weights that it moves.
    """

    declared: Optimizer
    optimizer: keras.optimizers.Optimizer
    weights: list[int]


class Parts:
    """All optimizers of a training, made inside the scope of its strategy.

    Args:
        training: Declares them.
        model: The network.
        steps: Steps done: schedules follow it, and so does who moves.
        total_steps: Steps of the whole training.

    Raises:
        BadInputError: if a weight belongs to no optimizer, or an optimizer has none.

    Attributes:
        optimizers: In the order of the recipe.
    """

    def __init__(self, training: Training, model: keras.Model, steps: tf.Variable, total_steps: int) -> None:
        self._model, self._steps = model, steps
        self._scaled = training.precision == "mixed_float16"
        self._weights = [weight.value for weight in model.trainable_variables]
        groups = optimizers.assign(training.optimizers, model.trainable_variables)
        made = [optimizers.make(one, steps, total_steps, training.epochs) for one in training.optimizers]
        if self._scaled:
            made = [keras.optimizers.LossScaleOptimizer(one, name="scaled") for one in made]
        for optimizer, group in zip(made, groups, strict=True):
            optimizer.build([model.trainable_variables[index] for index in group])
        self.optimizers: list[keras.optimizers.Optimizer] = made
        self._parts = [Part(*one) for one in zip(training.optimizers, made, groups, strict=True)]

    def gradients(self, losses: Mapping[str, tf.Tensor], tape: tf.GradientTape) -> Gradients:
        """Of each weight, from the loss that its optimizer makes smaller.

        Raises:
            BadInputError: if an optimizer has no loss.
        """
        found: dict[int, tf.Tensor] = {}
        for scope, loss in losses.items():
            moved = [part for part in self._parts if scope in (ALL, part.declared.scope)]
            found |= self._gradients_of(loss, moved, tape)
        if len(found) < len(self._weights):
            raise BadInputError(
                f"The network states losses for the scopes {', '.join(map(repr, losses))}, and the scopes of the "
                f"optimizers are {', '.join(repr(part.declared.scope) for part in self._parts)}. Give both the same."
            )
        return [found[index] for index in range(len(self._weights))]

    def _gradients_of(self, loss: tf.Tensor, moved: Sequence[Part], tape: tf.GradientTape) -> dict[int, tf.Tensor]:
        """Of the weights of some parts, by position; zeros, which cost nothing, in a step in which none moves."""
        positions = [index for part in moved for index in part.weights]
        weights = [self._weights[index] for index in positions]

        def computed() -> Gradients:
            # Summing sparse gradients over workers sends ids and rows apart; small tables are cheaper whole.
            found = tape.gradient(loss, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)
            return [tf.convert_to_tensor(gradient) for gradient in found]

        if all(part.declared.every > 1 for part in moved) and moved:
            due = tf.reduce_any([self._is_due(part) for part in moved])
            found = tf.cond(due, computed, lambda: [tf.zeros(one.shape, one.dtype) for one in weights])
        else:
            found = computed()
        return dict(zip(positions, found, strict=True))

    def _is_due(self, part: Part) -> tf.Tensor:
        """Whether it moves in the step under way; steps are counted from 1."""
        return tf.equal((self._steps + 1) % part.declared.every, 0)

    def penalty(self) -> tf.Tensor:
        """What is added to every loss: L1 and L2 of the optimizers, and what layers of the network add themselves."""
        declared, total = [part.declared for part in self._parts], tf.zeros([])
        if any(one.l1 or one.l2 for one in declared):
            groups = [[self._model.trainable_variables[index] for index in part.weights] for part in self._parts]
            total += optimizers.penalty(declared, groups)
        return tf.add_n([total, *(tf.cast(own, tf.float32) for own in self._model.losses)])

    def loss_scale(self) -> tf.Tensor | None:
        """What keeps gradients of half precision above their smallest number: the most careful optimizer's scale."""
        if not self._scaled:
            return None
        return tf.reduce_min([optimizer.dynamic_scale.value for optimizer in self.optimizers])

    def move(self, gradients: Gradients) -> None:
        """One step of every optimizer that is due: called inside a replica.

        Args:
            gradients: In the order of the weights, summed over the replicas.
        """
        replica = tf.distribute.get_replica_context()
        for part in self._parts:
            mine = [gradients[index] for index in part.weights]
            if self._scaled:
                mine = [gradient * part.optimizer.dynamic_scale.value for gradient in mine]  # it divides by its own
            if part.declared.every == 1:
                part.optimizer.apply(mine)
            else:
                replica.merge_call(partial(self._move_if_due, part), args=(mine,))

    def _move_if_due(self, part: Part, strategy: tf.distribute.Strategy, gradients: Any) -> None:
        """For all replicas at once: they meet in Keras's `apply`, which they could not in conditions of their own."""

        def move() -> tf.Tensor:
            strategy.extended.call_for_each_replica(part.optimizer.apply, args=(gradients,))
            return tf.constant(True)

        tf.cond(self._is_due(part), move, lambda: tf.constant(False))
