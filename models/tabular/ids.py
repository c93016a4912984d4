"""How a network reads ids: which are there, how much each counts, their counts and their vectors."""

import io
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from emberline.features import storage
from emberline.features.columns import PAD, Categorical, Embedding, Weighted
from emberline.features.errors import BadInputError
from emberline.features.names import safe_name
from emberline.models.embedding_table import EmbeddingTable


@dataclass(frozen=True)
class Ids:
    """The ids of one column.

    Args:
        values: int64 `[batch, ids in a row]`.
        weights: float32 of the same shape; None where each counts 1.
        size: Number of different ids.
        single: Exactly one id per row.
    """

    values: keras.KerasTensor
    weights: keras.KerasTensor | None
    size: int
    single: bool

    @classmethod
    def of(
        cls,
        source: Categorical | Weighted,
        inputs: Mapping[str, keras.KerasTensor],
        cardinalities: Mapping[str, int],
    ) -> "Ids":
        """Returns the ids of a categorical column, weighted or not."""
        column = source.source if isinstance(source, Weighted) else source
        if not isinstance(column, Categorical):
            raise BadInputError(f"Column {source.name!r} gives no ids: expected a categorical column.")
        single = not column.stored_shape
        values = inputs[column.name]
        weights = inputs[source.stored_weights.name] if isinstance(source, Weighted) else None
        if single:
            values = ops.expand_dims(values, -1)
            weights = weights if weights is None else ops.expand_dims(weights, -1)
        return cls(values, weights, cardinalities[column.name], single)

    @property
    def inside(self) -> keras.KerasTensor:
        """Where the row has a value, with an id or without: bool, the shape of the ids."""
        return self.values > PAD

    def shares(self, combiner: str) -> keras.KerasTensor:
        """Returns the factor of each id's vector in the sum of a row; 0 where there is no id.

        `mean` and `sqrtn` take no weights that are not positive, as in TensorFlow.
        """
        shares = ops.cast(self.values >= 0, "float32")
        if self.weights is not None:
            # Not a product: behind the end of a row the weight is NaN.
            shares = ops.where(self.values >= 0, self.weights, shares)
        if combiner == "sum" or (self.single and self.weights is None):
            return shares
        shares = ops.maximum(shares, 0)
        total = ops.sum(shares if combiner == "mean" else shares**2, axis=-1, keepdims=True)
        total = ops.where(total > 0, total, ops.ones_like(total))
        return shares / (total if combiner == "mean" else ops.sqrt(total))


def counts(ids: Ids) -> keras.KerasTensor:
    """Returns how often each id is in a row, or its sum of weights: `[batch, size]`."""
    if ids.single:
        # -1 is no class: all zeros.
        hot = ops.one_hot(ops.squeeze(ids.values, 1), ids.size)
        return hot if ids.weights is None else hot * ids.weights
    # One place more, at the front, for what has no id.
    counted = keras.layers.CategoryEncoding(ids.size + 1, output_mode="count")(
        ops.maximum(ids.values, -1) + 1, count_weights=ids.shares("sum")
    )
    return counted[:, 1:]


class Tables:
    """The embedding tables of a network.

    Args:
        name: Prefix of their names.
        shared: Those that several columns share, by name.
    """

    def __init__(self, name: str, shared: MutableMapping[str, EmbeddingTable] | None) -> None:
        self._name = name
        self._shared = {} if shared is None else shared

    def of(self, column: Embedding, size: int) -> EmbeddingTable:
        """Returns the table of a column, made on first use.

        Raises:
            BadInputError: if initial values have another shape, or columns of different sizes share a table.
        """
        if not column.table:
            return self._made(column, size, column.name)
        if column.table not in self._shared:
            self._shared[column.table] = self._made(column, size, column.table)
        table = self._shared[column.table]
        if (table.input_dim, table.output_dim) != (size, column.dimension):
            raise BadInputError(
                f"Table {column.table!r} has {table.input_dim:,} vectors of {table.output_dim}, {column.name!r} asks "
                f"for {size:,} of {column.dimension}."
            )
        return table

    def _made(self, column: Embedding, size: int, called: str) -> EmbeddingTable:
        # The initializer of tf.feature_column.embedding_column.
        initializer: keras.initializers.Initializer = keras.initializers.TruncatedNormal(stddev=column.dimension**-0.5)
        if column.initial:
            initializer = keras.initializers.Constant(_initial(column, size))
        return EmbeddingTable(
            size,
            column.dimension,
            embeddings_initializer=initializer,
            trainable=column.trainable,
            name=f"{self._name}_{safe_name(called)}",
        )


def _initial(column: Embedding, size: int) -> np.ndarray:
    if isinstance(column.initial, str):
        values = np.load(io.BytesIO(storage.read_bytes(column.initial)), allow_pickle=False)
    else:
        values = np.asarray(column.initial)
    if values.shape != (size, column.dimension):
        raise BadInputError(
            f"{column.name}: initial values have the shape {values.shape}, expected {(size, column.dimension)}, one "
            "row per id."
        )
    return values.astype(np.float32)


def vectors(column: Embedding, ids: Ids, tables: Tables) -> keras.KerasTensor:
    """Returns the vector of each id, within `max_norm`: `[batch, ids in a row, dimension]`; any where no id is."""
    found = tables.of(column, ids.size)(ops.maximum(ids.values, 0))
    if column.max_norm is None:
        return found
    # The root of zero has no gradient.
    length = ops.sqrt(ops.maximum(ops.sum(found**2, axis=-1, keepdims=True), 1e-30))
    return found * (column.max_norm / ops.maximum(length, column.max_norm))


def combined(found: keras.KerasTensor, ids: Ids, combiner: str) -> keras.KerasTensor:
    """Combines the vectors of a row into one: `[batch, dimension]`."""
    return ops.sum(found * ops.expand_dims(ids.shares(combiner), -1), axis=1)
