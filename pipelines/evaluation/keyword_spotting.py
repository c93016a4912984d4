"""A long recording through an exported model, window by window, as a device that listens would do it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from emberline.features.sounds.wav import wav_bytes

AT_ONCE = 64


class Heard(NamedTuple):
    """What a model says of each window.

    Args:
        milliseconds: When windows begin.
        probabilities: `[windows, classes]`.
    """

    milliseconds: NDArray[np.float64]
    probabilities: NDArray[np.float32]


def listen(
    model: str, samples: NDArray[np.floating], rate: int, *, window: int, stride: int, field: str = "sound"
) -> Heard:
    """Returns probabilities over time.

    Args:
        model: Local folder of an exported model that takes WAV files.
        samples: The recording, between -1 and 1.
        rate: Samples per second.
        window: Samples that the model is given at a time.
        stride: Samples from the beginning of a window to that of the next.
        field: The model's input.
    """
    import tensorflow as tf

    call = tf.saved_model.load(model).signatures["serving_default"]
    places = range(0, len(samples) - window + 1, stride)
    probabilities = []
    for start in range(0, len(places), AT_ONCE):
        files = [wav_bytes(samples[place : place + window], rate) for place in places[start : start + AT_ONCE]]
        probabilities.append(call(**{field: tf.constant(files)})["probabilities"].numpy())
    return Heard(np.array(places) * (1000 / rate), np.concatenate(probabilities))
