"""PNG files of made-up pictures: what generators of images write.

Source: "Portable Network Graphics (PNG) Specification", W3C.
"""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray


def png_bytes(image: NDArray[np.uint8]) -> bytes:
    """A file of 8 bits per channel.

    Args:
        image: `[height, width, channels]` of 1 or 3 channels.
    """
    height, width, channels = image.shape
    head = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2}[channels], 0, 0, 0)
    lines = np.zeros((height, 1 + width * channels), np.uint8)  # the first byte of a line names its filter, none
    lines[:, 1:] = image.reshape(height, -1)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(lines.tobytes(), 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
