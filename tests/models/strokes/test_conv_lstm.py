"""The network over drawings: its size, and that a drawing is the same in every batch."""

import numpy as np

from emberline.features.columns import Strokes
from emberline.models.strokes import conv_lstm

STROKES = Strokes("across", "down", "ends")


def test_it_has_the_tutorials_weights() -> None:
    model = conv_lstm.build(conv_lstm.Config(STROKES), {})
    assert model.count_params() == 1_142_265
    assert model.output_shape == (None, 345)


def test_what_lies_behind_a_drawing_counts_for_nothing() -> None:
    model = conv_lstm.build(conv_lstm.Config(STROKES, (8, 8, 8), units=6, lstms=2, outputs=4), {})
    draw = np.random.default_rng(2)
    for weight in model.trainable_weights:
        weight.assign(weight + draw.normal(0, 0.2, weight.shape))
    drawing = draw.normal(size=(1, 3 * 7)).astype(np.float32)
    longer = np.pad(drawing, ((0, 0), (0, 3 * 9)), constant_values=np.nan)
    longest = draw.normal(size=(1, 3 * 16)).astype(np.float32)
    together = model({"strokes": np.concatenate([longer, longest])}).numpy()
    np.testing.assert_allclose(together[0], model({"strokes": drawing}).numpy()[0], atol=1e-5)
    assert np.isfinite(model({"strokes": np.full((1, 3), np.nan, np.float32)}).numpy()).all()
