"""IDX, the file format of MNIST and its successors: a magic number, the sizes of the array, its bytes; gzipped or not.

Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits".
"""

import gzip
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from emberline.features import storage
from emberline.features.errors import BadInputError

_BYTES = 0x08
_GZIP = b"\x1f\x8b"


def read_idx(uri: str) -> tuple[NDArray[np.uint8], int]:
    """Returns the array of a file, as far as the file goes.

    Args:
        uri: A file of unsigned bytes.

    Returns:
        The array without the items that are not there whole, and how many the file promises.

    Raises:
        BadInputError: if it is no such file.
    """
    data = storage.read_bytes(uri)
    if data.startswith(_GZIP):
        data = _unzipped(data)
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] != _BYTES or not 1 <= data[3] <= 4:
        raise BadInputError(
            f"{uri!r} is no IDX file of bytes: it begins with {data[:4].hex(' ')!r}, expected 00 00 08."
        )
    sizes = struct.unpack_from(f">{data[3]}I", data.ljust(20, b"\0"), 4)
    begin, item = 4 + 4 * len(sizes), int(np.prod(sizes[1:], dtype=np.int64))
    there = min(sizes[0], max(0, len(data) - begin) // max(item, 1))
    values = np.frombuffer(data, np.uint8, there * item, min(begin, len(data)))
    return values.reshape(there, *sizes[1:]), sizes[0]


def write_idx(uri: str, values: NDArray[np.uint8]) -> None:
    """Writes an array, gzipped."""
    head = bytes([0, 0, _BYTES, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    storage.write_bytes_atomic(uri, gzip.compress(head + values.tobytes(), compresslevel=1, mtime=0))


def _unzipped(data: bytes) -> bytes:
    """Returns the readable part of a file that may be truncated."""
    stream = zlib.decompressobj(wbits=31)
    found = []
    try:
        for start in range(0, len(data), 1 << 20):
            found.append(stream.decompress(data[start : start + (1 << 20)]))
    except zlib.error:
        pass  # what was readable is there; the rest is missing
    return b"".join(found)
