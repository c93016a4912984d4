"""Augmentation: each part against TensorFlow's own or a plain calculation, and nothing of it outside training."""

from dataclasses import fields

import keras
import numpy as np
import pytest
import tensorflow as tf

from emberline.features.columns import Image
from emberline.features.errors import BadInputError
from emberline.models.vision.augmentation import Augmentation, Augmented, Standardised
from emberline.models.vision.image_input import model_input, scaled

EVERYTHING = Augmentation(2, True, 10, 0.1, 0.2, 0.2, 20, 3)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(1).uniform(0.2, 0.8, (64, 9, 7, 3)).astype(np.float32)


def augmented(images: np.ndarray, **asked: float) -> np.ndarray:
    keras.utils.set_random_seed(1)
    return Augmented(Augmentation(**asked))(images, training=True).numpy()


def test_nothing_is_changed_outside_training_and_by_nothing(images: np.ndarray) -> None:
    layer = Augmented(EVERYTHING)
    np.testing.assert_array_equal(layer(images), images)
    np.testing.assert_array_equal(layer(images, training=False), images)
    np.testing.assert_array_equal(augmented(images), images)
    assert not Augmentation().changes
    assert EVERYTHING.changes


def test_pictures_are_moved_by_whole_pixels(images: np.ndarray) -> None:
    found = augmented(images, shift=2)
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    seen = set()
    for before, after in zip(padded, found, strict=True):
        fits = {
            (down, across)
            for down in range(5)
            for across in range(5)
            if np.allclose(before[down : down + 9, across : across + 7], after, atol=1e-5)
        }
        assert len(fits) == 1
        seen |= fits
    assert len(seen) > 15


def test_half_of_the_pictures_are_mirrored(images: np.ndarray) -> None:
    found = augmented(images, flip=True)
    mirrored = [np.allclose(after, before[:, ::-1], atol=1e-5) for before, after in zip(images, found, strict=True)]
    same = [np.allclose(after, before, atol=1e-5) for before, after in zip(images, found, strict=True)]
    assert all(one != other for one, other in zip(mirrored, same, strict=True))
    assert 20 < sum(mirrored) < 44


def test_a_turn_leaves_the_middle_and_turns_the_rest() -> None:
    picture = np.zeros((200, 21, 21, 1), np.float32)
    picture[:, 10, 18] = 1
    found = augmented(picture, rotation=90)
    down, across = np.meshgrid(np.arange(21) - 10, np.arange(21) - 10, indexing="ij")
    weight = found[..., 0].sum(axis=(1, 2))
    y, x = ((found[..., 0] * axis).sum(axis=(1, 2)) / weight for axis in (down, across))
    np.testing.assert_allclose(np.hypot(x, y), 8, atol=0.3)
    angles = np.degrees(np.arctan2(y, x))
    assert angles.min() < -70
    assert angles.max() > 70
    assert np.abs(angles).max() < 93


def test_brightness_and_contrast(images: np.ndarray) -> None:
    added = augmented(images, brightness=0.1) - images
    np.testing.assert_allclose(added, np.broadcast_to(added[:, :1, :1, :1], added.shape), atol=1e-5)
    assert -0.1 <= added.min() < -0.08
    assert 0.08 < added.max() <= 0.1001
    found, mean = augmented(images, contrast=0.2), images.mean(axis=(1, 2), keepdims=True)
    factor = ((found - mean) / (images - mean)).reshape(64, -1)
    middle = np.median(factor, axis=1)
    assert 0.8 <= middle.min() < middle.max() <= 1.2
    for before, after, one in zip(images, found, middle, strict=True):
        np.testing.assert_allclose(after, tf.image.adjust_contrast(before, one), atol=1e-4)


def test_saturation_and_hue_leave_grey_and_brightness_alone(images: np.ndarray) -> None:
    grey = np.broadcast_to(images[..., :1], images.shape)
    np.testing.assert_allclose(augmented(grey, saturation=0.9, hue=90), grey, atol=2e-3)
    for asked in ({"saturation": 0.3}, {"hue": 15.0}):
        found = augmented(images, **asked)
        assert np.abs(found - images).max() > 0.02
        luma = [(value * [0.299, 0.587, 0.114]).sum(axis=-1) for value in (images, found)]
        np.testing.assert_allclose(luma[0], luma[1], atol=0.02)
    pale = augmented(images, saturation=1.0)
    assert pale.std(axis=-1).mean() == pytest.approx(images.std(axis=-1).mean(), rel=0.3)
    np.testing.assert_array_equal(augmented(images[..., :1], saturation=1.0, hue=90), images[..., :1])


def test_a_square_is_cut_out(images: np.ndarray) -> None:
    black = (augmented(images, cut_out=3) == 0).all(axis=-1)
    assert 1 <= black.sum(axis=(1, 2)).min() <= black.sum(axis=(1, 2)).max() == 9
    assert {tuple(map(len, map(np.unique, np.nonzero(one)))) for one in black} >= {(3, 3), (2, 3), (3, 2)}


def test_every_picture_is_standardised_as_tensorflow_does_it(images: np.ndarray) -> None:
    flat = np.concatenate([images, np.full_like(images[:1], 0.5)])
    np.testing.assert_allclose(Standardised()(flat), tf.image.per_image_standardization(flat), atol=1e-5)


def test_a_network_takes_pixels_and_saves_its_augmentation(tmp_path: object) -> None:
    image = Image("photo", 9, 7)
    pixels = model_input(image)
    model = keras.Model({"photo": pixels}, scaled(pixels, EVERYTHING, mean=(0.5, 0.4, 0.3), deviation=(0.5, 0.25, 1)))
    stored = np.random.default_rng(2).integers(0, 256, (5, 9, 7, 3), dtype=np.uint8)
    expected = (stored / 255 - [0.5, 0.4, 0.3]) / [0.5, 0.25, 1]
    np.testing.assert_allclose(model({"photo": stored}), expected, atol=1e-5)
    assert np.abs(model({"photo": stored}, training=True) - expected).max() > 0.05
    model.save(f"{tmp_path}/model.keras")
    loaded = keras.models.load_model(f"{tmp_path}/model.keras")
    np.testing.assert_allclose(loaded({"photo": stored}), expected, atol=1e-5)
    assert any(isinstance(layer, Augmented) and layer.augmentation == EVERYTHING for layer in loaded.layers)


@pytest.mark.parametrize("field", [field.name for field in fields(Augmentation)])
def test_values_below_nothing_are_refused(field: str) -> None:
    if field == "flip":
        pytest.skip("true or false")
    with pytest.raises(BadInputError, match=f"{field}=-1"):
        Augmentation(**{field: -1})
