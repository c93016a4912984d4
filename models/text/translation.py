"""A text out of another one: an encoder reads, a decoder writes and looks at what was read, beams search for the best.

Bahdanau, Cho, Bengio, "Neural Machine Translation by Jointly Learning to Align and Translate" (attention); Wu and
others, "Google's Neural Machine Translation System" (the length penalty of the beams).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from features.columns import NO_ID, Column, Embedding, Vocabulary
from features.errors import BadInputError

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Config:
    """The network.

    Args:
        source: A vector per word that is read.
        target: A vector per word that is written; ids of a learned vocabulary.
        units: Width of every layer.
        layers: Recurrent layers of the encoder and of the decoder.
        cell: `gru` or `lstm`.
        dropout: Share of the elements of vectors and layers dropped in training.
        negatives: Train by softmax among a place's word and so many drawn ones (see `models.text.skip_gram`), all of a
            batch's places sharing them; 0 for the softmax over all words.
        longest: Words that are written at most.
        beams: Texts that are followed side by side; 1 takes the likeliest word each time.
        length_penalty: Log probabilities are divided by ((5 + words) / 6) to this power; 0 favours short texts.
    """

    source: Embedding
    target: Embedding
    units: int = 256
    layers: int = 1
    cell: Literal["gru", "lstm"] = "gru"
    dropout: float = 0.0
    negatives: int = 0
    longest: int = 40
    beams: int = 4
    length_penalty: float = 0.6

    def __post_init__(self) -> None:
        if min(self.units, self.layers, self.longest, self.beams) < 1 or self.negatives < 0:
            raise BadInputError(
                f"Translation: units, layers, longest and beams are at least 1, negatives at least 0; got "
                f"{self.units}, {self.layers}, {self.longest}, {self.beams}, {self.negatives}."
            )

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.source, self.target)

    @property
    def outputs(self) -> int:
        """Several by name."""
        return 0


def build(config: Config, cardinalities: Mapping[str, int]) -> "keras.Model":
    """A model from ids to what `pipelines.tasks.translation` asks for.

    Args:
        config: Columns and layers.
        cardinalities: Number of ids of every categorical column.

    Returns:
        Inputs `[batch, words]` each; outputs `loss`, the sum of -ln of the probabilities of the target's words and of
        its end, and `tokens`, how many these are (0 without a target), both `[batch]`; `loss/` `[batch]`, whose mean
        over the batch is the loss of a token in the mean; `written` `[batch, longest]`, ids, and `reference`, the
        target's, with `PAD` behind the end and `NO_ID` for words without a name.
    """
    import keras
    from keras import ops

    from models.tabular import feature_layers
    from models.text.translator import Translator

    inputs = feature_layers.model_inputs(config.columns)
    source, target = config.source.source, config.target.source
    # Ids behind the vocabulary's words stand for many words: none of them is written.
    named = cardinalities[target.name] - (target.unseen_buckets if isinstance(target, Vocabulary) else 0)
    translator = Translator(
        cardinalities[source.name], cardinalities[target.name], named, config.source.dimension,
        config.target.dimension, config.units, config.layers, config.cell, config.dropout, config.negatives,
        config.longest, config.beams, config.length_penalty, name="translator",
    )  # fmt: skip
    loss, tokens, written = translator(inputs[source.name], inputs[target.name])
    scaled = loss * ops.sum(ops.ones_like(loss)) / ops.maximum(ops.sum(tokens), 1.0)
    reference = ops.where(inputs[target.name] < named, inputs[target.name], NO_ID)
    outputs = {"loss": loss, "tokens": tokens, "written": written, "reference": reference, "loss/": scaled}
    return keras.Model(inputs, outputs, name="translation")
