"""A recording heard window by window, by a model that says how loud each window is."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from emberline.features.sounds.decoding import waveforms
from emberline.pipelines.evaluation.keyword_spotting import listen


class Loudness(tf.Module):
    """An exported model of two classes: quiet and loud."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "sound")])
    def say(self, sound: tf.Tensor) -> dict[str, tf.Tensor]:
        loud = tf.reduce_max(tf.abs(waveforms(sound, 8000)[0]), axis=1)
        return {"probabilities": tf.stack([1 - loud, loud], axis=1)}


def test_every_window_is_heard_at_its_time(tmp_path: Path) -> None:
    model = Loudness()
    tf.saved_model.save(model, str(tmp_path / "model"), signatures={"serving_default": model.say})
    samples = np.zeros(20_000)
    samples[9000] = 0.5
    heard = listen(str(tmp_path / "model"), samples, 8000, window=800, stride=200)
    begins = np.arange(0, 20_000 - 800 + 1, 200)
    np.testing.assert_allclose(heard.milliseconds, begins / 8)
    inside = (begins <= 9000) & (begins + 800 > 9000)
    np.testing.assert_allclose(heard.probabilities[:, 1], np.where(inside, 0.5, 0), atol=1e-4)
