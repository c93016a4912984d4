"""Pictures stored as files come back: the same from PNG, nearly from JPEG."""

import numpy as np
import pytest
import tensorflow as tf

from emberline.features.columns import Image, arrow_schema
from emberline.features.errors import BadInputError
from emberline.features.images.encoding import files
from emberline.features.tensors import padded, stored_tensor

SHAPE = (24, 32, 3)


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    """Slopes of colour, which a JPEG keeps well."""
    down, across = np.mgrid[0:24, 0:32]
    first = np.stack([down * 10, across * 7, 255 - down * 5], axis=-1)
    return np.stack([first, first[::-1], 255 - first]).astype(np.uint8)


@pytest.mark.parametrize(("form", "difference"), [("png", 0), ("jpeg", 12)])
def test_what_is_read_is_what_was_written(pictures: np.ndarray, form: str, difference: int) -> None:
    stored = files(tf.constant(pictures), form)
    assert stored.type == arrow_schema([Image("image", *SHAPE, stored_as=form)]).field("image").type  # type: ignore[arg-type]
    whole = stored_tensor(stored, SHAPE).numpy()
    rows = tf.data.Dataset.from_tensor_slices(stored.to_pylist()).batch(2)
    read = np.concatenate(list(rows.map(lambda batch: padded(batch, SHAPE)).as_numpy_iterator()))
    for found in (whole, read):
        assert found.dtype == np.uint8
        assert np.abs(found.astype(int) - pictures).max() <= difference
    np.testing.assert_array_equal(whole, read)


def test_grey_ones(pictures: np.ndarray) -> None:
    grey = pictures[..., :1]
    np.testing.assert_array_equal(stored_tensor(files(tf.constant(grey), "png"), (24, 32, 1)), grey)


def test_forms_that_there_are(pictures: np.ndarray) -> None:
    with pytest.raises(BadInputError, match="png or jpeg, got 'gif'"):
        files(tf.constant(pictures), "gif")
    with pytest.raises(BadInputError, match="stored as pixels, png, jpeg, got 'gif'"):
        Image("image", 2, 2, stored_as="gif")  # type: ignore[arg-type]
