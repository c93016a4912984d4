"""The network above the dense features: hidden layers, and one output or one per class."""

from collections.abc import Sequence

import keras
from keras import ops


def hidden_layers(
    features: keras.KerasTensor,
    units: Sequence[int],
    activation: str,
    dropout: float,
    outputs: int,
    name: str,
) -> keras.KerasTensor:
    """Returns `[batch]` for a single output, otherwise `[batch, outputs]`.

    Args:
        features: `[batch, width]`.
        units: Widths of the hidden layers.
        activation: Of the hidden layers.
        dropout: Share of hidden units dropped in training, 0 for none.
        outputs: Width of the last layer, which is linear.
        name: Prefix of the layers made here.
    """
    hidden = features
    for index, width in enumerate(units):
        hidden = keras.layers.Dense(width, activation=activation, name=f"{name}_{index}")(hidden)
        if dropout:
            hidden = keras.layers.Dropout(dropout, name=f"{name}_dropout_{index}")(hidden)
    last = keras.layers.Dense(outputs, name=f"{name}_logit")(hidden)
    return ops.squeeze(last, -1) if outputs == 1 else last
