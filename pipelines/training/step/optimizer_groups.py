"""The parts of a network: each optimizer of a recipe with the weights it moves, by which loss, and in which steps."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from emberline.features.errors import BadInputError
from emberline.pipelines.recipe import Optimizer, Training
from emberline.pipelines.training.step import optimizers
from emberline.pipelines.training.step.row_exchange import RowExchange, can_exchange
from emberline.pipelines.training.step.table_rows import (
    Gradients,
    as_rows,
    count_one,
    embedding_tables,
    is_same_update,
    move_rows,
    moves_by_rows,
    no_rows,
    summed,
)

NAMED = 3
"""Tables that a message names."""

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
        by_rows: Positions of the tables that are updated by rows.
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
        self.by_rows = self._chosen_tables(training)
        mine = training.global_batch // tf.distribute.get_strategy().num_replicas_in_sync
        self._exchange = RowExchange({place: self._weights[place] for place in sorted(self.by_rows)}, mine)

    def _chosen_tables(self, training: Training) -> frozenset[int]:
        tables = embedding_tables(self._model)
        if tf.distribute.get_strategy().num_replicas_in_sync > 1:
            tables = [place for place in tables if can_exchange(self._weights[place])]
        chosen: set[int] = set()
        for group in self._groups:
            mine = {
                place
                for place in tables
                if place in group.weights and moves_by_rows(training, group.declared, self._weights[place].shape[0])
            }
            # The scale of an optimizer follows its other gradients: one that has none keeps its tables whole.
            if not (self._scaled and len(mine) == len(group.weights)):
                chosen |= mine
        return frozenset(chosen)

    def about_rows(self) -> str:
        """Returns a sentence about the tables that are updated by rows; empty if none is."""
        said = []
        for group in self._groups:
            mine = [
                self._model.trainable_variables[place] for place in sorted(self.by_rows.intersection(group.weights))
            ]
            if mine:
                rows = sum(table.shape[0] for table in mine)
                named = ", ".join(table.path.rpartition("/")[0] for table in mine[:NAMED])
                more = f" and {len(mine) - NAMED} more" if len(mine) > NAMED else ""
                rest = "" if is_same_update(group.declared) else "; rows that a batch does not have rest"
                said.append(f"{group.declared.name} moves {named}{more} ({rows:,} rows) by the rows of a batch{rest}")
        if self._exchange.is_needed:
            said.append(self._exchange.about_bytes())
        return "; ".join(said)

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
            found = tape.gradient(loss, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)
            return [
                as_rows(gradient) if place in self.by_rows else tf.convert_to_tensor(gradient)
                for place, gradient in zip(positions, found, strict=True)
            ]

        if all(group.declared.every > 1 for group in moved) and moved:
            due = tf.reduce_any([self._is_due(group) for group in moved])
            found = tf.cond(due, computed, lambda: [self._zeros(place) for place in positions])
        else:
            found = computed()
        return dict(zip(positions, found, strict=True))

    def summed_over_replicas(self, loss: tf.Tensor, gradients: Gradients) -> tuple[tf.Tensor, Gradients]:
        """Returns loss and gradients of all replicas together, the rows of tables each once; called inside a replica.

        Args:
            loss: This replica's share.
            gradients: Its own, in the order of the weights.
        """
        context = tf.distribute.get_replica_context()
        rows = {place: summed(gradients[place]) for place in sorted(self.by_rows)}
        dense = {place: one for place, one in enumerate(gradients) if place not in rows}
        if context.num_replicas_in_sync > 1:
            # The loss and counts of rows travel with the gradients: sums of their own would each cost as long as a
            # small network's step.
            counts = [self._exchange.counts(rows)] if self._exchange.is_needed else []
            loss, *sums = context.all_reduce(tf.distribute.ReduceOp.SUM, [loss, *counts, *dense.values()])
            if counts:
                rows = self._exchange(rows, sums.pop(0))
            dense = dict(zip(dense, sums, strict=True))
        total = dense | rows
        return loss, [total[place] for place in range(len(gradients))]

    def zeros(self) -> Gradients:
        """Returns gradients of nothing, in the order of the weights."""
        return [self._zeros(place) for place in range(len(self._weights))]

    def _zeros(self, place: int) -> tf.Tensor | tf.IndexedSlices:
        weight = self._weights[place]
        return no_rows(weight) if place in self.by_rows else tf.zeros(weight.shape, weight.dtype)

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
        for group in self._groups:
            self._move_group(group, gradients)

    def _move_group(self, group: OptimizerGroup, gradients: Gradients) -> None:
        weights = self._model.trainable_variables
        tables = [place for place in group.weights if place in self.by_rows]
        dense = [place for place in group.weights if place not in self.by_rows]
        rule = group.optimizer.inner_optimizer if self._scaled else group.optimizer
        before = tf.identity(rule.iterations.value)
        mine = [gradients[place] for place in dense]
        moves = tf.constant(True) if group.declared.every == 1 else self._is_due(group)
        if self._scaled:
            # An optimizer that scales leaves a step out, and lowers its scale, if a gradient of its own is not finite.
            finite = _all_finite([gradients[place].values for place in tables])
            moves &= finite & _all_finite(mine)
            scale = group.optimizer.dynamic_scale.value  # by which it divides
            mine = [tf.where(finite, gradient * scale, float("nan")) for gradient in mine]

        def move_tables() -> tf.Tensor:
            for place in tables:
                move_rows(rule, weights[place], gradients[place], before)
            if not dense:  # `apply` counts otherwise
                count_one(rule.iterations.value)
            return tf.constant(True)

        if tables and (self._scaled or group.declared.every > 1):
            tf.cond(moves, move_tables, lambda: tf.constant(False))
        elif tables:
            move_tables()
        if not dense:
            return
        apply = partial(group.optimizer.apply, trainable_variables=[weights[place] for place in dense])
        if group.declared.every == 1:
            apply(mine)
        else:
            replica = tf.distribute.get_replica_context()
            replica.merge_call(partial(self._apply_if_due, group, apply), args=(mine,))

    def _apply_if_due(
        self, group: OptimizerGroup, apply: Callable[..., None], strategy: tf.distribute.Strategy, gradients: Any
    ) -> None:
        """Updates all replicas at once: they meet in Keras's `apply`, which separate conditions would prevent."""

        def move() -> tf.Tensor:
            strategy.extended.call_for_each_replica(apply, args=(gradients,))
            return tf.constant(True)

        tf.cond(self._is_due(group), move, lambda: tf.constant(False))


def _all_finite(values: Sequence[tf.Tensor]) -> tf.Tensor:
    return tf.reduce_all([tf.reduce_all(tf.math.is_finite(one)) for one in values])
