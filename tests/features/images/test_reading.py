"""Images of a batch, each by itself: good ones become pixels, damaged ones a reason, and nothing stops."""

import io
import struct
import zlib

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from emberline.features.columns import Image as ImageColumn
from emberline.features.errors import BadInputError
from emberline.features.images.reading import bare_pixels, read_images
from emberline.features.schema import Field, Label, Schema
from emberline.features.statistics import Statistics
from emberline.features.tensors import raw_tensors
from emberline.features.transform import TransformGraph

SHAPE = (24, 32, 3)
FIELD = Field("image", "image", shape=SHAPE)


def picture(width: int = 64, height: int = 48) -> Image.Image:
    corners = np.random.default_rng(1).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    return Image.fromarray(corners).resize((width, height), Image.Resampling.BICUBIC)


def encoded(form: str, image: Image.Image | None = None, **options: object) -> bytes:
    sink = io.BytesIO()
    (image or picture()).save(sink, form, **options)
    return sink.getvalue()


def bomb() -> bytes:
    """A PNG of few bytes that says it is larger than memory."""
    head = struct.pack(">IIBBBBB", 200_000, 200_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    )


DAMAGED = {
    "zero bytes": (b"", "is empty"),
    "a text": (b"I am a PNG, believe me", "is no JPEG, PNG, GIF, BMP or WebP file"),
    "a bomb": (bomb(), "says that it is '200000 × 200000' pixels"),
    "a JPEG cut off": (
        encoded("JPEG", picture(640, 480), quality=95)[:4000],
        "is damaged: 'jpeg::Uncompress failed. Invalid JPEG data",
    ),
    "a PNG cut off": (encoded("PNG")[:-600], "is damaged: 'Invalid PNG data"),
    "a PNG with a flipped bit": (encoded("PNG")[:200] + b"\xaa\xbb" + encoded("PNG")[202:], "is damaged: "),
    "a GIF cut off": (encoded("GIF")[:300], "is damaged: 'Invalid GIF data"),
    "a WebP cut off": (encoded("WEBP", lossless=True)[:200], "is damaged: 'Failed to decode WebP image.'"),
    "half a header": (encoded("BMP")[:20], "breaks off in its header"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_is_the_only_one_refused(damage: str) -> None:
    content, said = DAMAGED[damage]
    read = read_images(pa.array([encoded("PNG"), content, None, encoded("JPEG")], pa.binary()), FIELD)
    assert [fault is None for fault in read.faults] == [True, False, True, True]
    assert str(read.faults[1]).startswith(said)
    assert ";" not in str(read.faults[1])
    assert read.pixels.is_valid().to_pylist() == [True, False, False, True]
    assert read.sizes == [(48, 64), None, None, (48, 64)]


@pytest.mark.parametrize("seed", range(12))
def test_whatever_bytes_are_damaged_a_batch_is_read(seed: int) -> None:
    generator = np.random.default_rng(seed)
    contents = []
    for form in ("JPEG", "PNG", "GIF", "BMP", "WEBP"):
        data = bytearray(encoded(form))
        for place in generator.integers(0, len(data), generator.integers(1, 20)):
            data[place] = generator.integers(256)
        contents.append(bytes(data)[: generator.integers(1, len(data) + 1)])
    read = read_images(pa.array(contents, pa.binary()), FIELD)
    assert len(read.pixels) == len(contents)
    assert [fault is None for fault in read.faults] == read.pixels.is_valid().to_pylist()


def test_what_is_read_is_what_the_transform_graph_makes_of_the_files() -> None:
    """So the pixels that the ETL stores are those that an exported model sees."""
    files = pa.array([encoded("PNG"), encoded("JPEG"), encoded("GIF"), bytes(range(256)) * 9], pa.binary())
    column = ImageColumn("image", *SHAPE)
    schema = Schema((FIELD,), Label("label"), "key")
    graph = TransformGraph(schema, (column,), Statistics(0))
    expected = graph(raw_tensors(pa.record_batch({"image": files}), schema))["image"].numpy()
    read = read_images(files, FIELD)
    np.testing.assert_array_equal(
        np.stack([np.frombuffer(row, np.uint8) for row in read.pixels.to_pylist()]), expected.reshape(4, -1)
    )
    again = graph(raw_tensors(pa.record_batch({"image": read.pixels}), schema))["image"].numpy()
    np.testing.assert_array_equal(again, expected)
    assert read_images(read.pixels, FIELD).pixels.equals(read.pixels)


def test_sizes_are_those_of_the_upright_image() -> None:
    notes = Image.Exif()
    notes[0x0112] = 6
    assert read_images(pa.array([encoded("JPEG", exif=notes)], pa.binary()), FIELD).sizes == [(64, 48)]


def test_bare_pixels_are_the_rows_that_were_read() -> None:
    rows = np.random.default_rng(2).integers(0, 256, (5, *SHAPE), dtype=np.uint8)
    whole = pa.array([row.tobytes() for row in rows], pa.binary())
    np.testing.assert_array_equal(bare_pixels(whole, FIELD), rows)
    np.testing.assert_array_equal(bare_pixels(whole.slice(2, 2), FIELD), rows[2:4])
    gaps = pa.array([rows[0].tobytes(), None, rows[2].tobytes(), b""], pa.binary())
    np.testing.assert_array_equal(bare_pixels(gaps, FIELD), rows[[0, 1, 2, 3]] * [[[[1]]], [[[0]]], [[[1]]], [[[0]]]])
    np.testing.assert_array_equal(bare_pixels(gaps.slice(1, 2), FIELD)[1], rows[2])
    assert bare_pixels(pa.array([], pa.binary()), FIELD).shape == (0, *SHAPE)
    assert not bare_pixels(pa.array([None, None], pa.binary()), FIELD).any()


def test_pixels_of_another_shape_are_refused() -> None:
    with pytest.raises(BadInputError, match=r"'image' has the shape \(24, 32, 3\), 2304 bytes; a row has 7"):
        bare_pixels(pa.array([bytes(2304), None, bytes(7)], pa.binary()), FIELD)
