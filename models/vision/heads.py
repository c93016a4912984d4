"""The last layer of a network that tells classes apart, and how layers like it begin."""

from typing import Any

import keras
from keras import ops


def class_logits(features: keras.KerasTensor, outputs: int, name: str = "logits", **dense: Any) -> keras.KerasTensor:
    """Returns a logit per class `[batch, outputs]`, or of two classes the log-odds of the second, `[batch]`.

    Args:
        features: `[batch, width]`.
        outputs: Number of classes, 1 for two.
        name: Of the dense layer.
        dense: More arguments of it.
    """
    logits = keras.layers.Dense(outputs, name=name, **dense)(features)
    return ops.squeeze(logits, -1) if outputs == 1 else logits


def first_values(biases: bool, deviation: float, bias: float) -> dict[str, Any]:
    """Returns arguments of dense and convolutional layers that set their initial weights.

    Args:
        biases: Whether there are any.
        deviation: Of the truncated normal distribution of the kernels; 0 for Keras's own (Glorot).
        bias: Every bias.
    """
    kernels = keras.initializers.TruncatedNormal(stddev=deviation) if deviation else "glorot_uniform"
    return {
        "use_bias": biases,
        "kernel_initializer": kernels,
        "bias_initializer": keras.initializers.Constant(bias),
    }
