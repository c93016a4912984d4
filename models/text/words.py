"""The first layer of every network over texts: a vector per word, and where a text ends."""

from collections.abc import Mapping

import keras
from keras import ops

from emberline.features.columns import PAD, Embedding
from emberline.models.tabular import feature_layers


def word_vectors(
    words: Embedding, cardinalities: Mapping[str, int], at_most: int = 0
) -> tuple[dict[str, keras.KerasTensor], keras.KerasTensor, keras.KerasTensor]:
    """Returns the vectors of the words of each text.

    Args:
        words: One vector per word; nothing is combined.
        cardinalities: Number of ids of every categorical column.
        at_most: Only the first so many words; shorter texts are filled up to exactly so many. 0 takes all, and fills up
            to the longest text of the batch.

    Returns:
        The inputs `{column name: [batch, words]}`; vectors `[batch, words, dimension]`, zeros behind the end of a text
        and for words without an id; and where there is a word, bool `[batch, words]`.
    """
    inputs = feature_layers.model_inputs((words,))
    ids = inputs[words.source.name]
    if at_most:
        ids = ops.pad(ids, [[0, 0], [0, at_most]], constant_values=PAD)[:, :at_most]
        ids = ops.reshape(ids, (-1, at_most))  # says the width, which padding and slicing lose
    vectors, _ = feature_layers.sequence_features((words,), {words.source.name: ids}, cardinalities, name="words")
    return inputs, vectors, ops.greater(ids, PAD)
