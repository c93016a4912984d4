"""WAV files without decoding them: what their header says, and whether all of it is there. Imports nothing heavy."""

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
WIDTHS, FLOAT_WIDTHS = (8, 16, 24, 32), (32, 64)

UNKNOWN = 0x7FFF_0000
"""A length of so many bytes and more, or of none, means "to the end": a recorder that writes into a pipe cannot go back
and say how long it became. FFmpeg leaves 0xFFFFFFFF, SoX 0x7FFFF000, GStreamer 0."""

MOST_CHANNELS = 8
RATES = (1_000, 384_000)
"""Samples per second that microphones have; what is outside is a damaged header."""


class SoundError(ValueError):
    """Bytes that are no sound that can be read; the message says why, values in quotes and no semicolon in it."""


@dataclass(frozen=True)
class Header:
    """A file's own word about itself.

    Args:
        rate: Samples per second of each channel.
        channels: How many are interleaved.
        bits: Of a sample.
        samples: Of each channel.
        floating: Whether they are floating-point numbers, not whole ones.
    """

    rate: int
    channels: int
    bits: int
    samples: int
    floating: bool = False

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.samples / self.rate


def read_header(data: bytes | memoryview) -> Header:
    """Returns what a WAV file holds: its rate, channels and bits, and how many samples.

    Raises:
        SoundError: if the bytes are empty, no WAV file, broken off, encoded otherwise than as PCM or floating-point
            numbers, or if one of those is not finite.
    """
    if not data:
        raise SoundError("is empty")
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise SoundError("is no WAV file")
    form: tuple[int, ...] = ()
    place = 12
    while place + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, place)
        begin = place + 8
        if name == b"fmt " and not form:
            form = _form(data, begin, size)
        if name == b"data":
            there = len(data) - begin
            header = _checked(form, there if size == 0 or size >= UNKNOWN else size, there)
            if header.floating:
                _require_finite(data, begin, header)
            return header
        place = begin + size + size % 2  # chunks begin at even places
    raise SoundError("breaks off before its samples")


def _form(data: bytes | memoryview, begin: int, size: int) -> tuple[int, ...]:
    """Encoding, channels, rate, bytes of a sample of all channels, bits of one."""
    if size < 16 or begin + 16 > len(data):
        raise SoundError("breaks off in its header")
    kind, channels, rate, _, step, bits = struct.unpack_from("<HHIIHH", data, begin)
    if kind == EXTENSIBLE and size >= 26 and begin + 26 <= len(data):
        kind = struct.unpack_from("<H", data, begin + 24)[0]
    return kind, channels, rate, step, bits


def _checked(form: tuple[int, ...], size: int, there: int) -> Header:
    if not form:
        raise SoundError("does not say how its samples are encoded")
    kind, channels, rate, step, bits = form
    if kind not in (PCM, FLOAT):
        raise SoundError(f"is encoded as '{kind}', and only PCM (1) and floating-point numbers (3) are read")
    if (
        bits not in (FLOAT_WIDTHS if kind == FLOAT else WIDTHS)
        or not 1 <= channels <= MOST_CHANNELS
        or not RATES[0] <= rate <= RATES[1]
    ):
        raise SoundError(f"says that it has '{channels}' channels of '{bits}' bits at '{rate}' samples per second")
    if step != channels * bits // 8:
        raise SoundError(f"says that '{channels}' samples of '{bits}' bits are '{step}' bytes")
    if size > there:
        raise SoundError(f"breaks off: it has '{there}' of '{size}' bytes of samples")
    if size < step:
        raise SoundError("has no samples")
    return Header(rate, channels, bits, size // step, kind == FLOAT)


def _require_finite(data: bytes | memoryview, begin: int, header: Header) -> None:
    """What PCM cannot hold: one such sample would make a whole spectrum, and the loss of its batch, no number."""
    import numpy as np

    values = np.frombuffer(data, f"<f{header.bits // 8}", header.samples * header.channels, begin)
    if not np.isfinite(values).all():
        raise SoundError("has samples that are not finite")


def wav_bytes(samples: "NDArray[np.floating]", rate: int) -> bytes:
    """Returns a WAV file of 16 bits.

    Args:
        samples: Between -1 and 1, `[n]`, or `[n, channels]`.
        rate: Samples per second.
    """
    import numpy as np

    data = np.clip(np.round(np.asarray(samples) * 32768), -32768, 32767).astype("<i2").tobytes()
    channels = samples.shape[1] if samples.ndim == 2 else 1
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, PCM, channels, rate, rate * 2 * channels, 2 * channels, 16)
    return (
        struct.pack("<4sI4s", b"RIFF", 36 + len(data), b"WAVE") + form + struct.pack("<4sI", b"data", len(data)) + data
    )
