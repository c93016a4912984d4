"""What the first bytes of an image file say, without decoding it. Imports nothing heavy."""

import struct
from dataclasses import dataclass, field

MOST_PIXELS = 100_000_000
"""A file that says it has more is refused: a few bytes can claim to be a picture that no machine has memory for."""

JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
JPEG_END = b"\xff\xd9"
GIF = (b"GIF87a", b"GIF89a")

WEBP_MOVING = 2
"""The bit of a WebP's features that says that it moves. TensorFlow's decoder must not see such a file."""

BMP_CORE, BMP_INFO = 12, 40
"""Bytes of OS/2's header, and least bytes of all later ones."""

BMP_PALETTES, BMP_COLOURS = (1, 4, 8), (24, 32)
BMP_DEPTHS = (*BMP_PALETTES, *BMP_COLOURS)
"""Bits of a pixel that are read."""

BMP_BITFIELDS, BMP_MASKS = 3, (0xFF0000, 0xFF00, 0xFF)
"""A file of 32 bits may say where in them the colours are; the usual place of red, green and blue is read."""

_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
"""JPEG's markers of a frame, which carries the size."""


class ImageError(ValueError):
    """Bytes that are no image that can be read; the message says why, values in quotes and no semicolon in it."""


@dataclass(frozen=True)
class Header:
    """A file's own word about itself.

    Args:
        format: `JPEG`, `PNG`, `GIF`, `BMP` or `WebP`.
        height: In pixels, as stored: before a camera's rotation is applied.
        width: The same.
        frames: Pixels of all frames of a GIF, which need not fit its screen; 0 for other formats.
    """

    format: str
    height: int
    width: int
    frames: int = field(default=0, compare=False)


def is_file(data: bytes) -> bool:
    """Returns whether bytes of the length of bare pixels are a file nevertheless.

    Only signatures that pixels cannot have by chance count.
    """
    return data.startswith((PNG, *GIF)) or (data.startswith(JPEG) and data.endswith(JPEG_END))


def read_header(data: bytes) -> Header:
    """Returns the format and size of an image file.

    Raises:
        ImageError: if the bytes are empty, of no known format, broken off, or of an impossible size.
    """
    if not data:
        raise ImageError("is empty")
    try:
        header = _header(data)
    except (struct.error, IndexError) as error:
        raise ImageError("breaks off in its header") from error
    if min(header.height, header.width) < 1 or header.height * header.width > MOST_PIXELS:
        raise ImageError(
            f"says that it is '{header.width} × {header.height}' pixels, and 1 to {MOST_PIXELS:,} in all are allowed"
        )
    if header.height * header.width + header.frames > MOST_PIXELS:
        raise ImageError(f"has frames of '{header.frames}' pixels, and {MOST_PIXELS:,} in all are allowed")
    return header


def _header(data: bytes) -> Header:
    if data.startswith(JPEG):
        return _jpeg(data)
    if data.startswith(PNG):
        if data[12:16] != b"IHDR":
            raise ImageError("breaks off in its header")
        width, height = struct.unpack_from(">II", data, 16)
        return Header("PNG", height, width)
    if data.startswith(GIF):
        width, height = struct.unpack_from("<HH", data, 6)
        return Header("GIF", height, width, _gif_frames(data))
    if data.startswith(b"BM"):
        return _bmp(data)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _webp(data)
    raise ImageError("is no JPEG, PNG, GIF, BMP or WebP file")


def _gif_frames(data: bytes) -> int:
    """Pixels of all frames, up to where the file breaks off or is no GIF any more; see the GIF89a specification."""

    def table(flags: int) -> int:
        return 3 << ((flags & 7) + 1) if flags & 0x80 else 0

    place, frames = 13 + table(data[10]), 0
    while place < len(data):
        if data[place] == 0x2C and place + 10 < len(data):
            width, height = struct.unpack_from("<HH", data, place + 5)
            frames += width * height
            place += 11 + table(data[place + 9])
        elif data[place] == 0x21:
            place += 2
        else:
            break
        while place < len(data) and data[place]:
            place += 1 + data[place]
        place += 1
    return frames


def _jpeg(data: bytes) -> Header:
    place = 2
    while True:
        if data[place] != 0xFF:
            raise ImageError("is a damaged JPEG: no marker where one is due")
        marker = data[place + 1]
        if marker == 0xFF:  # fill bytes
            place += 1
            continue
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", data, place + 5)
            return Header("JPEG", height, width)
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # markers that stand alone
            place += 2
            continue
        if marker in (0xD9, 0xDA):
            raise ImageError("is a damaged JPEG: its data begins before its size is declared")
        place += 2 + struct.unpack_from(">H", data, place + 2)[0]


def _bmp(data: bytes) -> Header:
    size = struct.unpack_from("<I", data, 14)[0]
    if size == BMP_CORE:
        width, height, _, depth = struct.unpack_from("<HHHH", data, 18)
        packing = 0
    elif size < BMP_INFO:
        raise ImageError(f"is a BMP with a header of '{size}' bytes, and of {BMP_CORE} or from {BMP_INFO} on are read")
    else:
        width, height, _, depth, packing = struct.unpack_from("<iiHHI", data, 18)
    usual = packing == BMP_BITFIELDS and depth == 32 and struct.unpack_from("<III", data, 54) == BMP_MASKS
    if packing and not usual:
        raise ImageError(f"is a BMP compressed by method '{packing}', and only uncompressed ones are read")
    if depth not in BMP_DEPTHS:
        raise ImageError(f"is a BMP of '{depth}' bits, and only {', '.join(map(str, BMP_DEPTHS))} are read")
    return Header("BMP", abs(height), width)


def _webp(data: bytes) -> Header:
    """See "WebP Container Specification" and RFC 6386, section 9.1."""
    kind = data[12:16]
    if kind == b"VP8X":
        if data[20] & WEBP_MOVING or data[30:34] == b"ANIM":
            raise ImageError("is a WebP that moves, and only still ones are read")
        across, down = (int.from_bytes(_exactly(data, place, 3), "little") for place in (24, 27))
        return Header("WebP", 1 + down, 1 + across)
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return Header("WebP", 1 + (bits >> 14 & 0x3FFF), 1 + (bits & 0x3FFF))
    width, height = struct.unpack_from("<HH", data, 26)
    return Header("WebP", height & 0x3FFF, width & 0x3FFF)


def _exactly(data: bytes, place: int, size: int) -> bytes:
    if len(data) < place + size:
        raise ImageError("breaks off in its header")
    return data[place : place + size]
