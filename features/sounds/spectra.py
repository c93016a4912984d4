"""Samples to spectra as ears divide them, as a TensorFlow graph: logarithms of mel energies, or their cosine transform.

The numbers are those of librosa: frames begin at multiples of the hop (`center=False`) under a periodic Hann window,
energies are squared magnitudes, filters are triangles over frequencies, logarithms are natural, of at least `FLOOR`,
and coefficients are those of the orthonormal DCT-II (`mfcc(S=…, norm="ortho")`).
"""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

FLOOR = 1e-10
"""Smaller energies count as so much: silence has no logarithm."""

Mels = NDArray[np.float64]


def frame_count(samples: tf.Tensor, window: int, hop: int) -> tf.Tensor:
    """Returns how many whole frames sounds of so many samples have, at least one of each that has a sample: int32."""
    return tf.where(samples > 0, 1 + tf.maximum(samples - window, 0) // hop, 0)


def log_mels(samples: tf.Tensor, filters: NDArray[np.float32], window: int, hop: int) -> tf.Tensor:
    """Returns float32 `[batch, frames, mels]`.

    Args:
        samples: `[batch, samples]`.
        filters: `mel_filters`.
        window: Samples of a frame.
        hop: Samples from the beginning of a frame to that of the next.
    """
    short = tf.maximum(window - tf.shape(samples)[1], 0)
    frames = tf.signal.stft(tf.pad(samples, [[0, 0], [0, short]]), window, hop, fft_length(window))
    energies = tf.square(tf.math.real(frames)) + tf.square(tf.math.imag(frames))
    return tf.math.log(tf.maximum(tf.tensordot(energies, tf.constant(filters), 1), FLOOR))


def mel_coefficients(logarithms: tf.Tensor, count: int) -> tf.Tensor:
    """Returns the first mel-frequency cepstral coefficients: `[batch, frames, count]`.

    Args:
        logarithms: `log_mels`.
        count: How many.
    """
    return tf.signal.dct(logarithms, 2, norm="ortho")[..., :count]


def fft_length(window: int) -> int:
    """Returns the next power of two."""
    return 1 << (window - 1).bit_length()


def mel_filters(rate: int, window: int, mels: int, low: float, high: float, scale: str) -> NDArray[np.float32]:
    """Returns the weights of frequencies in each filter: `[fft_length / 2 + 1, mels]`.

    Args:
        rate: Samples per second.
        window: Samples of a frame.
        mels: Number of filters.
        low: Where the first begins, in hertz.
        high: Where the last ends.
        scale: `slaney`: linear up to 1 kHz, logarithmic above, each filter of area 1 (Slaney, "Auditory Toolbox",
            1998). `htk`: 2595 log10(1 + f / 700), each filter of height 1 ("The HTK Book").
    """
    length = fft_length(window)
    frequencies = np.arange(length // 2 + 1) * rate / length
    first, last = _mel(np.array([low, high]), scale)
    edges = _hertz(np.linspace(first, last, mels + 2), scale)
    rising = (frequencies[:, np.newaxis] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequencies[:, np.newaxis]) / (edges[2:] - edges[1:-1])
    filters = np.maximum(0, np.minimum(rising, falling))
    if scale == "slaney":
        filters *= 2 / (edges[2:] - edges[:-2])
    return filters.astype(np.float32)


_LINEAR, _KNEE, _STEP = 200 / 3, 1000.0, np.log(6.4) / 27
"""Of Slaney's scale: hertz per mel below the knee, the knee, and what a mel multiplies frequencies by above it."""


def _mel(hertz: Mels, scale: str) -> Mels:
    if scale == "htk":
        return 2595 * np.log10(1 + hertz / 700)
    above = _KNEE / _LINEAR + np.log(np.maximum(hertz, _KNEE) / _KNEE) / _STEP
    return np.where(hertz < _KNEE, hertz / _LINEAR, above)


def _hertz(mel: Mels, scale: str) -> Mels:
    if scale == "htk":
        return 700 * (10 ** (mel / 2595) - 1)
    knee = _KNEE / _LINEAR
    return np.where(mel < knee, mel * _LINEAR, _KNEE * np.exp(_STEP * (np.maximum(mel, knee) - knee)))
