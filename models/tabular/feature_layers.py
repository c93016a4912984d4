"""The first layers of every tabular network: stored ids and numbers to one dense vector, a sequence, or a linear logit.

Built of stock Keras layers over named inputs, so that an exported model needs none of our code.
"""

import warnings
from collections.abc import Mapping, MutableMapping, Sequence
from itertools import accumulate
from typing import TypeAlias

import keras
from keras import ops

from emberline.features.columns import (
    Bucketized,
    Categorical,
    Column,
    Embedding,
    Indicator,
    Numeric,
    Transformed,
    Weighted,
    stored,
)
from emberline.features.errors import BadInputError
from emberline.features.names import safe_names
from emberline.models.embedding_table import EmbeddingTable
from emberline.models.tabular.dense_columns import DenseColumn, require_dense
from emberline.models.tabular.ids import Ids, Tables, combined, counts, vectors

LinearColumn: TypeAlias = Transformed | Weighted
Inputs: TypeAlias = Mapping[str, keras.KerasTensor]


def model_inputs(columns: Sequence[Column]) -> dict[str, keras.KerasTensor]:
    """Returns one input per stored column, float32 numbers or int64 ids: `[batch]`, `[batch, n]` for arrays,
    `[batch, longest]` for any number of values, with -2 or NaN behind the end of a row.
    """
    # A dictionary's keys are columns' names, the inputs' own names what Keras and SavedModel take.
    warnings.filterwarnings("ignore", "When providing `inputs` as a dict", UserWarning)
    held = stored(columns)
    names = safe_names(column.name for column in held)
    return {
        column.name: keras.Input(column.stored_shape, name=names[column.name], dtype=column.stored_type)
        for column in held
    }


def dense_features(
    columns: Sequence[DenseColumn],
    inputs: Inputs,
    cardinalities: Mapping[str, int],
    name: str,
    tables: MutableMapping[str, EmbeddingTable] | None = None,
) -> keras.KerasTensor:
    """Returns numbers, counts of ids and embeddings side by side, in the order declared: `[batch, width]`.

    It equals TensorFlow's `input_layer`, which sorts the columns by name first.

    Args:
        columns: Dense columns; a bucketized number counts as its indicator.
        inputs: `model_inputs`.
        cardinalities: Number of ids of every categorical column.
        name: Prefix of the layers made here.
        tables: Shared embedding tables made so far, where several calls share them.
    """
    shared = Tables(name, tables)
    parts = []
    for column in columns:
        if isinstance(column, Indicator | Bucketized):
            source = column.source if isinstance(column, Indicator) else column
            parts.append(counts(Ids.of(source, inputs, cardinalities)))
        elif isinstance(column, Embedding):
            ids = Ids.of(column.source, inputs, cardinalities)
            parts.append(combined(vectors(column, ids, shared), ids, column.combiner))
        else:
            parts.append(_numbers(column, inputs))
    return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=-1)


def _numbers(column: Transformed, inputs: Inputs) -> keras.KerasTensor:
    """`[batch, elements]`."""
    require_dense((column,))
    values = inputs[column.name]
    return values if column.stored_shape else ops.expand_dims(values, -1)


def linear_logit(
    columns: Sequence[LinearColumn],
    inputs: Inputs,
    cardinalities: Mapping[str, int],
    name: str,
    outputs: int = 1,
    combiner: str = "sum",
) -> keras.KerasTensor:
    """Returns w·x + b over numbers and the weights of ids, all starting at zero: `[batch]`, or `[batch, outputs]`.

    It equals TensorFlow's `linear_model`. The ids of all columns share one table of weights, each column at its own
    offset: one gather and one sum instead of one per column.

    Args:
        columns: Numbers and ids, weighted or not.
        inputs: `model_inputs`.
        cardinalities: Number of ids of every categorical column.
        name: Prefix of the layers made here.
        outputs: Number of logits.
        combiner: Of the weights of one column's ids in a row: `sum`, `mean` or `sqrtn`.
    """
    numbers = [_numbers(column, inputs) for column in columns if not isinstance(column, Categorical | Weighted)]
    categorical = [
        Ids.of(column, inputs, cardinalities) for column in columns if isinstance(column, Categorical | Weighted)
    ]
    logits = []
    if categorical:
        offsets = [0, *accumulate(ids.size for ids in categorical)]
        total = offsets.pop()
        blocks, shares = _blocks(categorical, offsets, combiner)
        # The bias is one more weight, whose id every row has.
        # Summed, because a block of rows without values has no column to take.
        bias = ops.full_like(ops.sum(blocks[0], axis=1, keepdims=True), total)
        table = EmbeddingTable(total + 1, outputs, embeddings_initializer="zeros", name=f"{name}_weights")
        weights = table(ops.concatenate([*blocks, bias], axis=1))
        factors = ops.concatenate([*shares, ops.ones_like(bias, "float32")], axis=1)
        logits.append(ops.sum(weights * ops.expand_dims(factors, -1), axis=1))
    if numbers:
        dense = keras.layers.Dense(
            outputs, kernel_initializer="zeros", name=f"{name}_numbers", use_bias=not categorical
        )
        logits.append(dense(numbers[0] if len(numbers) == 1 else ops.concatenate(numbers, axis=-1)))
    logit = sum(logits[1:], logits[0])
    return ops.squeeze(logit, -1) if outputs == 1 else logit


def _blocks(
    columns: list[Ids], offsets: list[int], combiner: str
) -> tuple[list[keras.KerasTensor], list[keras.KerasTensor]]:
    """Ids at the offsets of their columns, and the share of each; columns of one plain id per row together."""
    plain = [index for index, ids in enumerate(columns) if ids.single and ids.weights is None]
    blocks, shares = [], []
    if plain:
        ids = ops.concatenate([columns[index].values for index in plain], axis=1)
        # Subtracted, because Keras adds a vector by BiasAdd, which TensorFlow Lite has for floats only.
        blocks.append(ops.maximum(ids, 0) - ops.convert_to_tensor([[-offsets[index] for index in plain]], "int64"))
        shares.append(ops.cast(ids >= 0, "float32"))
    for index, column in enumerate(columns):
        if index not in plain:
            blocks.append(ops.maximum(column.values, 0) + offsets[index])
            shares.append(column.shares(combiner))
    return blocks, shares


def sequence_features(
    columns: Sequence[Numeric | Indicator | Embedding],
    inputs: Inputs,
    cardinalities: Mapping[str, int],
    name: str,
    tables: MutableMapping[str, EmbeddingTable] | None = None,
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Returns numbers, one-hots and embeddings of each step side by side, in the order declared.

    It equals TensorFlow's `SequenceFeatures`, except that columns of different length are filled up with zeros
    instead of refused.

    Args:
        columns: Views of columns of any number of values: each value is a step, nothing is combined.
        inputs: `model_inputs`.
        cardinalities: Number of ids of every categorical column.
        name: Prefix of the layers made here.
        tables: Shared embedding tables made so far, where several calls share them.

    Returns:
        `[batch, steps, width]` with zeros behind the end of a row, and the steps of each row, int64 `[batch]`.
    """
    shared = Tables(name, tables)
    parts, masks = [], []
    for column in columns:
        source = column.source if isinstance(column, Indicator | Embedding) else column
        if isinstance(source, Weighted) or source.stored_shape != (None,):
            raise BadInputError(
                f"Column {column.name!r} is no sequence: its steps are the values of a field of many values, declared "
                "with many=True, without weights."
            )
        if isinstance(column, Numeric):
            values = inputs[column.name]
            known = ops.logical_not(ops.isnan(values))
            parts.append(ops.expand_dims(ops.where(known, values, ops.zeros_like(values)), -1))
        else:
            ids = Ids.of(column.source, inputs, cardinalities)
            known = ids.inside
            steps = ops.one_hot(ids.values, ids.size) if isinstance(column, Indicator) else vectors(column, ids, shared)
            parts.append(steps * ops.expand_dims(ids.shares("sum"), -1))
        masks.append(ops.expand_dims(ops.cast(known, "int64"), -1))
    # Steps are counted where any column has one: columns end where their last value is not missing.
    lengths = ops.sum(ops.cast(ops.any(_aligned(masks) > 0, axis=-1), "int64"), axis=-1)
    return _aligned(parts), lengths


def _aligned(parts: list[keras.KerasTensor]) -> keras.KerasTensor:
    return parts[0] if len(parts) == 1 else SideBySide()(parts)


@keras.saving.register_keras_serializable("emberline")
class SideBySide(keras.layers.Layer):
    """`[batch, steps, width]` tensors side by side, shorter ones filled up with zeros.

    A layer of our own, because no stock one pads to a number of steps that differs from batch to batch.
    """

    def call(self, parts: list[keras.KerasTensor]) -> keras.KerasTensor:
        steps = ops.max(ops.stack([ops.shape(part)[1] for part in parts]))
        filled = [ops.pad(part, [[0, 0], [0, steps - ops.shape(part)[1]], [0, 0]]) for part in parts]
        return ops.concatenate(filled, axis=-1)

    def compute_output_shape(self, shapes: list[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        return (*shapes[0][:2], sum(shape[2] or 0 for shape in shapes))
