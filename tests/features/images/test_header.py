"""What files say about themselves, against Pillow, and what is made of bytes that are no image."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from emberline.features.images.header import MOST_PIXELS, Header, ImageError, is_file, read_header


def encoded(form: str, **options: object) -> bytes:
    sink = io.BytesIO()
    Image.new("RGB", (37, 21)).save(sink, form, **options)
    return sink.getvalue()


def bmp(depth: int, packing: int = 0, size: int = 40, masks: tuple[int, ...] = ()) -> bytes:
    """The beginning of a BMP."""
    form = struct.pack("<IiiHHI", size, 37, -21, 1, depth, packing) + bytes(20) + struct.pack(f"<{len(masks)}I", *masks)
    return b"BM" + bytes(12) + form


MOVING = b"RIFF\x10\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0\x24\0\0\x14\0\0"
"""All of a moving WebP that is ever looked at: the header that says so. There is no picture in it."""


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True, "comment": "x" * 300}),
        ("PNG", {}),
        ("GIF", {}),
        ("BMP", {}),
        ("WebP", {}),
        ("WebP", {"lossless": True}),
        ("WebP", {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"}),
    ],
)
def test_format_and_size(form: str, options: dict[str, object]) -> None:
    assert read_header(encoded(form, **options)) == Header(form, 21, 37)


def read(data: bytes) -> Header | str:
    """The header, or what is said about bytes that have none."""
    try:
        return read_header(data)
    except ImageError as error:
        return str(error)


def test_any_beginning_of_a_file_is_either_read_or_refused() -> None:
    for form in ("JPEG", "PNG", "GIF", "BMP", "WebP"):
        whole = encoded(form)
        found = [read(whole[:size]) for size in range(min(len(whole), 700))]
        assert {one for one in found if isinstance(one, Header)} == {Header(form, 21, 37)}
        assert "breaks off in its header" in found


@pytest.mark.parametrize("damage", range(50))
def test_damaged_bytes_are_either_read_or_refused(damage: int) -> None:
    generator = np.random.default_rng(damage)
    data = bytearray(encoded(("JPEG", "PNG", "GIF", "BMP", "WebP")[damage % 5]))
    for place in generator.integers(2, min(len(data), 400), 5):
        data[place] = generator.integers(256)
    assert ";" not in str(read(bytes(data)))  # which parts reasons


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"not an image at all", "is no JPEG, PNG, GIF, BMP or WebP file"),
        (b"\x89PNG\r\n\x1a\n", "breaks off in its header"),
        (b"\xff\xd8\xff\xd9", "is a damaged JPEG: its data begins before its size is declared"),
        (
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 60_000, 60_000),
            f"says that it is '60000 × 60000' pixels, and 1 to {MOST_PIXELS:,} in all are allowed",
        ),
        (
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 0, 5),
            f"says that it is '0 × 5' pixels, and 1 to {MOST_PIXELS:,} in all are allowed",
        ),
        (MOVING, "is a WebP that moves, and only still ones are read"),
        (MOVING[:20] + b"\0" + MOVING[21:] + b"ANIM", "is a WebP that moves, and only still ones are read"),
        (bmp(16), "is a BMP of '16' bits, and only 1, 4, 8, 24, 32 are read"),
        (bmp(8, packing=1), "is a BMP compressed by method '1', and only uncompressed ones are read"),
        (
            bmp(32, packing=3, masks=(0xFF, 0xFF00, 0xFF0000)),
            "is a BMP compressed by method '3', and only uncompressed ones are read",
        ),
        (bmp(24, size=16), "is a BMP with a header of '16' bytes, and of 12 or from 40 on are read"),
    ],
)
def test_what_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(ImageError) as refused:
        read_header(data)
    assert str(refused.value) == said


@pytest.mark.parametrize("depth", [1, 4, 8, 24, 32])
def test_depths_of_bmps(depth: int) -> None:
    assert read_header(bmp(depth)) == Header("BMP", 21, 37)
    assert read_header(b"BM" + bytes(12) + struct.pack("<IHHHH", 12, 37, 21, 1, depth)) == Header("BMP", 21, 37)


def test_files_are_told_from_pixels() -> None:
    assert all(is_file(encoded(form)) for form in ("JPEG", "PNG", "GIF"))
    pixels = bytearray(28 * 28)
    assert not is_file(bytes(pixels))
    pixels[:3] = b"\xff\xd8\xff"  # a white corner
    assert not is_file(bytes(pixels))
