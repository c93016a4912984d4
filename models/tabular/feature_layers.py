"""The first layers of every tabular network: stored ids and numbers to one dense vector, or to a linear logit.

Built of stock Keras layers over named inputs, so that an exported model needs none of our code.
"""

from collections.abc import Mapping, Sequence

import keras
from keras import ops

from features.columns import Column, Embedding, Indicator, Numeric, Transformed, stored


def model_inputs(columns: Sequence[Column]) -> dict[str, keras.KerasTensor]:
    """One `[batch]` input per stored column: float32 numbers and int64 ids."""
    return {
        column.name: keras.Input((), name=column.name, dtype="float32" if isinstance(column, Numeric) else "int64")
        for column in stored(tuple(columns))
    }


def dense_features(
    columns: Sequence[Numeric | Indicator | Embedding],
    inputs: Mapping[str, keras.KerasTensor],
    cardinalities: Mapping[str, int],
    name: str,
) -> keras.KerasTensor:
    """Numbers, one-hots and embeddings side by side, in the order declared: `[batch, width]`.

    Args:
        columns: Dense columns.
        inputs: `model_inputs`.
        cardinalities: Number of ids of every categorical column.
        name: Prefix of the layers made here.
    """
    parts = []
    for column in columns:
        if isinstance(column, Numeric):
            parts.append(ops.expand_dims(inputs[column.name], -1))
            continue
        ids, size = inputs[column.source.name], cardinalities[column.source.name]
        if isinstance(column, Indicator):
            parts.append(ops.one_hot(ids, size))  # -1 is no class: all zeros
        else:
            table = keras.layers.Embedding(
                size,
                column.dimension,
                # The initializer of tf.feature_column.embedding_column.
                embeddings_initializer=keras.initializers.TruncatedNormal(stddev=column.dimension**-0.5),
                name=f"{name}_{column.name}",
            )
            parts.append(_known(table(ops.maximum(ids, 0)), ids))
    return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=-1)


def linear_logit(
    columns: Sequence[Transformed],
    inputs: Mapping[str, keras.KerasTensor],
    cardinalities: Mapping[str, int],
    name: str,
    outputs: int = 1,
) -> keras.KerasTensor:
    """w·x + b over numbers and one-hot ids, all weights starting at zero: `[batch]`, or `[batch, outputs]`.

    The ids of all columns share one table of weights, each column at its own offset: one gather and one sum
    instead of one per column.
    """
    numbers = [inputs[column.name] for column in columns if isinstance(column, Numeric)]
    categorical = [column for column in columns if not isinstance(column, Numeric)]
    logits = []
    if categorical:
        offsets, total = [], 0
        for column in categorical:
            offsets.append(total)
            total += cardinalities[column.name]
        ids = ops.stack([inputs[column.name] for column in categorical], axis=-1)
        shifted = ops.maximum(ids, 0) + ops.convert_to_tensor([offsets], "int64")
        # The bias is one more weight, whose id every row has.
        table = keras.layers.Embedding(total + 1, outputs, embeddings_initializer="zeros", name=f"{name}_weights")
        bias = table(ops.full_like(ids[:, :1], total))
        logits.append(ops.sum(_known(table(shifted), ids), axis=1) + ops.sum(bias, axis=1))
    if numbers:
        weigh = keras.layers.Dense(
            outputs, kernel_initializer="zeros", name=f"{name}_numbers", use_bias=not categorical
        )
        logits.append(weigh(ops.stack(numbers, axis=-1)))
    total_logit = sum(logits[1:], logits[0])
    return ops.squeeze(total_logit, -1) if outputs == 1 else total_logit


def _known(values: keras.KerasTensor, ids: keras.KerasTensor) -> keras.KerasTensor:
    """Zeros where the id is -1."""
    return values * ops.expand_dims(ops.cast(ids >= 0, values.dtype), -1)
