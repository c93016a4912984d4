"""Files to pixels of one size: against Pillow, which shares no code with TensorFlow's kernels, and `tf.image`."""

import io

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray
from PIL import Image, ImageOps

from emberline.features.images.decoding import orientations, pixels

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def photograph() -> Pixels:
    """Smooth, so that two decoders of JPEG hardly differ; no two of its corners are alike."""
    corners = np.random.default_rng(1).integers(0, 256, (5, 4, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(corners).resize((96, 160), Image.Resampling.BICUBIC))


def encoded(image: Pixels, form: str = "PNG", **options: object) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(image).save(sink, form, **options)
    return sink.getvalue()


def decoded(contents: list[bytes], shape: tuple[int, int, int], resize: str = "stretch") -> Pixels:
    found: Pixels = pixels(tf.constant(contents, tf.string), shape, resize).numpy()
    return found


def apart(found: Pixels, expected: Pixels) -> float:
    return float(np.abs(found.astype(float) - expected).mean())


def turned(image: Pixels, orientation: int, order: str = "<", form: str = "JPEG") -> bytes:
    notes = Image.Exif()
    notes.endian = order
    notes[0x010F], notes[0x0112] = "a camera", orientation
    return encoded(image, form, exif=notes, **({"quality": 95, "subsampling": 0} if form == "JPEG" else {}))


@pytest.mark.parametrize("order", "<>")
def test_a_cameras_rotation_is_that_of_pillow(photograph: Pixels, order: str) -> None:
    files = [turned(photograph, orientation, order) for orientation in range(1, 9)]
    assert orientations(tf.constant(files)).numpy().tolist() == list(range(1, 9))
    for file in files:
        upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(file))))
        found = decoded([file], upright.shape)[0]
        assert apart(found, upright) < 2
        assert apart(found[::-1], upright) > 20


def test_no_rotation_is_read_where_there_is_none(photograph: Pixels) -> None:
    comment = b"\xff\xd8\xff\xfe\0\x10Exif\0\0MM\0*\0\0\0\0" + encoded(photograph, "JPEG")[2:]
    files = [b"", b"\xff", b"\xff\xd8\xff", encoded(photograph), encoded(photograph, "JPEG"), comment, bytes(2000)]
    assert orientations(tf.constant(files)).numpy().tolist() == [1] * len(files)


@pytest.mark.parametrize("form", ["PNG", "GIF", "BMP", "WEBP"])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_formats_and_modes(photograph: Pixels, form: str, mode: str) -> None:
    sink = io.BytesIO()
    Image.fromarray(photograph).convert(mode).save(sink, form, **({"lossless": True} if form == "WEBP" else {}))
    if (form, mode) == ("BMP", "L"):
        pytest.skip("TensorFlow reads no palettes of BMP")
    expected = Image.open(io.BytesIO(sink.getvalue())).convert("RGB")
    height, width, _ = photograph.shape
    assert apart(decoded([sink.getvalue()], (height, width, 3))[0], np.asarray(expected)) < 0.5
    grey = np.asarray(expected.convert("L"))[..., np.newaxis]
    assert apart(decoded([sink.getvalue()], (height, width, 1))[0], grey) < 1.5


@pytest.mark.parametrize("size", [(40, 24), (57, 90), (160, 96)])
def test_what_becomes_smaller_is_the_mean_over_areas(photograph: Pixels, size: tuple[int, int]) -> None:
    def shares(inner: int, outer: int) -> NDArray[np.float64]:
        """Of each pixel of the result, how much of its length lies in which pixel."""
        edges = np.arange(outer + 1) * inner / outer
        low, high = edges[:-1, np.newaxis], edges[1:, np.newaxis]
        overlap = np.minimum(high, np.arange(inner) + 1) - np.maximum(low, np.arange(inner))
        return overlap.clip(0) * outer / inner

    rows, columns = shares(photograph.shape[0], size[0]), shares(photograph.shape[1], size[1])
    expected = np.einsum("yi,ijc,xj->yxc", rows, photograph, columns)
    assert np.abs(decoded([encoded(photograph)], (*size, 3))[0] - expected).max() <= 0.501


@pytest.mark.parametrize("size", [(200, 300), (200, 40), (160, 97)])
def test_what_becomes_larger_is_that_of_tensorflow(photograph: Pixels, size: tuple[int, int]) -> None:
    expected = tf.image.resize(photograph, size, antialias=True).numpy()
    assert np.abs(decoded([encoded(photograph)], (*size, 3))[0] - expected).max() <= 0.501


def test_cropping_keeps_the_middle_and_padding_everything(photograph: Pixels) -> None:
    file = encoded(photograph)

    def halved(image: Pixels) -> Pixels:
        return image.reshape(image.shape[0] // 2, 2, image.shape[1] // 2, 2, 3).mean(axis=(1, 3))

    assert np.abs(decoded([file], (48, 48, 3), "crop")[0] - halved(photograph[32:128])).max() <= 0.5
    padded = decoded([file], (80, 80, 3), "pad")[0]
    assert padded[:, :16].max() == padded[:, -16:].max() == 0
    assert np.abs(padded[:, 16:64] - halved(photograph)).max() <= 0.5


@pytest.mark.parametrize("resize", ["crop", "pad", "stretch"])
def test_jpegs_reduced_while_they_are_decoded_look_the_same(photograph: Pixels, resize: str) -> None:
    large = np.asarray(Image.fromarray(photograph).resize((960, 1600), Image.Resampling.BICUBIC))
    files = [encoded(large, "JPEG", quality=95), encoded(large)]  # the second is decoded in full
    for size in ((100, 90), (300, 200), (120, 500), (1700, 1000)):
        small, full = decoded(files, (*size, 3), resize)
        assert apart(small, full) < 1.5


def test_bare_pixels_files_and_nothing_in_one_batch(photograph: Pixels) -> None:
    shape = photograph.shape
    found = decoded([photograph.tobytes(), b"", encoded(photograph)], shape, "crop")
    np.testing.assert_array_equal(found, [photograph, np.zeros_like(photograph), photograph])
    np.testing.assert_array_equal(decoded([photograph.tobytes()] * 2, shape), [photograph, photograph])
    assert decoded([], shape).shape == (0, *shape)


def test_a_file_of_as_many_bytes_as_the_pixels_is_a_file() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (6, 6, 1), dtype=np.uint8)
    file = encoded(noise[..., 0])
    for width in range(1, len(file) + 1):
        if len(file) % width == 0:
            found = decoded([file], (len(file) // width, width, 1))[0]
            assert found.tobytes() != file


def test_it_is_part_of_an_exported_graph(photograph: Pixels, tmp_path: object) -> None:
    module = tf.Module()
    module.read = tf.function(
        lambda contents: pixels(contents, (20, 30, 3), "crop"), input_signature=[tf.TensorSpec([None], tf.string)]
    )
    tf.saved_model.save(module, str(tmp_path))
    files = [turned(photograph, 6), encoded(photograph), b""]
    found = tf.saved_model.load(str(tmp_path)).read(tf.constant(files)).numpy()
    np.testing.assert_array_equal(found, decoded(files, (20, 30, 3), "crop"))
