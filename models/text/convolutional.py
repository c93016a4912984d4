"""A convolutional network over the first words of a text."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emberline.features.columns import Column, Embedding

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Config:
    """The network.

    Args:
        words: A vector per word.
        length: Words of a text that are looked at; a shorter text is filled up with zeros.
        filters: Number of patterns of words looked for.
        width: Words in a pattern.
        pool: Places of which the best match is kept.
        dropout: Share of the matches dropped in training, 0 for none.
        outputs: 1, or the number of classes when there are more than two.
    """

    words: Embedding
    length: int = 20
    filters: int = 6
    width: int = 3
    pool: int = 3
    dropout: float = 0.0
    outputs: int = 1

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.words,)


def build(config: Config, cardinalities: Mapping[str, int]) -> "keras.Model":
    """Returns a model from stored columns to what the task needs.

    Args:
        config: Column and layers.
        cardinalities: Number of ids of every categorical column.

    Returns:
        Input `{column name: [batch, words]}`, output `[batch]`, or a logit per class `[batch, outputs]`.
    """
    import keras
    from keras import ops

    from emberline.models.text.words import word_vectors

    inputs, vectors, _ = word_vectors(config.words, cardinalities, config.length)
    hidden = keras.layers.Conv1D(config.filters, config.width, activation="relu", name="patterns")(vectors)
    hidden = keras.layers.MaxPooling1D(config.pool, name="best")(hidden)
    hidden = keras.layers.Flatten(name="flat")(hidden)
    if config.dropout:
        hidden = keras.layers.Dropout(config.dropout, name="dropout")(hidden)
    last = keras.layers.Dense(config.outputs, name="logit")(hidden)
    return keras.Model(inputs, ops.squeeze(last, -1) if config.outputs == 1 else last, name="convolutional")
