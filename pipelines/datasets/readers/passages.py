"""Long texts as rows: passages of so many words each, cut in the executors, in the order of the text.

Executors read files in parts that begin at fixed places. So the passages of a file depend on what is in it, and on
nothing else: neither on the files that are read with it nor on Spark's settings or its number of cores.
"""

import codecs
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from emberline.features import storage
from emberline.features.analysis.sources import ByteRange, file_splits, parts_of
from emberline.features.schema import Field, Label, Purpose, Schema
from emberline.features.tokens import Tokens
from emberline.features.validation.rows import FAULT, RAW, SOURCE
from emberline.pipelines.datasets.readers.raw_table import file_name, row_key

PART_BYTES = 16 << 20
"""A file is cut after so many bytes each, at the next word, or the next line where the ends of lines are words."""

COLUMNS = f"text string, {SOURCE} string"

COMPRESSED = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
"""By ending, what Arrow calls it. Such a file is one part."""

HADOOPS = (".deflate", ".lz4", ".snappy")
"""Endings of files that Hadoop alone can read."""

_PIECE = 1 << 20
"""Bytes that are read at a time: some corpora are one line."""
_ROWS = 1_000


def passage_schema(purpose: Purpose) -> Schema:
    """Returns the schema of passages: `text`, its number of `words`, and the key `row`."""
    fields = (Field("text", "string", required=True, tokens=Tokens()),)
    return Schema(fields, Label("words", minimum=1, purpose=purpose), "row")


@dataclass(frozen=True)
class CutPassages:
    """From a text to its passages.

    Args:
        words: Of a passage; the last of a text may have fewer.
        overlap: Words that a passage begins with, taken from the end of the one before.
        line_end: A word that stands for the end of a line with words; empty for none.
    """

    words: int
    overlap: int = 0
    line_end: str = ""

    def __call__(self, pieces: Iterable[str]) -> Iterator[str]:
        """Passages in their order.

        Args:
            pieces: Of the text, wherever it was cut.
        """
        waiting: list[str] = []
        for words in self._words(pieces):
            waiting += words
            start = 0
            while len(waiting) - start >= self.words:
                yield " ".join(waiting[start : start + self.words])
                start += self.words - self.overlap
            waiting = waiting[start:]
        if len(waiting) > self.overlap:
            yield " ".join(waiting)

    def _words(self, pieces: Iterable[str]) -> Iterator[list[str]]:
        begun = False  # whether the line that goes on has words
        for text in _whole(pieces):
            *lines, last = text.split("\n") if self.line_end else [text]
            found = []
            for line in lines:
                words = line.split()
                found += [*words, self.line_end] if words or begun else []
                begun = False
            words = last.split()
            begun = begun or bool(words)
            yield found + words
        if begun and self.line_end:
            yield [self.line_end]


def _whole(pieces: Iterable[str]) -> Iterator[str]:
    """The text in pieces of whole words, with one kind of line ends."""
    line_ends = io.IncrementalNewlineDecoder(None, translate=True)
    rest = ""
    for piece in pieces:
        text = rest + line_ends.decode(piece)
        end = max(map(text.rfind, " \t\n")) + 1
        rest = text[end:]
        yield text[:end]
    yield rest + line_ends.decode("", final=True)


def passages(spark: SparkSession, files: Sequence[storage.FileEntry], cut: CutPassages) -> DataFrame:
    """Returns the raw rows of the passages of text files, compressed or not.

    Args:
        spark: The session.
        files: With their sizes.
        cut: How they are cut.
    """
    cores = spark.sparkContext.defaultParallelism
    splits = file_splits([file for file in files if not file.uri.endswith(HADOOPS)], cores, PART_BYTES)
    found = spark.range(0, len(splits), 1, max(1, len(splits))).mapInArrow(_OfFiles(cut, splits), COLUMNS)
    if others := [file.uri for file in files if file.uri.endswith(HADOOPS)]:
        whole = spark.read.text(others, wholetext=True).select("value", "_metadata.file_name")
        found = found.union(whole.mapInArrow(_OfTexts(cut), COLUMNS))
    return passage_rows(found)


def passage_rows(found: DataFrame) -> DataFrame:
    """Returns the raw rows of passages: `text`, `words`, the key, `_raw`, `_source` and `_fault`.

    Args:
        found: The passages, `text`, and the name of the file of each, `_source`.
    """
    text = F.col("text")
    return found.select(
        text,
        F.size(F.split(text, " ")).cast("string").alias("words"),
        row_key(text).alias("row"),
        text.alias(RAW),
        F.col(SOURCE),
        F.lit(None).cast("string").alias(FAULT),
    )


@dataclass(frozen=True)
class _OfFiles:
    """Runs in executors: numbers of splits in, passages out; for `mapInArrow`."""

    cut: CutPassages
    splits: Sequence[tuple[ByteRange, ...]]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for part in parts_of(batches, self.splits):
            pieces = read_part(part, rb"\n" if self.cut.line_end else rb"[ \t\n]")
            yield from _batches(self.cut(pieces), file_name(part.uri))


@dataclass(frozen=True)
class _OfTexts:
    """Runs in executors: whole texts and the names of their files in, passages out; for `mapInArrow`."""

    cut: CutPassages

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for text, name in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                yield from _batches(self.cut([text.removeprefix("\ufeff")]), name)


def _batches(texts: Iterator[str], name: str) -> Iterator[pa.RecordBatch]:
    while rows := list(islice(texts, _ROWS)):
        yield pa.RecordBatch.from_pydict({"text": pa.array(rows), SOURCE: pa.array([name] * len(rows))})


def read_part(part: ByteRange, end: bytes) -> Iterator[str]:
    """Yields the text of a part of a file, in pieces.

    Args:
        part: Begins and ends at the first places from `start` and `stop` on that are right behind an `end`.
        end: A regular expression.
    """
    decoder = codecs.getincrementaldecoder("utf-8" if part.start else "utf-8-sig")()
    codec = COMPRESSED.get(f".{part.uri.rpartition('.')[2]}")
    for piece in _unpacked(part, codec) if codec else _between(part, end):
        yield decoder.decode(piece)
    yield decoder.decode(b"", final=True)


def _unpacked(part: ByteRange, codec: str) -> Iterator[bytes]:
    if part.start == 0:
        with storage.open_input(part.uri) as packed, pa.CompressedInputStream(packed, codec) as stream:
            while piece := stream.read(_PIECE):
                yield piece


def _between(part: ByteRange, end: bytes) -> Iterator[bytes]:
    with storage.open_random(part.uri) as file:
        size = file.size()
        part.require_planned(size)
        last = min(part.stop, size)
        place = _behind(end, file, part.start, last)
        stop = _behind(end, file, last, size) if place < last else 0
        while place < stop:
            piece = file.read_at(min(_PIECE, stop - place), place)
            yield piece
            place += len(piece)


def _behind(end: bytes, file: pa.NativeFile, place: int, last: int) -> int:
    """The first place from `place` on that is right behind an `end`, or one from `last` on if there is none before."""
    looked = max(place - 1, 0)
    while place and looked < last:
        data = file.read_at(_PIECE, looked)
        if found := re.search(end, data):
            return looked + found.end()
        looked += len(data)
    return looked
