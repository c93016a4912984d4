"""Bytes of WAV files to samples of one rate, as a TensorFlow graph: the same in the ETL and in exported models.

TensorFlow's own `decode_wav` reads whole numbers of 16 bits alone. Channels become their mean. Another rate is brought
to the wanted one by a sinc under a Hann window, which is what leaves out frequencies that the wanted rate cannot have
(Smith, "Digital Audio Resampling").
"""

from math import pi

import tensorflow as tf

from emberline.features.little_endian import number
from emberline.features.sounds.wav import (
    EXTENSIBLE,
    FLOAT,
    FLOAT_WIDTHS,
    MOST_CHANNELS,
    PCM,
    RATES,
    UNKNOWN,
    WIDTHS,
)

CROSSINGS = 32
"""Zeros of the sinc to either side."""

PASSED = 0.95
"""Share of the frequencies below half the smaller rate that is kept."""

_AT_ONCE = 4096
"""Samples that are computed together when the rate changes: a long recording would fill the memory."""


def waveforms(contents: tf.Tensor, rate: int, samples: int = 0) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes the sounds of a batch.

    Args:
        contents: string `[batch]`: WAV files; an empty one is a sound of no samples.
        rate: Samples per second.
        samples: Of each sound: longer ones are cut, shorter ones followed by silence; 0 for the longest of the batch.

    Returns:
        float32 `[batch, samples]` as of `waveform`, and how many samples each has of its own: int32 `[batch]`.
    """
    sounds = tf.map_fn(
        lambda content: waveform(content, rate),
        contents,
        fn_output_signature=tf.RaggedTensorSpec([None], tf.float32, ragged_rank=0),
    )
    if samples:
        sounds = sounds[:, :samples]
    lengths = tf.cast(sounds.row_lengths(), tf.int32)
    return sounds.to_tensor(0.0, shape=[None, samples or None]), lengths


def waveform(content: tf.Tensor, rate: int) -> tf.Tensor:
    """Decodes one sound to float32 `[samples]`, the mean of its channels; between -1 and 1, unless it was stored as
    floating-point numbers, which are taken as they are.

    Args:
        content: A WAV file, string `[]`; the empty text is a sound of no samples.
        rate: Samples per second of the result.
    """
    return tf.cond(tf.strings.length(content) == 0, lambda: tf.zeros([0]), lambda: _decoded(content, rate))


def _decoded(content: tf.Tensor, rate: int) -> tf.Tensor:
    form, begin, size = _chunks(content)
    channels, given, step, bits, floating = _form(content, form)
    data = tf.strings.substr(content, begin, size // step * step)
    which = tf.where(
        floating, len(WIDTHS) + tf.searchsorted(FLOAT_WIDTHS, [bits])[0], tf.searchsorted(WIDTHS, [bits])[0]
    )
    whole = [lambda width=width: _numbers(data, width) for width in WIDTHS]
    values = tf.switch_case(which, whole + [lambda width=width: _floats(data, width) for width in FLOAT_WIDTHS])
    mono = tf.reduce_mean(tf.reshape(values, [-1, channels]), axis=1)
    return tf.cond(given == rate, lambda: mono, lambda: resampled(mono, given, rate))


def _chunks(content: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Where the description begins, where the samples do, and how many bytes they have."""
    length = tf.strings.length(content)

    def is_called(place: tf.Tensor, name: str) -> tf.Tensor:
        return tf.strings.substr(content, tf.minimum(place, length), 4) == name

    def on(place: tf.Tensor, form: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        size = number(content, place + 4, 4)
        form = tf.where(is_called(place, "fmt ") & (form == 0), place + 8, form)
        # A size of 2 GiB and more is negative here: it leads back, or nowhere at all.
        return tf.where((size < 0) | (size > length - place - 8), length, place + 8 + size + size % 2), form

    def is_before(place: tf.Tensor, form: tf.Tensor) -> tf.Tensor:
        return (place <= length - 8) & ~is_called(place, "data")

    place, form = tf.while_loop(is_before, on, (tf.constant(12), tf.constant(0)))
    size = number(content, place + 4, 4)
    # Half of the unknown lengths are negative here.
    size = tf.where((size <= 0) | (size >= UNKNOWN), tf.maximum(length - place - 8, 0), size)
    good = (form > 0) & is_called(place, "data") & (size <= length - place - 8)
    with tf.control_dependencies([tf.debugging.Assert(good, ["a sound is no WAV file, or breaks off"])]):
        return tf.identity(form), place + 8, size


def _form(content: tf.Tensor, form: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Channels, rate, bytes of a sample of all channels, bits of one, whether they are floating-point numbers."""
    kind, inner = number(content, form, 2), number(content, form + 24, 2)
    channels, rate = number(content, form + 2, 2), number(content, form + 4, 4)
    step, bits = number(content, form + 12, 2), number(content, form + 14, 2)
    kind = tf.where(kind == EXTENSIBLE, inner, kind)
    is_whole = (kind == PCM) & tf.reduce_any(bits == WIDTHS)
    floating = (kind == FLOAT) & tf.reduce_any(bits == FLOAT_WIDTHS)
    good = (is_whole | floating) & (step == channels * bits // 8)
    # A rate decides how many samples a sound of another rate becomes.
    possible = (rate >= RATES[0]) & (rate <= RATES[1]) & (channels >= 1) & (channels <= MOST_CHANNELS)
    said = "a sound is neither PCM of 8, 16, 24 or 32 bits nor floating-point numbers of 32 or 64"
    is_read = tf.debugging.Assert(good, [said])
    is_possible = tf.debugging.Assert(possible, ["a sound has a rate or channels that no microphone has"])
    with tf.control_dependencies([is_read, is_possible]):
        return tf.identity(channels), rate, step, bits, floating


def _numbers(data: tf.Tensor, bits: int) -> tf.Tensor:
    """Samples between -1 and 1: whole numbers over half their range; those of 8 bits have no sign."""
    if bits == 8:
        return tf.cast(tf.io.decode_raw(data, tf.uint8), tf.float32) / 128 - 1
    if bits == 24:
        three = tf.cast(tf.reshape(tf.io.decode_raw(data, tf.uint8), [-1, 3]), tf.int32)
        whole = tf.reduce_sum(tf.bitwise.left_shift(three, [8, 16, 24]), axis=1)
        return tf.cast(whole, tf.float32) / 2**31
    return tf.cast(tf.io.decode_raw(data, {16: tf.int16, 32: tf.int32}[bits]), tf.float32) / 2 ** (bits - 1)


def _floats(data: tf.Tensor, bits: int) -> tf.Tensor:
    """Samples as they are."""
    values = tf.cast(tf.io.decode_raw(data, {32: tf.float32, 64: tf.float64}[bits]), tf.float32)
    finite = tf.debugging.Assert(tf.reduce_all(tf.math.is_finite(values)), ["a sound has samples that are not finite"])
    with tf.control_dependencies([finite]):
        return tf.identity(values)


def resampled(samples: tf.Tensor, given: tf.Tensor, rate: int) -> tf.Tensor:
    """Returns the same sound at another rate: float32 `[ceil(samples * rate / given)]`.

    Args:
        samples: float32 `[samples]`.
        given: Its rate, int32.
        rate: The wanted one.
    """
    given, wanted = tf.cast(given, tf.int64), tf.constant(rate, tf.int64)
    count = -(-tf.size(samples, tf.int64) * wanted // given)
    # Frequencies are in shares of the given rate; the lower of the two rates says which of them are kept.
    kept = PASSED * tf.minimum(1.0, tf.cast(wanted / given, tf.float32))
    reach = tf.cast(tf.math.ceil(CROSSINGS / kept), tf.int64)
    taps = tf.range(-reach + 1, reach + 1)
    around = tf.pad(samples, [[reach, reach]])

    def some(first: tf.Tensor) -> tf.Tensor:
        places = (first + tf.range(_AT_ONCE, dtype=tf.int64)) * given
        whole, part = places // wanted, tf.cast(places % wanted / wanted, tf.float32)
        away = part[:, tf.newaxis] - tf.cast(taps, tf.float32)
        hann = tf.where(
            tf.abs(away) < tf.cast(reach, tf.float32), tf.cos(away * (pi / 2) / tf.cast(reach, tf.float32)) ** 2, 0
        )
        turns = pi * kept * away
        sinc = tf.math.divide_no_nan(tf.sin(turns), turns) + tf.cast(turns == 0, tf.float32)
        index = tf.minimum(whole[:, tf.newaxis] + taps + reach, tf.size(around, tf.int64) - 1)
        return kept * tf.reduce_sum(tf.gather(around, index) * hann * sinc, axis=1)

    firsts = tf.range(0, count, _AT_ONCE)
    pieces = tf.map_fn(some, firsts, fn_output_signature=tf.TensorSpec([_AT_ONCE], tf.float32))
    return tf.reshape(pieces, [-1])[:count]
