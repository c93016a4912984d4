"""A sentence about an image: an encoder's vector of it is what a recurrent network reads first, and words follow.

Vinyals, Toshev, Bengio, Erhan, "Show and Tell: A Neural Image Caption Generator"; sizes as in its program im2txt.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emberline.features.columns import Column, Embedding, Numeric
from emberline.features.errors import BadInputError

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Config:
    """The network.

    Args:
        image: The encoder's vector, as `emberline score` writes it.
        caption: A vector per word that is written; ids of a learned vocabulary.
        units: Of the LSTM.
        dropout: Share of the elements of vectors and states dropped in training.
        longest: Words that are written at most.
        beams: Texts that are followed side by side; 1 takes the likeliest word each time.
        length_penalty: Log probabilities are divided by ((5 + words) / 6) to this power; 0 compares them as they are.
    """

    image: Numeric
    caption: Embedding
    units: int = 512
    dropout: float = 0.3
    longest: int = 20
    beams: int = 3
    length_penalty: float = 0.0

    def __post_init__(self) -> None:
        if min(self.units, self.longest, self.beams) < 1 or len(self.image.shape) != 1:
            raise BadInputError(
                f"Captions: units, longest and beams are at least 1, and an image is a vector; got {self.units}, "
                f"{self.longest}, {self.beams} and shape={self.image.shape}."
            )

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.image, self.caption)

    @property
    def outputs(self) -> int:
        """Several by name."""
        return 0


def build(config: Config, cardinalities: Mapping[str, int]) -> "keras.Model":
    """Builds a model from a vector and ids to the outputs that `emberline.pipelines.tasks.translation` expects.

    Args:
        config: Columns and layers.
        cardinalities: Number of ids of every categorical column.

    Returns:
        Inputs `[batch, numbers]` and `[batch, words]`; outputs as of
        `emberline.models.text.writer.network_outputs`.
    """
    import keras

    from emberline.models.tabular import feature_layers
    from emberline.models.text.captioner import Captioner, CaptionerSettings
    from emberline.models.text.translation import named_ids
    from emberline.models.text.writer import network_outputs

    inputs = feature_layers.model_inputs(config.columns)
    caption, named = config.caption.source, named_ids(config.caption, cardinalities)
    settings = CaptionerSettings(
        image_width=config.image.shape[0],
        target_size=cardinalities[caption.name],
        named=named,
        target_width=config.caption.dimension,
        units=config.units,
        dropout=config.dropout,
        longest=config.longest,
        beams=config.beams,
        length_penalty=config.length_penalty,
    )
    captioner = Captioner(settings, name="captioner")
    outputs = network_outputs(captioner, inputs[config.image.name], inputs[caption.name], named)
    return keras.Model(inputs, outputs, name="captions")
