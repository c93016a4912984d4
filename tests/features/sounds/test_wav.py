"""What WAV files say about themselves, and what is made of bytes that are no sound."""

import io
import struct
import wave

import numpy as np
import pytest
import soundfile

from emberline.features.sounds.wav import Header, SoundError, read_header, wav_bytes

TONE = np.sin(np.arange(800) / 7) * 0.7
GOOD = wav_bytes(TONE, 8000)


def written(form: str, samples: np.ndarray = TONE, rate: int = 8000, container: str = "WAV") -> bytes:
    sink = io.BytesIO()
    soundfile.write(sink, samples, rate, subtype=form, format=container)
    return sink.getvalue()


FORMS = {"PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32, "FLOAT": 32, "DOUBLE": 64}
"""Bits of a sample."""


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("container", ["WAV", "WAVEX"])
def test_rate_channels_and_length(form: str, container: str) -> None:
    both, floating = np.stack([TONE, -TONE], axis=1), form in ("FLOAT", "DOUBLE")
    assert read_header(written(form, container=container)) == Header(8000, 1, FORMS[form], 800, floating)
    assert read_header(written(form, both, 44_100, container)) == Header(44_100, 2, FORMS[form], 800, floating)


def streamed(file: bytes, length: int) -> bytes:
    """As a recorder leaves it that writes into a pipe: without the lengths, and nothing behind the samples."""
    place = file.index(b"data")
    end = place + 8 + struct.unpack_from("<I", file, place + 4)[0]
    lengths = struct.pack("<I", length)
    return file[:4] + lengths + file[8 : place + 4] + lengths + file[place + 8 : end]


@pytest.mark.parametrize("length", [0, 0x7FFF_F000, 0x8000_0000, 0xFFFF_FFFF])
def test_a_sound_of_unknown_length_goes_to_the_end(length: int) -> None:
    assert read_header(streamed(GOOD, length)) == read_header(GOOD)
    assert read_header(streamed(GOOD, length)[:-3]) == Header(8000, 1, 16, 798), "no half sample"


def test_chunks_before_the_samples_are_passed_over() -> None:
    listed = b"LIST" + struct.pack("<I", 5) + b"hello\0"  # of odd length, with a byte to make it even
    assert read_header(GOOD[:36] + listed + GOOD[36:]) == Header(8000, 1, 16, 800)


def test_what_is_written_can_be_read_by_others() -> None:
    with wave.open(io.BytesIO(wav_bytes(np.stack([TONE, TONE], axis=1), 16_000))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (16_000, 2, 800)
        values = np.frombuffer(file.readframes(800), "<i2").reshape(-1, 2)
    np.testing.assert_allclose(values[:, 1] / 32768, TONE, atol=1 / 32768)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"no sound", "is no WAV file"),
        (b"\xff\xfb\x90\x00" * 30, "is no WAV file"),
        (GOOD[:30], "breaks off in its header"),
        (GOOD[:36], "breaks off before its samples"),
        (GOOD[:-100], "breaks off: it has '1500' of '1600' bytes of samples"),
        (GOOD[:12] + GOOD[36:], "does not say how its samples are encoded"),
        (GOOD[:40] + b"\0\0\0\0", "has no samples"),
        (written("ULAW"), "is encoded as '7', and only PCM (1) and floating-point numbers (3) are read"),
        (written("FLOAT", np.array([0, np.nan])), "has samples that are not finite"),
        (written("DOUBLE", np.array([np.inf, 0])), "has samples that are not finite"),
        (GOOD[:32] + b"\3\0" + GOOD[34:], "says that '1' samples of '16' bits are '3' bytes"),
        (GOOD[:24] + b"\0\0\0\0" + GOOD[28:], "says that it has '1' channels of '16' bits at '0' samples per second"),
    ],
)
def test_what_is_damaged_is_named(data: bytes, said: str) -> None:
    with pytest.raises(SoundError) as raised:
        read_header(data)
    assert str(raised.value) == said
