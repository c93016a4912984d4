"""Files to pixels of one size: against Pillow, which shares no code with TensorFlow's kernels, and `tf.image`."""

import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray
from PIL import Image, ImageOps

from emberline.features.images.decoding import orientations, pixels
from emberline.features.images.header import ImageError, read_header
from tests.features.images.test_header import MOVING, bmp

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


WRITTEN = {
    "JPEG": [{"quality": 95, "subsampling": 0}, {"quality": 95, "progressive": True}],
    "PNG": [{}, {"bits": 1}, {"bits": 2}, {"bits": 4}, {"transparency": 0}],
    "GIF": [{}, {"interlace": False}, {"transparency": 0}, {"transparency": 0, "comment": "x" * 600}],
    "BMP": [{}],
    "DIB": [{}],
    "WEBP": [{"lossless": True}, {"quality": 95}],
}
"""Options by format."""

MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "I", "I;16", "F", "HSV", "LAB")


def in_mode(image: Pixels, mode: str, colours: int) -> Image.Image:
    picture = Image.fromarray(image)
    match mode:
        case "I" | "I;16":
            deep = np.asarray(picture.convert("L")).astype(np.int32) * 257
            return Image.fromarray(deep.astype(np.uint16) if mode == "I;16" else deep)
        case "P":
            return picture.quantize(colours)
        case "LA" | "RGBA" | "PA":
            picture = picture.convert({"LA": "L", "RGBA": "RGB", "PA": "P"}[mode]).convert(mode)
            picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    return picture.convert(mode)


@pytest.mark.parametrize(
    "options", [pytest.param((form, one), id=f"{form}-{one}") for form in WRITTEN for one in WRITTEN[form]]
)
def test_whatever_pillow_writes_is_read_as_it_reads_it_or_refused(
    photograph: Pixels, options: tuple[str, dict[str, object]]
) -> None:
    form, given = options
    read = 0
    for mode in MODES:
        sink = io.BytesIO()
        try:
            in_mode(photograph, mode, 2 ** int(given.get("bits", 8))).save(sink, form, **given)  # type: ignore[call-overload]
        except (OSError, ValueError, TypeError, KeyError):
            continue  # Pillow does not write it
        file = sink.getvalue()
        if form == "DIB":
            with pytest.raises(ImageError, match="is no JPEG"):
                read_header(file)
            continue
        opened = Image.open(io.BytesIO(file))
        if opened.mode == "I;16":  # which Pillow clips at 255 where libpng takes the upper half of its bits
            opened = Image.fromarray((np.asarray(opened) >> 8).astype(np.uint8))
        height, width, _ = photograph.shape
        assert (read_header(file).height, read_header(file).width) == (height, width)
        lossy = form == "JPEG" or "quality" in given
        for channels, wanted in ((3, "RGB"), (1, "L")):
            expected = np.asarray(opened.convert(wanted)).reshape(height, width, channels)
            found = decoded([file], (height, width, channels))[0]
            if lossy:
                assert apart(found, expected) < 2, (mode, wanted)
            else:  # grey is rounded twice
                assert np.abs(found.astype(int) - expected).max() <= (0 if channels == 3 else 2), (mode, wanted)
        read += 1
    assert read or form == "DIB", "something was compared"


@pytest.mark.parametrize("form", ["os2", "info"])
@pytest.mark.parametrize("upright", [True, False])
@pytest.mark.parametrize("depth", [1, 4, 8, 24, 32])
def test_bmps_that_pillow_does_not_write(depth: int, upright: bool, form: str) -> None:
    """Of OS/2, from the top down, and with fewer colours than there could be."""
    if (form, depth) == ("os2", 32) or (form == "os2" and not upright):
        pytest.skip("OS/2 had none")
    generator = np.random.default_rng(depth)
    height, width = 5, 7
    stride = (width * depth + 31) // 32 * 4
    colours = 0 if depth > 8 else 1 << depth
    palette = generator.integers(0, 256, (colours, 3 if form == "os2" else 4), dtype=np.uint8).tobytes()
    if form == "os2":
        head = struct.pack("<IHHHH", 12, width, height, 1, depth)
    else:
        head = struct.pack("<IiiHHIIiiII", 40, width, height if upright else -height, 1, depth, 0, 0, 1, 1, colours, 0)
    data = generator.integers(0, 256, stride * height, dtype=np.uint8).tobytes()
    begin = 14 + len(head) + len(palette)
    file = b"BM" + struct.pack("<IHHI", begin + len(data), 0, 0, begin) + head + palette + data
    expected = np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))
    np.testing.assert_array_equal(decoded([file], (height, width, 3))[0], expected)
    with pytest.raises(tf.errors.InvalidArgumentError, match="breaks off"):
        decoded([file[:-1]], (height, width, 3))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (MOVING, "a WebP moves"),
        (MOVING[:20] + b"\0" + MOVING[21:] + b"ANIM", "a WebP moves"),
        (bmp(16), "a BMP is compressed, or of other depths"),
        (bmp(8, packing=1), "a BMP is compressed, or of other depths"),
        (b"not an image at all", "of no format that is read"),
    ],
)
def test_an_exported_graph_refuses_what_the_check_refuses(data: bytes, said: str) -> None:
    """TensorFlow's decoder never sees it."""
    with pytest.raises(ImageError):
        read_header(data)
    with pytest.raises(tf.errors.InvalidArgumentError, match=said):
        decoded([data], (21, 37, 3))


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
