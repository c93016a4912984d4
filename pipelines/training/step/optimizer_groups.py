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


class OptimizerGroup(NamedTuple):
    """One optimizer.

    Args:
        declared: Its declaration.
        optimizer: What Keras makes of it.
        weights: Positions of the weights that it moves.
    """

    declared: Optimizer
    optimizer: keras.optimizers.Optimizer
    weights: list[int]


class OptimizerGroups:
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
        self._model = model
        self._steps = steps
        self._scaled = training.precision == "mixed_float16"
        self._weights = [weight.value for weight in model.trainable_variables]
        groups = optimizers.assign(training.optimizers, model.trainable_variables)
        made = [optimizers.make(one, steps, total_steps, training.epochs) for one in training.optimizers]
        if self._scaled:
            made = [keras.optimizers.LossScaleOptimizer(one, name="scaled") for one in made]
        for optimizer, group in zip(made, groups, strict=True):
            optimizer.build([model.trainable_variables[index] for index in group])
        self.optimizers: list[keras.optimizers.Optimizer] = made
        self._groups = [OptimizerGroup(*one) for one in zip(training.optimizers, made, groups, strict=True)]

    def gradients(self, losses: Mapping[str, tf.Tensor], tape: tf.GradientTape) -> Gradients:
        """Returns the gradient of each weight, from the loss that its optimizer minimises.

        Raises:
            BadInputError: if an optimizer has no loss.
        """
        found: dict[int, tf.Tensor] = {}
        for scope, loss in losses.items():
            moved = [group for group in self._groups if scope in (ALL, group.declared.scope)]
            found |= self._gradients_of(loss, moved, tape)
        if len(found) < len(self._weights):
            raise BadInputError(
                f"The network states losses for the scopes {', '.join(map(repr, losses))}, and the scopes of the "
                f"optimizers are {', '.join(repr(group.declared.scope) for group in self._groups)}. Give both the same."
            )
        return [found[index] for index in range(len(self._weights))]

    def _gradients_of(
        self, loss: tf.Tensor, moved: Sequence[OptimizerGroup], tape: tf.GradientTape
    ) -> dict[int, tf.Tensor]:
        """Returns the gradients of some parts' weights, by position; zeros in a step in which none is updated."""
        positions = [index for group in moved for index in group.weights]
        weights = [self._weights[index] for index in positions]

        def computed() -> Gradients:
            # Summing sparse gradients over workers sends ids and rows apart; small tables are cheaper whole.
            found = tape.gradient(loss, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)
            return [tf.convert_to_tensor(gradient) for gradient in found]

        if all(group.declared.every > 1 for group in moved) and moved:
            due = tf.reduce_any([self._is_due(group) for group in moved])
            found = tf.cond(due, computed, lambda: [tf.zeros(one.shape, one.dtype) for one in weights])
        else:
            found = computed()
        return dict(zip(positions, found, strict=True))

    def _is_due(self, group: OptimizerGroup) -> tf.Tensor:
        """Returns whether it moves in the step under way; steps are counted from 1."""
        return tf.equal((self._steps + 1) % group.declared.every, 0)

    def penalty(self) -> tf.Tensor:
        """Returns what is added to every loss: L1 and L2 of the optimizers, and what layers of the network add
        themselves.
        """
        declared, total = [group.declared for group in self._groups], tf.zeros([])
        if any(one.l1 or one.l2 for one in declared):
            groups = [[self._model.trainable_variables[index] for index in group.weights] for group in self._groups]
            total += optimizers.penalty(declared, groups)
        return tf.add_n([total, *(tf.cast(own, tf.float32) for own in self._model.losses)])

    def loss_scale(self) -> tf.Tensor | None:
        """Returns what keeps gradients of half precision above their smallest number: the most careful optimizer's
        scale.
        """
        if not self._scaled:
            return None
        return tf.reduce_min([optimizer.dynamic_scale.value for optimizer in self.optimizers])

    def move(self, gradients: Gradients) -> None:
        """Applies one step of every optimizer that is due; called inside a replica.

        Args:
            gradients: In the order of the weights, summed over the replicas.
        """
        replica = tf.distribute.get_replica_context()
        for group in self._groups:
            mine = [gradients[index] for index in group.weights]
            if self._scaled:
                mine = [gradient * group.optimizer.dynamic_scale.value for gradient in mine]  # it divides by its own
            if group.declared.every == 1:
                group.optimizer.apply(mine)
            else:
                replica.merge_call(partial(self._move_if_due, group), args=(mine,))

    def _move_if_due(self, group: OptimizerGroup, strategy: tf.distribute.Strategy, gradients: Any) -> None:
        """Updates all replicas at once: they meet in Keras's `apply`, which separate conditions would prevent."""

        def move() -> tf.Tensor:
            strategy.extended.call_for_each_replica(group.optimizer.apply, args=(gradients,))
            return tf.constant(True)

        tf.cond(self._is_due(group), move, lambda: tf.constant(False))
