"""The checksum kernel against the `crc32c` package; framing and codecs are tested where they are used."""

import crc32c as reference
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberline.features.tfrecord.codec.framing import crc32c


@given(st.binary(max_size=300), st.integers(0, 2**32 - 1))
def test_checksum_of_short_buffers(data: bytes, start: int) -> None:
    assert crc32c(data, start) == reference.crc32c(data, start)


# around the borders of the three interleaved lanes: 3 * 256 and 3 * 2048 bytes
@pytest.mark.parametrize("size", [767, 768, 769, 1535, 1536, 6143, 6144, 6145, 6144 + 768 + 13, 1_000_003])
@pytest.mark.parametrize("shift", [0, 1, 7])
def test_checksum_of_long_and_unaligned_buffers(size: int, shift: int) -> None:
    data = np.random.default_rng(size).integers(0, 256, size + shift, np.uint8)[shift:]
    assert crc32c(data) == reference.crc32c(data.tobytes())
    assert crc32c(data[1000:], crc32c(data[:1000])) == reference.crc32c(data.tobytes())


def test_software_tables_agree_with_the_instruction() -> None:
    """Slicing-by-8, for processors without a CRC instruction, run as plain Python."""
    from emberline.features.tfrecord.codec import kernels

    table = kernels._BYTE_TABLE.tolist()
    data = np.random.default_rng(1).integers(0, 256, 64, np.uint8).tobytes()
    crc = 0xFFFFFFFF
    for at in range(0, 64, 8):
        word = int.from_bytes(data[at : at + 8], "little") ^ crc
        crc = 0
        for byte in range(8):
            crc ^= table[256 * (7 - byte) + (word >> 8 * byte & 255)]
    assert crc ^ 0xFFFFFFFF == reference.crc32c(data)
