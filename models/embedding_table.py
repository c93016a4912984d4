"""Vectors of ids, in a table that may be larger than what one step should read or write."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("emberline")
class EmbeddingTable(keras.layers.Embedding):
    """Keras's `Embedding`, of which a step touches only the rows of its batch.

    The stock layer reads its whole variable and takes rows from what it read: beside updates of single rows, each
    reading would be a copy of the table. This one takes rows from the variable itself; values, gradients, initial
    weights and names are those of the stock layer. Which tables are updated by rows is for the training to say
    (`training.tables`).

    Args:
        input_dim: Number of ids.
        output_dim: Numbers in the vector of one id.

    Example:
        >>> import numpy as np
        >>> table = EmbeddingTable(1000, 4, embeddings_initializer="ones")
        >>> np.asarray(table(np.array([[1, 7], [7, 7]]))).shape
        (2, 2, 4)
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        ids = inputs if inputs.dtype in ("int32", "int64") else tf.cast(inputs, tf.int32)
        return tf.cast(rows_of(self._embeddings.value, ids), self.compute_dtype)


def rows_of(table: tf.Variable, ids: tf.Tensor) -> tf.Tensor:
    """Returns rows of a variable, inside a replica those of its own copy, without reading the rest: `[*ids, …]`."""
    # A variable of several replicas has no reading of rows: `tf.gather` would copy all of it and take rows of that.
    own = next(one for one in getattr(table, "values", (table,)) if one.device == table.device)
    return tf.gather(own, ids)
