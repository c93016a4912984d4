"""A text out of another one: an encoder reads, a decoder writes and looks at what was read, beams search for the best.

Bahdanau, Cho, Bengio, "Neural Machine Translation by Jointly Learning to Align and Translate" (attention); Wu and
others, "Google's Neural Machine Translation System" (the length penalty of the beams).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from emberline.features.columns import Column, Embedding, Vocabulary
from emberline.features.errors import BadInputError

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
        negatives: Train by softmax among a place's word and so many drawn ones (see `emberline.models.text.skip_gram`),
            all of a
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
    """Builds a model from ids to the outputs that `emberline.pipelines.tasks.translation` expects.

    Args:
        config: Columns and layers.
        cardinalities: Number of ids of every categorical column.

    Returns:
        Inputs `[batch, words]` each; outputs as `emberline.models.text.writer.network_outputs` gives them.
    """
    import keras

    from emberline.models.tabular import feature_layers
    from emberline.models.text.translator import Translator, TranslatorSettings
    from emberline.models.text.writer import network_outputs

    inputs = feature_layers.model_inputs(config.columns)
    source, target = config.source.source, config.target.source
    named = named_ids(config.target, cardinalities)
    settings = TranslatorSettings(
        source_size=cardinalities[source.name],
        source_width=config.source.dimension,
        target_size=cardinalities[target.name],
        named=named,
        target_width=config.target.dimension,
        units=config.units,
        layers=config.layers,
        cell=config.cell,
        dropout=config.dropout,
        negatives=config.negatives,
        longest=config.longest,
        beams=config.beams,
        length_penalty=config.length_penalty,
    )
    translator = Translator(settings, name="translator")
    outputs = network_outputs(translator, inputs[source.name], inputs[target.name], named)
    return keras.Model(inputs, outputs, name="translation")


def named_ids(target: Embedding, cardinalities: Mapping[str, int]) -> int:
    """Returns how many ids stand for one word each; the ids behind them stand for many, and are never written."""
    source = target.source
    return cardinalities[source.name] - (source.unseen_buckets if isinstance(source, Vocabulary) else 0)
