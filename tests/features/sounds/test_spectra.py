"""Spectra against librosa."""

import librosa
import numpy as np
import pytest
import tensorflow as tf

from emberline.features.columns import Spectrum, Waveform
from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.features.sounds.spectra import FLOOR, mel_filters
from emberline.features.sounds.wav import wav_bytes
from emberline.features.statistics import Statistics
from emberline.features.transform import TransformGraph

SCHEMA = Schema((Field("sound", "sound"),), Label("word", (("yes",), ("no",))), "row")
DRAW = np.random.default_rng(3)
SOUNDS = [
    (DRAW.normal(0, 0.1, size) + 0.3 * np.sin(np.arange(size) * step)).astype(np.float32)
    for size, step in ((4000, 0.3), (2500, 0.05), (100, 0.8))
]
COLUMNS = {
    "mels": Spectrum("sound", 8000, 256, 128, mels=40),
    "htk": Spectrum("sound", 8000, 256, 100, mels=30, scale="htk", low=60, high=3800),
    "window of no power of two": Spectrum("sound", 8000, 240, 80, mels=23),
    "coefficients": Spectrum("sound", 8000, 256, 128, mels=40, coefficients=13),
}


def of_librosa(samples: np.ndarray, column: Spectrum) -> np.ndarray:
    """`[frames, width]`."""
    size = 1 << (column.window - 1).bit_length()
    # librosa puts a short window in the middle of a frame, TensorFlow at its beginning.
    early = (size - column.window) // 2
    samples = np.pad(samples, (early, max(size - early, 0)))
    energies = librosa.feature.melspectrogram(
        y=samples, sr=column.rate, n_fft=size, win_length=column.window, hop_length=column.hop, center=False, power=2.0,
        n_mels=column.mels, fmin=column.low, fmax=column.top, htk=column.scale == "htk",
        norm="slaney" if column.scale == "slaney" else None,
    )  # fmt: skip
    found = np.log(np.maximum(energies, FLOOR))
    if column.coefficients:
        found = librosa.feature.mfcc(S=found, n_mfcc=column.coefficients, dct_type=2, norm="ortho")
    return found.T


@pytest.mark.parametrize("name", COLUMNS)
def test_numbers_are_those_of_librosa(name: str) -> None:
    column = COLUMNS[name]
    files = tf.constant([wav_bytes(sound, column.rate) for sound in SOUNDS])
    found = TransformGraph(SCHEMA, (column,), Statistics(3))({"sound": files})["sound"].numpy()
    for row, sound in zip(found, SOUNDS, strict=True):
        frames = 1 + max(0, len(sound) - column.window) // column.hop
        row = row.reshape(-1, column.width)
        assert np.isnan(row[frames:]).all()
        heard = np.round(np.clip(sound, -1, 1) * 32768) / 32768
        expected = of_librosa(heard, column)[:frames]
        np.testing.assert_allclose(row[:frames], expected, atol=2e-3)


@pytest.mark.parametrize("scale", ["slaney", "htk"])
def test_filters_are_those_of_librosa(scale: str) -> None:
    mine = mel_filters(16_000, 480, 64, 125.0, 7500.0, scale)
    norm = "slaney" if scale == "slaney" else None
    theirs = librosa.filters.mel(sr=16_000, n_fft=512, n_mels=64, fmin=125, fmax=7500, htk=scale == "htk", norm=norm)
    np.testing.assert_allclose(mine, theirs.T, rtol=1e-4, atol=1e-7)


def test_a_number_of_frames_cuts_and_fills_with_silence() -> None:
    column = Spectrum("sound", 8000, 256, 128, frames=20)
    files = tf.constant([*(wav_bytes(sound, 8000) for sound in SOUNDS), b""])
    graph = TransformGraph(SCHEMA, (column,), Statistics(4))
    found = graph({"sound": files})["sound"].numpy().reshape(4, 20, 40)
    for row, sound in zip(found, SOUNDS, strict=False):
        heard = np.round(np.clip(sound, -1, 1) * 32768) / 32768
        padded = np.pad(heard, (0, max(0, column.samples - len(heard))))[: column.samples]
        np.testing.assert_allclose(row, of_librosa(padded, column)[:20], atol=2e-3)
    np.testing.assert_allclose(found[3], np.log(FLOOR), rtol=1e-6)


def test_a_missing_sound_has_no_frames_and_is_a_silent_waveform() -> None:
    columns = (Spectrum("sound", 8000, 256, 128),)
    assert np.isnan(TransformGraph(SCHEMA, columns, Statistics(1))({"sound": tf.constant([b""])})["sound"]).all()
    silent = TransformGraph(SCHEMA, (Waveform("sound", 8000, 50),), Statistics(1))({"sound": tf.constant([b""])})
    assert silent["sound"].shape == (1, 50)
    assert not silent["sound"].numpy().any()


@pytest.mark.parametrize(
    "given", [{"rate": 0}, {"scale": "bark"}, {"coefficients": 41}, {"low": 5000.0, "high": 4000.0}, {"high": 9000.0}]
)
def test_what_cannot_be_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(BadInputError, match="Spectrum 'sound'"):
        Spectrum("sound", **({"rate": 16_000} | given))  # type: ignore[arg-type]


def test_it_reads_sounds_alone() -> None:
    schema = Schema((Field("sound", "image"),), SCHEMA.label, "row")
    with pytest.raises(BadInputError, match="is of kind image, expected sound"):
        Spectrum("sound").check(schema)
    with pytest.raises(BadInputError, match="a sound is one per row"):
        Field("sound", "sound", shape=(3,))
