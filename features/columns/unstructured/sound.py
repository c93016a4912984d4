"""Sounds: bytes of a WAV file to a spectrum over time, or to samples."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from emberline.features.columns.contract import StoredShape, Transform, check_field
from emberline.features.columns.field_column import FieldColumn
from emberline.features.errors import BadInputError
from emberline.features.schema import Schema
from emberline.features.statistics import Statistics

if TYPE_CHECKING:
    import tensorflow as tf

    from emberline.features.columns.raw_tensors import RawTensors


@dataclass(frozen=True)
class Spectrum(FieldColumn):
    """How a sound sounds over time: for each frame the logarithms of mel energies, or coefficients made of them.

    What librosa computes with `center=False`; see `emberline.features.sounds.spectra` for the choices.

    Args:
        field: Raw sound field: a WAV file.
        rate: Samples per second that every sound is brought to.
        window: Samples of a frame.
        hop: Samples from the beginning of a frame to that of the next.
        mels: Filters.
        coefficients: Mel-frequency cepstral coefficients of a frame; 0 for the logarithms of the filters' energies.
        frames: Of every sound: longer ones are cut, shorter ones followed by silence. 0 for as many as a sound has.
        low: Where the first filter begins, in hertz.
        high: Where the last one ends; 0 for half the rate.
        scale: `slaney`, which is librosa's, or `htk`.

    Example:
        >>> from emberline.features.columns import Spectrum
        >>> column = Spectrum("sound", rate=8_000, window=256, hop=128, mels=40, frames=80)
        >>> column.stored_shape  # 80 frames of 40 numbers, stored flat
        (3200,)
    """

    field: str
    rate: int = 16_000
    window: int = 480
    hop: int = 160
    mels: int = 40
    coefficients: int = 0
    frames: int = 0
    low: float = 20.0
    high: float = 0.0
    scale: Literal["slaney", "htk"] = "slaney"

    def __post_init__(self) -> None:
        sizes = (self.rate, self.window, self.hop, self.mels)
        if min(sizes) < 1 or self.frames < 0 or self.scale not in ("slaney", "htk"):
            raise BadInputError(
                f"Spectrum {self.field!r}: expected a rate, window, hop and mels of at least 1, frames of at least 0 "
                f"and the scale slaney or htk, got {self.rate}, {self.window}, {self.hop}, {self.mels}, {self.frames} "
                f"and {self.scale!r}."
            )
        if not 0 <= self.coefficients <= self.mels or not 0 <= self.low < self.top <= self.rate / 2:
            raise BadInputError(
                f"Spectrum {self.field!r}: expected at most {self.mels} coefficients and frequencies from 0 to "
                f"{self.rate / 2:g}, got {self.coefficients}, low={self.low:g} and high={self.high:g}."
            )

    @property
    def top(self) -> float:
        """Where the last filter ends, in hertz."""
        return self.high or self.rate / 2

    @property
    def width(self) -> int:
        """Numbers of a frame."""
        return self.coefficients or self.mels

    @property
    def samples(self) -> int:
        """Of a sound of exactly `frames`; 0 if that is open."""
        return self.window + (self.frames - 1) * self.hop if self.frames else 0

    @property
    def stored_shape(self) -> StoredShape:
        """Flat, frame after frame."""
        return (self.frames * self.width,) if self.frames else (None,)

    def check(self, schema: Schema) -> None:
        check_field(f"Spectrum {self.name!r}", schema, self.field, ("sound",), many=False)

    def graph(self, statistics: Statistics) -> Transform:
        """Returns a function to float32 `[batch, frames * width]`; NaN behind the last frame where frames are open.

        A missing sound is silence, or has no frames.
        """
        from emberline.features.sounds.decoding import waveforms

        def transform(raw: "RawTensors") -> "tf.Tensor":
            samples, lengths = waveforms(raw.value(self.field), self.rate, self.samples)
            return self.of(samples, lengths)

        return transform

    def of(self, samples: "tf.Tensor", lengths: "tf.Tensor") -> "tf.Tensor":
        """Returns the spectrum of samples, in the form of `graph`; for networks that read a `Waveform`.

        Args:
            samples: float32 `[batch, samples]`.
            lengths: How many of them each sound has, int32 `[batch]`.
        """
        import tensorflow as tf

        from emberline.features.sounds.spectra import frame_count, log_mels, mel_coefficients, mel_filters

        filters = mel_filters(self.rate, self.window, self.mels, self.low, self.top, self.scale)
        found = log_mels(samples, filters, self.window, self.hop)
        if self.coefficients:
            found = mel_coefficients(found, self.coefficients)
        if not self.frames:
            mask = tf.sequence_mask(frame_count(lengths, self.window, self.hop), tf.shape(found)[1])
            found = tf.where(mask[..., tf.newaxis], found, float("nan"))
        frames = self.frames or tf.shape(found)[1]
        return tf.reshape(found, [tf.shape(found)[0], frames * self.width])


@dataclass(frozen=True)
class Waveform(FieldColumn):
    """The samples themselves, for networks that change them before they look at their spectrum.

    Args:
        field: Raw sound field: a WAV file.
        rate: Samples per second that every sound is brought to.
        samples: Of every sound: longer ones are cut, shorter ones followed by silence.

    Example:
        >>> from emberline.features.columns import Waveform
        >>> Waveform("sound", rate=8_000, samples=8_000).stored_shape
        (8000,)
    """

    field: str
    rate: int = 16_000
    samples: int = 16_000

    def __post_init__(self) -> None:
        if min(self.rate, self.samples) < 1:
            raise BadInputError(
                f"Waveform {self.field!r}: expected a rate and samples of at least 1, got {self.rate} and "
                f"{self.samples}."
            )

    @property
    def stored_shape(self) -> tuple[int]:
        return (self.samples,)

    def check(self, schema: Schema) -> None:
        check_field(f"Waveform {self.name!r}", schema, self.field, ("sound",), many=False)

    def graph(self, statistics: Statistics) -> Transform:
        """Returns a function to float32 `[batch, samples]` between -1 and 1; a missing sound is silence."""
        from emberline.features.sounds.decoding import waveforms

        def transform(raw: "RawTensors") -> "tf.Tensor":
            return waveforms(raw.value(self.field), self.rate, self.samples)[0]

        return transform
