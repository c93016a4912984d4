"""PNG files of synthetic pictures: what generators of images write.

Source: "Portable Network Graphics (PNG) Specification", W3C.
"""

import struct
import zlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from emberline.features import storage


def png_bytes(image: NDArray[np.uint8]) -> bytes:
    """Returns a file of 8 bits per channel.

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


def write_pictures(
    directory: str,
    classes: Sequence[str],
    files: Mapping[str, int],
    misplaced: float,
    generator: np.random.Generator,
    draw: Callable[[int], NDArray[np.uint8]],
) -> float:
    """Writes `SPLIT/CLASS/0000.png` and so on, each of a class drawn at random.

    Args:
        directory: Where.
        classes: Names of the folders, by class id.
        files: By split, how many.
        misplaced: Share of files whose folder is drawn anew.
        generator: Draws classes and folders.
        draw: From a class id to its picture, as of `png_bytes`.

    Returns:
        Of the last split, the share of files that lie in the folder of their class.
    """
    right = 0.0
    for split, count in files.items():
        truth = generator.integers(0, len(classes), count)
        anew = generator.random(count) < misplaced
        folders = np.where(anew, generator.integers(0, len(classes), count), truth)
        for index, (kind, folder) in enumerate(zip(truth, folders, strict=True)):
            path = storage.join(directory, split, classes[folder], f"{index:04d}.png")
            storage.write_bytes_atomic(path, png_bytes(draw(int(kind))))
        right = float(np.mean(truth == folders))
    return right
