"""A recurrent network that reads a text word by word and answers after the last."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from emberline.features.columns import Column, Embedding

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Config:
    """The network.

    Args:
        words: A vector per word.
        units: Width of the state.
        cell: `lstm` (Hochreiter and Schmidhuber, 1997) or `gru` (Cho et al., 2014).
        bidirectional: Read the text backwards too, with weights of its own; both last states side by side.
        dropout: Share of the vectors' and of the last state's elements dropped in training, 0 for none.
        outputs: 1, or the number of classes when there are more than two.
    """

    words: Embedding
    units: int = 64
    cell: Literal["lstm", "gru"] = "lstm"
    bidirectional: bool = False
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

    inputs, vectors, mask = word_vectors(config.words, cardinalities)
    # A text without words is one step of zeros: a layer that skips all steps of a row has no last one.
    mask = ops.logical_or(mask, ops.cumsum(ops.ones_like(mask, "int32"), axis=1) == 1)
    hidden = keras.layers.Dropout(config.dropout, name="words_dropout")(vectors) if config.dropout else vectors
    kind = keras.layers.LSTM if config.cell == "lstm" else keras.layers.GRU
    layer = kind(config.units, name=f"reader_{config.cell}")
    if config.bidirectional:
        layer = keras.layers.Bidirectional(layer, name=f"reader_both_{config.cell}")
    hidden = layer(hidden, mask=mask)
    if config.dropout:
        hidden = keras.layers.Dropout(config.dropout, name="reader_dropout")(hidden)
    last = keras.layers.Dense(config.outputs, name="logit")(hidden)
    return keras.Model(inputs, ops.squeeze(last, -1) if config.outputs == 1 else last, name="recurrent")
