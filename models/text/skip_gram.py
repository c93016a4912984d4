"""Vectors of words from their neighbours: skip-gram with noise-contrastive estimation or sampled softmax.

Mikolov, Sutskever, Chen, Corrado, Dean, "Distributed Representations of Words and Phrases and their Compositionality".
The pairs are drawn inside the step, anew in every epoch: frequent words are thinned out, and each word looks a random
number of places to either side, up to the window.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from emberline.features.columns import Column, Embedding, Frequency
from emberline.features.errors import BadInputError

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Config:
    """The network.

    Args:
        words: A vector per word; ids by falling frequency, as a learned vocabulary gives them.
        window: Places to either side, at most.
        negatives: Words that no pair has, drawn for each text and step: word k of V with probability
            log((k + 2) / (k + 1)) / log(V + 1).
        loss: `nce`, noise-contrastive estimation, or `sampled_softmax` among a pair's word and the negatives.
        subsample: Words of a greater share s of the text are kept with probability sqrt(subsample / s) +
            subsample / s; 0 keeps all.
    """

    words: Embedding
    window: int = 5
    negatives: int = 64
    loss: Literal["nce", "sampled_softmax"] = "nce"
    subsample: float = 1e-3

    def __post_init__(self) -> None:
        if self.window < 1 or self.negatives < 1 or self.subsample < 0:
            raise BadInputError(
                f"Skip-gram: window and negatives are at least 1, subsample at least 0; got {self.window}, "
                f"{self.negatives}, {self.subsample}."
            )

    @property
    def frequency(self) -> Frequency:
        """How common the words are."""
        return Frequency(self.words.source)  # type: ignore[arg-type]

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.words, self.frequency)

    @property
    def outputs(self) -> int:
        """Several by name."""
        return 0


def build(config: Config, cardinalities: Mapping[str, int]) -> "keras.Model":
    """Returns a model from ids to what `emberline.pipelines.tasks.vectors` asks for.

    Args:
        config: Columns and settings.
        cardinalities: Number of ids of every categorical column.

    Returns:
        Inputs `[batch, words]`; outputs `vector` `[batch, dimension]`, `loss` and `pairs` `[batch]`, sums over the
        pairs of a text, and `loss/` `[batch]`, whose mean over the batch is the loss of a pair in the mean.
    """
    import keras
    from keras import ops

    from emberline.models.tabular import feature_layers
    from emberline.models.tabular.ids import Tables
    from emberline.models.text.skip_gram_layers import MeanVector, NeighbourLoss, Thinned

    inputs = feature_layers.model_inputs(config.columns)
    ids = inputs[config.words.source.name]
    size = cardinalities[config.words.source.name]
    table = Tables("words", None).of(config.words, size)
    thinned = Thinned(config.subsample, name="thinned")(ids, inputs[config.frequency.name])
    loss, pairs = NeighbourLoss(size, config.window, config.negatives, config.loss, name="neighbours")(
        thinned, table(ops.maximum(thinned, 0))
    )
    # The gradient is that of a pair in the mean, however many the texts of this batch have.
    scaled = loss * ops.sum(ops.ones_like(loss)) / ops.maximum(ops.sum(pairs), 1.0)
    outputs = {"vector": MeanVector(name="mean")(ids, table(ops.maximum(ids, 0))), "loss": loss, "pairs": pairs}
    return keras.Model(inputs, outputs | {"loss/": scaled}, name="skip_gram")
