"""Parts of large CSV files that begin and end between records, found by counting quotes.

Whether a line break ends a record or stands in a field depends on all quotes before it, and only on whether their
number is even. So executors count the quotes of every part, and the parts before one say how it begins.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emberline.features import storage

NEWLINE, RETURN = ord("\n"), ord("\r")
PART_BYTES, LEAST_PART_BYTES = 32 << 20, 4 << 20
AHEAD_BYTES = 64 << 10
"""Read at a time to find where a record ends."""


@dataclass(frozen=True)
class CsvPart:
    """The records of a file whose first byte is in a range.

    Args:
        file: Number of the file.
        start: First byte.
        stop: The byte behind the range.
        quoted: Whether the range begins inside quotes.
        quoted_end: Whether it ends inside quotes.
    """

    file: int
    start: int
    stop: int
    quoted: bool = False
    quoted_end: bool = False


@dataclass(frozen=True)
class Quotes:
    """What a part's quotes are like.

    Args:
        odd: Whether their number is.
        regular: Whether those that open a field stand at its beginning, if the part begins outside quotes, and if it
            begins inside.
    """

    odd: bool
    regular: tuple[bool, bool]


def part_bytes(total: int, cores: int) -> int:
    """Returns how large parts are: every core gets two where sizes allow it; more cost more than they even out."""
    return min(PART_BYTES, max(LEAST_PART_BYTES, total // max(1, 2 * cores)))


def cut(start: int, size: int, wanted: int) -> list[tuple[int, int]]:
    """Returns ranges of a file's bytes behind its header."""
    count = max(1, -(-(size - start) // wanted))
    edges = [start + (size - start) * place // count for place in range(count + 1)]
    return list(itertools.pairwise(edges))


def count_quotes(uri: str, start: int, stop: int, sep: str, quote: str) -> Quotes:
    """Reads a part and counts its quotes."""
    if not quote:
        return Quotes(False, (True, True))
    with storage.open_random(uri) as file:
        before = bytes(file.read_at(1, start - 1)) if start else b"\n"
        return quotes_of(before + bytes(file.read_at(stop - start, start)), sep, quote)


def quotes_of(data: bytes, sep: str, quote: str) -> Quotes:
    """Counts the quotes of a part, which begins with the byte before it."""
    bytes_ = np.frombuffer(data, np.uint8)
    places = np.flatnonzero(bytes_[1:] == ord(quote)) + 1
    allowed = np.zeros(256, bool)
    allowed[[ord(sep), NEWLINE, RETURN, ord(quote)]] = True
    fine = allowed[bytes_[places - 1]]
    return Quotes(bool(len(places) & 1), (bool(fine[0::2].all()), bool(fine[1::2].all())))


def chained(file: int, ranges: Sequence[tuple[int, int]], quotes: Sequence[Quotes]) -> list[CsvPart] | None:
    """Returns the parts of a file, or None if quotes stand within fields too, so that counting them says nothing.

    Args:
        file: Number of the file.
        ranges: Of bytes, from the first record on.
        quotes: Of each range.
    """
    parts: list[CsvPart] = []
    quoted = False
    for (start, stop), found in zip(ranges, quotes, strict=True):
        if not found.regular[quoted]:
            return None
        parts.append(CsvPart(file, start, stop, quoted, quoted ^ found.odd))
        quoted ^= found.odd
    return None if quoted else parts


def never_closed(quotes: Iterable[Quotes]) -> bool:
    """Returns whether quotes are where they should be, and the last one opens a field that does not end.

    Args:
        quotes: Of the parts of a file, from the first record on.
    """
    quoted = False
    for found in quotes:
        if not found.regular[quoted]:
            return False
        quoted ^= found.odd
    return quoted


def read_part(file: pa.NativeFile, part: CsvPart, first: int, size: int, quote: str) -> bytes:
    """Returns the bytes of the records that belong to a part.

    Args:
        file: The open file.
        part: Which.
        first: Where the file's first record begins.
        size: Of the file.
        quote: The character around fields; empty for none.
    """
    start = part.start if part.start == first else _boundary(file, part.start, part.quoted, size, quote)
    stop = part.stop if part.stop >= size else _boundary(file, part.stop, part.quoted_end, size, quote)
    return bytes(file.read_at(stop - start, start)) if stop > start else b""


def _boundary(file: pa.NativeFile, place: int, quoted: bool, size: int, quote: str) -> int:
    """The first place from here on at which a record begins."""
    if not quoted and bytes(file.read_at(1, place - 1)) == b"\n":
        return place
    for start, data in _ahead(file, place, size):
        breaks = np.flatnonzero(data == NEWLINE)
        if quote:
            quotes = np.flatnonzero(data == ord(quote))
            outside = (np.searchsorted(quotes, breaks) + quoted) % 2 == 0
            breaks, quoted = breaks[outside], bool((len(quotes) + quoted) % 2)
        if len(breaks):
            return int(start + breaks[0] + 1)
    return size


def _ahead(file: pa.NativeFile, place: int, size: int) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
    while place < size:
        data = np.frombuffer(file.read_at(min(AHEAD_BYTES, size - place), place), np.uint8)
        yield place, data
        place += len(data)
