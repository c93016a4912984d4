"""Pong's policy: as many weights as its source, and what it sees of a picture."""

import numpy as np

from emberline.models.control import dense, pong


def test_it_has_the_textbooks_weights() -> None:
    model = pong.build()
    assert model.count_params() == 1_280_803
    assert model(np.zeros((2, 6400), np.float32)).shape == (2, 3)


def test_only_bats_and_ball_are_seen() -> None:
    frame = np.zeros((210, 160, 3), np.uint8)
    frame[35:195, :, 0] = 144
    frame[35:195, 80:, 0] = 109
    frame[35:195, :, 1] = 72  # other channels do not matter
    frame[:35] = 236  # the score
    frame[195:] = 236
    frame[101:103, 60:62, 0] = 236  # the ball
    frame[115:131, 16:20, 0] = 213  # a bat
    seen = pong.picture(frame).reshape(80, 80)
    assert seen.sum() == 1 + 8 * 2
    assert seen[33, 30] == 1
    assert seen[40:48, 8:10].all()


def test_dense_layers_have_the_asked_widths() -> None:
    assert dense.build(dense.Config(4, 2, (64, 32))).count_params() == 4 * 64 + 64 + 64 * 32 + 32 + 32 * 2 + 2
