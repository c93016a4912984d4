"""Lines of text files that are too long to be rows: found before Spark reads them, and kept from it.

Spark's Java process holds a line several times over, and ends when it has no room for it. So files that may have such
lines are looked through first: one that is smaller than a line may be long has none, and in one that is larger, each
long line covers a whole window of half its length, whose beginning is read to see a line break there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from emberline.features import storage
from emberline.features.validation.rows import FAULT, RAW, SOURCE

LONGEST = 64 << 20
"""Bytes of a text, as an image may have."""

LONGEST_ROW = 16 << 20
"""Bytes of a line that is divided into fields, each of which Java makes an object of: one of 60 MiB, all commas and
short numbers, ended a process of 1 GiB."""

HEAD_BYTES = 100_000
"""Of a longer one that its rejected row keeps."""

BLOCK_BYTES, BATCH_BYTES = 8 << 20, 8 << 20
GLANCE_BYTES = 64 << 10

COMPRESSIONS = {"gz": "gzip", "bz2": "bz2", "zst": "zstd"}
"""By ending, those that Spark and Arrow both undo; Spark writes `lz4` and `snappy` in forms of Hadoop's own."""

MOST_GROWTH = {"gz": 1032}
"""How many bytes one of a compressed file can stand for; in others there is no such bound."""


@dataclass(frozen=True)
class LongLine:
    """A line that is too long.

    Args:
        uri: Its file.
        start: Its first byte there, compression undone.
        size: Its bytes.
        head: The first of them, as text.
        longest: How many it may have.
    """

    uri: str
    start: int
    size: int
    head: str
    longest: int

    @property
    def fault(self) -> str:
        """What is wrong with it."""
        return (
            f"the line has {self.size / (1 << 20):,.0f} MiB (it begins at byte {self.start:,}), and one may have "
            f"{self.longest >> 20}"
        )


def long_lines(spark: SparkSession, files: Sequence[storage.FileEntry], longest: int = LONGEST) -> list[LongLine]:
    """Returns the lines of text files that are too long.

    Args:
        spark: The session, whose executors look through files that are compressed, or seem to have such lines.
        files: The files with their sizes.
        longest: Bytes that a line may have.
    """
    asked = [file.uri for file in files if _may_have(file, longest)]
    if not asked:
        return []
    found = _in_executors(spark, asked, _Search(longest), _FOUND).collect()
    return [LongLine(**row.asDict(), longest=longest) for row in found]


def short_lines(spark: SparkSession, uris: Sequence[str], longest: int = LONGEST) -> DataFrame:
    """Returns the other lines of text files, as `_raw`, with the URI of their file as `_source`."""
    return _in_executors(spark, uris, _Reading(longest), f"{RAW} string, {SOURCE} string")


def rejected_lines(spark: SparkSession, found: Sequence[LongLine]) -> DataFrame:
    """Returns long lines as rows with a fault: what is kept of each as `_raw`, `_source` and `_fault`."""
    rows = [(line.head, line.uri.rpartition("/")[2], line.fault) for line in found]
    return spark.createDataFrame(rows, f"{RAW} string, {SOURCE} string, {FAULT} string")


def _in_executors(spark: SparkSession, uris: Sequence[str], job: object, schema: str) -> DataFrame:
    """What a job makes of files, a task each."""
    numbered = spark.createDataFrame([(uri,) for uri in uris], "uri string").repartition(len(uris), F.col("uri"))
    return numbered.mapInArrow(job, schema)  # type: ignore[arg-type]


def _ending(uri: str) -> str:
    return uri.lower().rpartition(".")[2]


def _may_have(file: storage.FileEntry, longest: int) -> bool:
    """Whether a file must be looked through."""
    ending = _ending(file.uri)
    if ending in COMPRESSIONS:
        return ending not in MOST_GROWTH or file.size * MOST_GROWTH[ending] > longest
    if file.size <= longest:
        return False
    window = longest // 2
    starts = range(0, file.size - window + 1, window)
    with storage.open_random(file.uri) as stream:
        return not all(_has_break(stream, start, start + window) for start in starts)


def _has_break(stream: pa.NativeFile, start: int, stop: int) -> bool:
    """Whether a line ends in a window; its first bytes are looked at first."""
    size = GLANCE_BYTES
    while start < stop:
        data = bytes(stream.read_at(min(size, stop - start), start))
        if b"\n" in data or b"\r" in data:
            return True
        if not data:
            return False
        start += len(data)
        size = BLOCK_BYTES
    return False


def _blocks(uri: str) -> Iterator[bytes]:
    """The bytes of a file, compression undone."""
    with storage.open_input(uri) as stored:
        codec = COMPRESSIONS.get(_ending(uri))
        stream = pa.CompressedInputStream(stored, codec) if codec else stored
        while data := bytes(stream.read(BLOCK_BYTES)):
            yield data


_FOUND = "uri string, start bigint, size bigint, head string"


@dataclass(frozen=True)
class _Search:
    """Runs in executors: URIs in, the long lines of these files out."""

    longest: int

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for uri in batch.column(0).to_pylist():
                found = list(find(_blocks(uri), self.longest))
                columns = zip(*found, strict=True) if found else ((), (), ())
                starts, sizes, heads = (list(column) for column in columns)
                yield pa.record_batch(
                    {
                        "uri": pa.array([uri] * len(found), pa.string()),
                        "start": pa.array(starts, pa.int64()),
                        "size": pa.array(sizes, pa.int64()),
                        "head": pa.array([head.decode("utf-8", "replace") for head in heads], pa.string()),
                    }
                )


@dataclass(frozen=True)
class _Reading:
    """Runs in executors: URIs in, the lines of these files out that are not too long."""

    longest: int

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for uri in batch.column(0).to_pylist():
                for lines in others(_blocks(uri), self.longest):
                    texts = [line.decode("utf-8", "replace") for line in lines]
                    yield pa.record_batch(
                        {RAW: pa.array(texts, pa.string()), SOURCE: pa.array([uri] * len(texts), pa.string())}
                    )


def find(blocks: Iterator[bytes], longest: int) -> Iterator[tuple[int, int, bytes]]:
    """Yields first byte, size and head of each line that is too long.

    Args:
        blocks: The text, in pieces that are shorter than `longest`.
        longest: Bytes that a line may have.
    """
    start = place = 0
    head = b""
    for data in blocks:
        if (end := _first_break(data)) >= 0:
            if place + end - start > longest:
                yield start, place + end - start, (head + data[:end])[:HEAD_BYTES]
            last = max(data.rfind(b"\n"), data.rfind(b"\r"))
            start, head = place + last + 1, data[last + 1 :][:HEAD_BYTES]
        elif len(head) < HEAD_BYTES:
            head = (head + data)[:HEAD_BYTES]
        place += len(data)
    if place - start > longest:
        yield start, place - start, head


def others(blocks: Iterator[bytes], longest: int) -> Iterator[list[bytes]]:
    """Yields all other lines, as many at a time as a block ends; breaks are those that Spark knows."""
    rest = bytearray()
    too_long = False
    for data in blocks:
        begun = len(rest)
        rest += data
        # A return at the end of a block may belong to the newline that begins the next.
        last = max(rest.rfind(b"\n", max(begun - 1, 0)), rest.rfind(b"\r", max(begun - 1, 0), len(rest) - 1))
        if last >= 0:
            lines = bytes(rest[: last + 1]).splitlines()
            yield [line for line in lines[too_long:] if len(line) <= longest]
            too_long = False
            del rest[: last + 1]
        elif len(rest) > longest + 1:
            too_long = True
            del rest[:-1]
    if rest:
        lines = bytes(rest).splitlines()
        yield [line for line in lines[too_long:] if len(line) <= longest]


def _first_break(data: bytes) -> int:
    places = [place for place in (data.find(b"\n"), data.find(b"\r")) if place >= 0]
    return min(places, default=-1)
