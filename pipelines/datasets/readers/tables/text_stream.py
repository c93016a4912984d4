"""Files of text as streams of UTF-8 for Arrow: uncompressed, without a byte order mark, without comments."""

import codecs

import pyarrow as pa

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.pipelines.datasets.readers.tables.csv_splits import Quotes, quotes_of
from emberline.pipelines.datasets.readers.tables.table_files import TableFile

BLOCK_BYTES = 8 << 20
"""Read at a time of a file that is read from its beginning."""


def open_text(file: TableFile, encoding: str) -> "Utf8":
    """Opens the uncompressed text of a file as a stream of UTF-8, without a byte order mark."""
    return Utf8(open_plain(file), encoding)


def open_plain(file: TableFile) -> pa.NativeFile:
    """Opens the uncompressed bytes of a file.

    Raises:
        BadInputError: for a compression that no stream can undo.
    """
    stream = storage.open_input(file.uri)
    if not file.compression:
        return stream
    kinds = {"gz": "gzip", "bz2": "bz2", "zst": "zstd", "lz4": "lz4"}
    if file.compression not in kinds:
        raise BadInputError(f"{file.uri!r} is compressed with {file.compression!r}: write it as {', '.join(kinds)}.")
    return pa.CompressedInputStream(stream, kinds[file.compression])


class Utf8:
    """A file-like object for Arrow: bytes of one encoding in, UTF-8 out."""

    closed = False

    def __init__(self, stream: pa.NativeFile, encoding: str) -> None:
        self._stream = stream
        self._waiting = bytearray()
        self._ended = False
        self._begun = False
        # Bytes that are no UTF-8 are handed on: Arrow tells the rows that have them.
        errors = "surrogateescape" if encoding == "utf-8" else "strict"
        self._decoder = codecs.getincrementaldecoder(encoding)(errors)
        self._errors = errors
        self.quotes: list[Quotes] = []
        self._watched: tuple[str, str, bytes] | None = None

    def watch(self, sep: str, quote: str) -> None:
        """Counts the quotes of all that is read from here on."""
        if quote:
            self._watched = (sep, quote, b"\n")

    def read(self, size: int = -1) -> bytes:
        while not self._ended and (size < 0 or len(self._waiting) < size):
            data = bytes(self._stream.read(BLOCK_BYTES))
            self._ended = not data
            text = self._decoder.decode(data, self._ended)
            if not self._begun and text:
                text = text.removeprefix("\ufeff")
                self._begun = True
            self._waiting += text.encode("utf-8", self._errors)
        size = len(self._waiting) if size < 0 else size
        found = bytes(self._waiting[:size])
        del self._waiting[:size]
        if self._watched and found:
            sep, quote, before = self._watched
            self.quotes.append(quotes_of(before + found, sep, quote))
            self._watched = (sep, quote, found[-1:])
        return found

    def close(self) -> None:
        self._stream.close()
        self.closed = True

    def __enter__(self) -> "Utf8":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Uncommented:
    """The same without lines that begin with a character, but for those inside quotes."""

    closed = False

    def __init__(self, text: Utf8, comment: str, quote: str) -> None:
        self._text = text
        self._comment = comment.encode()
        self._quote = quote.encode()
        self._waiting = bytearray()
        self._rest = b""
        self._quoted = False
        self._ended = False

    def read(self, size: int = -1) -> bytes:
        while not self._ended and (size < 0 or len(self._waiting) < size):
            data = self._text.read(BLOCK_BYTES)
            self._ended = not data
            *lines, self._rest = (self._rest + data).split(b"\n")
            if self._ended:
                lines.append(self._rest)
            for line in lines:
                if self._quoted or not line.startswith(self._comment):
                    self._waiting += line + b"\n"
                    self._quoted ^= bool(self._quote and line.count(self._quote) % 2)
        size = len(self._waiting) if size < 0 else size
        found = bytes(self._waiting[:size])
        del self._waiting[:size]
        return found

    def close(self) -> None:
        self._text.close()
        self.closed = True
