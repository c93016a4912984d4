"""The decoder in a graph against libsndfile, and its change of rate against soxr."""

import io

import librosa
import numpy as np
import pytest
import soundfile
import tensorflow as tf

from emberline.features.sounds.decoding import resampled, waveform, waveforms
from emberline.features.sounds.wav import SoundError, read_header, wav_bytes
from tests.features.sounds.test_wav import FORMS, GOOD, TONE, streamed, written

NOISE = np.random.default_rng(1).uniform(-1, 1, (501, 3))


@pytest.mark.parametrize("form", soundfile.available_subtypes("WAV"))
@pytest.mark.parametrize("container", ["WAV", "WAVEX"])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_samples_are_those_of_libsndfile_or_refused(form: str, container: str, channels: int) -> None:
    if not soundfile.check_format(container, form):
        pytest.skip("libsndfile does not write it")
    try:
        file = written(form, NOISE[:, :channels], 8000, container)
    except soundfile.LibsndfileError:
        pytest.skip("libsndfile does not write so many channels of it")
    if form not in FORMS:
        with pytest.raises(SoundError, match=r"is encoded as '\d+', and only PCM"):
            read_header(file)
        with pytest.raises(tf.errors.InvalidArgumentError, match="neither PCM"):
            waveform(tf.constant(file), 8000)
        return
    expected = soundfile.read(io.BytesIO(file), dtype="float64")[0].reshape(501, -1).mean(axis=1)
    open_ended = streamed(file, 0xFFFF_FFFF)
    np.testing.assert_array_equal(soundfile.read(io.BytesIO(open_ended))[0], soundfile.read(io.BytesIO(file))[0])
    for given in (file, open_ended, streamed(file, 0)):  # of the last libsndfile reads nothing
        assert read_header(given).samples == 501
        np.testing.assert_allclose(waveform(tf.constant(given), 8000), expected, atol=1e-6)


def test_floating_point_numbers_may_be_louder_but_must_be_finite() -> None:
    np.testing.assert_array_equal(waveform(tf.constant(written("FLOAT", np.array([1.5, -2]))), 8000), [1.5, -2])
    with pytest.raises(tf.errors.InvalidArgumentError, match="not finite"):
        waveform(tf.constant(written("FLOAT", np.array([0, np.nan]))), 8000)


def test_a_batch_is_cut_and_followed_by_silence() -> None:
    files = tf.constant([GOOD, b"", wav_bytes(TONE[:30], 8000)])
    samples, lengths = waveforms(files, 8000)
    assert samples.shape == (3, 800)
    assert lengths.numpy().tolist() == [800, 0, 30]
    assert not samples[2, 30:].numpy().any()
    cut, lengths = waveforms(files, 8000, 100)
    np.testing.assert_array_equal(cut[0], samples[0, :100])
    assert lengths.numpy().tolist() == [100, 0, 30]
    assert waveforms(files, 8000, 1000)[0].shape == (3, 1000)


@pytest.mark.parametrize(("given", "wanted"), [(44_100, 16_000), (8_000, 16_000), (16_000, 8_000), (11_025, 8_000)])
def test_another_rate_sounds_alike(given: int, wanted: int) -> None:
    """A mixture of tones well below half of either rate is what soxr makes of it, away from the ends."""
    seconds = np.arange(given) / given
    tones = sum(np.sin(2 * np.pi * hertz * seconds + hertz) for hertz in (200, 1111, 2500, 3000)) / 4
    mine = resampled(tf.constant(tones, tf.float32), tf.constant(given), wanted).numpy()
    theirs = librosa.resample(tones, orig_sr=given, target_sr=wanted, res_type="soxr_vhq")
    assert mine.shape == theirs.shape
    np.testing.assert_allclose(mine[500:-500], theirs[500:-500], atol=2e-3)


def test_what_the_lower_rate_cannot_have_is_left_out() -> None:
    high = np.sin(2 * np.pi * 6000 * np.arange(16_000) / 16_000)
    low = resampled(tf.constant(high, tf.float32), tf.constant(16_000), 8000).numpy()
    assert np.abs(low[200:-200]).max() < 2e-3


@pytest.mark.parametrize("cut", [10, 30, 40, 700])
def test_a_broken_file_stops_the_graph_that_the_check_would_have_kept_it_from(cut: int) -> None:
    with pytest.raises(SoundError):
        read_header(GOOD[:cut])
    with pytest.raises(tf.errors.InvalidArgumentError):
        waveform(tf.constant(GOOD[:cut]), 8000)
