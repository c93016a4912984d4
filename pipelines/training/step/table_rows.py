"""Embedding tables by rows: what a step costs follows the ids of its batch, and not the number of rows in a table.

The gradient of a table is zero but for the rows whose ids a batch has. It stays a list of rows here: repeated ids are
summed first, because Keras's optimizers square and clip each of several slices by itself; then the optimizer's own rule
moves these rows, and what it remembers of them.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from emberline.models.embedding_table import EmbeddingTable, rows_of
from emberline.pipelines.recipe import Optimizer, Training

Gradients = list[tf.Tensor | tf.IndexedSlices]
"""Of each weight; of a table by rows its rows."""

EXACT = ("adagrad", "ftrl", "rowwise_adagrad", "sgd")
"""Optimizers to which a gradient of zero says nothing: by rows they do what they do to whole tables, without momentum
and decay of weights. Only `ftrl` makes a weight zero in its first step that neither begins there nor has a gradient."""

BY_ROWS = (*EXACT, "adadelta", "adam", "adamax", "adamw", "lion", "rmsprop")
"""Optimizers whose rule looks at each element, or each row, by itself, so that it can be asked about rows alone."""

LARGE = 8
"""Rows of a table, in global batches, from which on `auto` moves it by rows where that is the same update: measured,
see docs/training.md."""

HUGE = 1_000_000
"""Rows of a table from which on `auto` moves it by rows where that is another update: whole, a step would take most of
its time for rows that the batch does not have."""


def embedding_tables(model: keras.Model) -> list[int]:
    """Returns the positions, among the trainable weights, of tables that can be updated by rows."""
    tables = {
        id(layer.embeddings)
        for layer in model._flatten_layers(include_self=False)  # those of nested models, too
        if isinstance(layer, EmbeddingTable) and layer.built and layer.embeddings_constraint is None
    }
    return [place for place, weight in enumerate(model.trainable_variables) if id(weight) in tables]


def moves_by_rows(training: Training, declared: Optimizer, rows: int) -> bool:
    """Returns whether a table of so many rows is moved by rows.

    Args:
        training: Says whether it may be.
        declared: The optimizer that moves it.
        rows: Ids of the table.
    """
    if training.tables == "dense" or declared.kind not in BY_ROWS:
        return False
    if training.tables == "rows":
        return True
    return rows >= (LARGE * training.global_batch if is_same_update(declared) else HUGE)


def is_same_update(declared: Optimizer) -> bool:
    """Returns whether an optimizer leaves rows without a gradient alone anyway."""
    remembers = declared.momentum or declared.weight_decay or declared.settings.keys() & {"momentum", "weight_decay"}
    return declared.kind in EXACT and not remembers


def as_rows(gradient: tf.Tensor | tf.IndexedSlices) -> tf.IndexedSlices:
    """Returns a table's gradient as rows, each id as often as it was read; of a dense gradient all rows."""
    if isinstance(gradient, tf.IndexedSlices):
        return tf.IndexedSlices(gradient.values, tf.cast(gradient.indices, tf.int64), gradient.dense_shape)
    return tf.IndexedSlices(gradient, tf.range(tf.shape(gradient, tf.int64)[0]), tf.shape(gradient))


def no_rows(table: tf.Variable) -> tf.IndexedSlices:
    """Returns a gradient without a row."""
    values = tf.zeros([0, *table.shape[1:]], table.dtype)
    return tf.IndexedSlices(values, tf.zeros([0], tf.int64), tf.constant(list(table.shape), tf.int32))


def any_rows(gradient: tf.Tensor | tf.IndexedSlices) -> tf.TensorSpec | tf.IndexedSlicesSpec:
    """Returns the type of a gradient with any number of rows, if it has rows."""
    if not isinstance(gradient, tf.IndexedSlices):
        return tf.TensorSpec(gradient.shape, gradient.dtype)
    shape = [None, *gradient.values.shape[1:]]
    return tf.IndexedSlicesSpec(shape, gradient.dtype, tf.int64, tf.int32, [None])


def plus(one: tf.Tensor | tf.IndexedSlices, other: tf.Tensor | tf.IndexedSlices) -> tf.Tensor | tf.IndexedSlices:
    """Returns the sum of two gradients; of rows, the rows of both."""
    if not isinstance(one, tf.IndexedSlices):
        return one + other
    values, ids = tf.concat([one.values, other.values], 0), tf.concat([one.indices, other.indices], 0)
    return tf.IndexedSlices(values, ids, one.dense_shape)


def changed(gradients: Gradients, change: Callable[[tf.Tensor], tf.Tensor]) -> Gradients:
    """Returns gradients whose numbers went through a function."""
    return [
        tf.IndexedSlices(change(one.values), one.indices, one.dense_shape)
        if isinstance(one, tf.IndexedSlices)
        else change(one)
        for one in gradients
    ]


def summed(gradient: tf.IndexedSlices) -> tf.IndexedSlices:
    """Returns the rows of a table with each id once."""
    ids, places = tf.unique(gradient.indices)
    rows = tf.math.unsorted_segment_sum(gradient.values, places, tf.size(ids))
    return tf.IndexedSlices(rows, ids, gradient.dense_shape)


def move_rows(
    optimizer: keras.optimizers.Optimizer, table: keras.Variable, gradient: tf.IndexedSlices, iterations: tf.Tensor
) -> None:
    """Applies one step of a Keras optimizer to some rows of a table, and to what it remembers of these; in a replica.

    Args:
        optimizer: Built over the table.
        table: `[ids, width]`.
        gradient: Of rows, each id once.
        iterations: Steps that the optimizer took before.
    """
    rate = optimizer.learning_rate
    with _Rows(optimizer, table, gradient.indices, iterations) as rows:
        if optimizer.weight_decay is not None:
            rows.assign(table, table.value * (1 - tf.cast(optimizer.weight_decay * rate, table.dtype)))
        type(optimizer).update_step(rows, gradient.values, table, rate)
    rows.write()


class _Rows(keras.StatelessScope):
    """Some rows of a table, and of an optimizer's slots for it; its `update_step` takes this for the optimizer.

    Inside the block, the table and what the optimizer remembers of it have the values of the chosen rows.
    """

    def __init__(
        self, optimizer: keras.optimizers.Optimizer, table: keras.Variable, ids: tf.Tensor, iterations: tf.Tensor
    ) -> None:
        super().__init__()
        self._optimizer = optimizer
        self._ids = ids
        self._place = optimizer._get_variable_index(table)
        # What it remembers is in lists, one value for each variable.
        lists = [one for one in vars(optimizer).values() if isinstance(one, list) and len(one) > self._place]
        slots = [one[self._place] for one in lists if isinstance(one[self._place], keras.Variable)]
        self._variables = {id(one): one.value for one in (table, *slots) if one.shape[:1] == table.shape[:1]}
        self._changed: dict[int, None] = {}
        self.state_mapping[id(optimizer.iterations)] = iterations

    def __getattr__(self, name: str) -> Any:
        return getattr(self._optimizer, name)

    def get_current_value(self, variable: keras.Variable) -> tf.Tensor | None:
        known = self.state_mapping.get(id(variable))
        if known is None and id(variable) in self._variables:
            known = self.state_mapping[id(variable)] = rows_of(self._variables[id(variable)], self._ids)
        return known

    def _get_variable_index(self, variable: keras.Variable) -> int:
        return self._place

    def assign(self, variable: keras.Variable, value: Any) -> None:
        self._changed[id(variable)] = None
        self.state_mapping[id(variable)] = tf.cast(value, variable.dtype)

    def assign_add(self, variable: keras.Variable, value: Any) -> None:
        self.assign(variable, variable.value + tf.cast(value, variable.dtype))

    def assign_sub(self, variable: keras.Variable, value: Any) -> None:
        self.assign(variable, variable.value - tf.cast(value, variable.dtype))

    def write(self) -> None:
        """Puts the changed rows into their variables."""
        for key in self._changed:
            put_rows(self._variables[key], self._ids, self.state_mapping[key])


def put_rows(table: tf.Variable, ids: tf.Tensor, rows: tf.Tensor) -> None:
    """Writes rows into this replica's copy of a variable."""
    tf.raw_ops.ResourceScatterUpdate(resource=table.handle, indices=ids, updates=rows)


def count_one(counter: tf.Variable) -> None:
    """Adds 1 to this replica's copy of a variable: Keras's way would have replicas meet, which conditions forbid."""
    tf.raw_ops.AssignAddVariableOp(resource=counter.handle, value=tf.ones([], counter.dtype))
