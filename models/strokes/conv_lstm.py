"""Convolutions along the steps of a pen, then LSTMs in both directions: 1,142,265 weights for 345 kinds of drawings.

The network of TensorFlow's tutorial on classifying drawings. What lies behind the end of a drawing counts for nothing
in any layer, so that a drawing is the same in whatever batch it comes.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emberline.features.columns import Column, Strokes
from emberline.features.names import safe_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras


@dataclass(frozen=True)
class Config:
    """The network.

    Args:
        strokes: Steps of the pen.
        filters: Of each convolution.
        lengths: Steps that each of them sees.
        units: Width of the state of an LSTM in each direction.
        lstms: How many lie above each other.
        dropout: Share of the inputs of the second and later convolutions that is dropped in training.
        outputs: Number of classes, 1 for two.
    """

    strokes: Strokes
    filters: tuple[int, ...] = (48, 64, 96)
    lengths: tuple[int, ...] = (5, 5, 3)
    units: int = 128
    lstms: int = 3
    dropout: float = 0.3
    outputs: int = 345

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.strokes,)


def build(config: Config, cardinalities: "Mapping[str, int]") -> "keras.Model":
    """Builds a model from steps `[batch, 3 * steps]`, NaN behind the last, to a logit per class `[batch, outputs]`."""
    import keras
    from keras import ops

    from emberline.models.vision.heads import class_logits

    layers = keras.layers
    given = keras.Input((None,), name=safe_name(config.strokes.name))
    steps = layers.Reshape((-1, 3), name="steps")(given)
    there = ops.logical_not(ops.isnan(steps[..., 0]))
    kept = ops.expand_dims(ops.cast(there, "float32"), -1)
    hidden = ops.where(ops.isnan(steps), 0.0, steps)
    for index, (filters, length) in enumerate(zip(config.filters, config.lengths, strict=True)):
        if index and config.dropout:
            hidden = layers.Dropout(config.dropout, name=f"dropout_{index}")(hidden)
        hidden = layers.Conv1D(filters, length, padding="same", name=f"conv_{index}")(hidden) * kept
    for index in range(config.lstms):
        one = layers.LSTM(config.units, return_sequences=True, name=f"lstm_{index}")
        hidden = layers.Bidirectional(one, name=f"both_{index}")(hidden, mask=there)
    drawn = ops.sum(hidden * kept, axis=1)
    return keras.Model({config.strokes.name: given}, class_logits(drawn, config.outputs), name="conv_lstm")
