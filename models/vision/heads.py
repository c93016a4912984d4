"""The last layer of a network that tells classes apart."""

from typing import Any

import keras
from keras import ops


def class_logits(features: keras.KerasTensor, outputs: int, **dense: Any) -> keras.KerasTensor:
    """A logit per class `[batch, outputs]`, or of two classes the log-odds of the second, `[batch]`.

    Args:
        features: `[batch, width]`.
        outputs: Number of classes, 1 for two.
        dense: More arguments of the dense layer, which is called `logits`.
    """
    logits = keras.layers.Dense(outputs, name="logits", **dense)(features)
    return ops.squeeze(logits, -1) if outputs == 1 else logits
