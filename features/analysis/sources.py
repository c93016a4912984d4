"""Where rows to analyse come from: any DataFrame, or Parquet files that executors read themselves.

A pass sees the rows as `Chunk`s and asks each for one column at a time. From Parquet a column then costs its own bytes
and nothing else: no row is put together in the JVM and sent to Python.
"""

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from emberline.features import storage
from emberline.features.names import quoted
from emberline.features.parquet import open_parquet

_CHUNK_BYTES = 32 << 20
_SPLIT_BYTES = 128 << 20
_LEAST_SPLIT_BYTES, _LEAST_PART_BYTES = 4 << 20, 16 << 20
"""Of small files a task reads several; larger ones are not cut into smaller parts, of which few hold a row group."""

_SPLITS_PER_CORE = 8
"""Every core gets so many at least, as long as sizes allow it: some take longer than others."""


class Chunk(Protocol):
    """Some of the rows."""

    @property
    def num_rows(self) -> int: ...

    def column(self, name: str) -> pa.ChunkedArray:
        """Returns all values of one column."""


Pass: TypeAlias = Callable[[Iterator[Chunk]], Iterator[pa.RecordBatch]]


@dataclass(frozen=True)
class StoredRows:
    """A folder of Parquet files, on storage that all nodes share.

    Args:
        spark: The session.
        uri: The folder.
    """

    spark: SparkSession
    uri: str

    @cached_property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return self.spark.read.parquet(self.uri).columns


Rows: TypeAlias = DataFrame | StoredRows | pa.Table
"""A table is for few rows: they are looked at in this process, without Spark."""


def column_names(rows: Rows) -> list[str]:
    """Returns the names of the columns."""
    return list(rows.column_names if isinstance(rows, pa.Table) else rows.columns)


def run_pass(rows: DataFrame | StoredRows, columns: Sequence[str], step: Pass, answer: str) -> DataFrame:
    """Runs `step` over all rows, each task with an iterator of its own.

    Args:
        rows: The rows.
        columns: Those that the step asks for.
        step: Picklable.
        answer: Schema of what it yields, as DDL.
    """
    if isinstance(rows, StoredRows):
        files = [entry for entry in storage.list_files(rows.uri, recursive=True) if entry.uri.endswith(".parquet")]
        splits = file_splits(files, rows.spark.sparkContext.defaultParallelism)
        tasks = rows.spark.range(0, len(splits), 1, max(1, len(splits)))
        return tasks.mapInArrow(_OnFiles(step, splits), answer)
    # Names may hold anything, and PySpark stumbles over dots. Arrow batches without any column would forget how many
    # rows they have.
    chosen = [F.col(quoted(name)).alias(f"c{index}") for index, name in enumerate(columns)]
    return rows.select(*chosen, F.lit(True).alias("row")).mapInArrow(_OnBatches(step, tuple(columns)), answer)


@dataclass(frozen=True)
class _OnBatches:
    step: Pass
    columns: tuple[str, ...]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return self.step(table.rename_columns([*self.columns, ""]) for table in _gathered(batches))


def _gathered(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Batches gathered to some 32 MiB: numpy's calls cost less per value, and memory stays bounded."""
    waiting: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        waiting.append(batch)
        size += batch.nbytes
        if size >= _CHUNK_BYTES:
            yield pa.Table.from_batches(waiting)
            waiting, size = [], 0
    if waiting:
        yield pa.Table.from_batches(waiting)


@dataclass(frozen=True)
class ByteRange:
    """Bytes of a file; the row groups whose first byte is among them belong to it.

    Args:
        uri: The file.
        start: The first byte.
        stop: The one behind the last.
        size: Of the whole file when the ranges were planned; None where nobody looked.
    """

    uri: str
    start: int
    stop: int
    size: int | None = None

    def require_planned(self, size: int) -> None:
        """Compares the file's size with the planned one: rows of what came later would be in no range.

        Raises:
            FileChangedError: if they differ.
        """
        if self.size is not None and size != self.size:
            raise FileChangedError(
                f"{self.uri} had {self.size:,} bytes when its reading was planned, and has {size:,} now: somebody is "
                "writing it. Run this again when that is over."
            )


class FileChangedError(OSError):
    """An input that was written while it was read."""


class Splits(Sequence[tuple[ByteRange, ...]]):
    """What each task reads. All of them travel to every task, so each is packed by itself: a task of a hundred thousand
    unpacks its own, not those of the others.

    Args:
        splits: The parts of each task.
    """

    def __init__(self, splits: Iterable[tuple[ByteRange, ...]] = ()) -> None:
        self._packed = tuple(map(pickle.dumps, splits))

    def __len__(self) -> int:
        return len(self._packed)

    def __getitem__(self, number: Any) -> Any:
        found: tuple[ByteRange, ...] = pickle.loads(self._packed[number])
        return found


@dataclass(frozen=True)
class _OnFiles:
    step: Pass
    splits: Sequence[tuple[ByteRange, ...]]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return self.step(chunk for part in parts_of(batches, self.splits) for chunk in _row_groups(part))


def parts_of(batches: Iterator[pa.RecordBatch], splits: Sequence[tuple[ByteRange, ...]]) -> Iterator[ByteRange]:
    """Returns the byte ranges that a task reads, for the numbers of splits that it received.

    The first number is worked on before Spark says that it was the last: that word comes 40 ms later, held back by
    Nagle's algorithm until a delayed acknowledgement.
    """
    return (part for batch in batches for number in batch.column(0).to_pylist() for part in splits[number])


def file_splits(files: Sequence[storage.FileEntry], cores: int, part_bytes: int = 0) -> Splits:
    """Returns the byte ranges of each task of a pass over files: 128 MiB, as in Spark, or less if cores would be idle.

    Args:
        files: The files.
        cores: Those that Spark has.
        part_bytes: Cut files at multiples of this, whatever the cores.
    """
    evenly = sum(file.size for file in files) // (_SPLITS_PER_CORE * cores)
    wanted = min(part_bytes or _SPLIT_BYTES, max(_LEAST_SPLIT_BYTES, evenly))
    largest = part_bytes or max(wanted, _LEAST_PART_BYTES)
    splits: list[tuple[ByteRange, ...]] = []
    waiting: list[ByteRange] = []
    size = 0
    for file in files:
        for start in range(0, max(file.size, 1), largest):
            stop = min(start + largest, file.size)
            waiting.append(ByteRange(file.uri, start, stop, file.size))
            size += stop - start
            if size >= wanted:
                splits.append(tuple(waiting))
                waiting, size = [], 0
    if waiting:
        splits.append(tuple(waiting))
    return Splits(splits)


def _row_groups(part: ByteRange) -> Iterator["_RowGroup"]:
    with storage.open_random(part.uri) as stream:
        part.require_planned(stream.size())
        file = open_parquet(stream)
        for index in groups_of(file, part):
            yield _RowGroup(file, index)


def groups_of(file: pq.ParquetFile, part: ByteRange) -> Iterator[int]:
    """Yields the indexes of the row groups of an open file that belong to a part of it."""
    for index in range(file.metadata.num_row_groups):
        first = file.metadata.row_group(index).column(0)
        offsets = (first.dictionary_page_offset, first.data_page_offset)
        if part.start <= min(offset for offset in offsets if offset is not None) < part.stop:
            yield index


class _RowGroup:
    def __init__(self, file: Any, index: int) -> None:
        self._file = file
        self._index = index

    @property
    def num_rows(self) -> int:
        return int(self._file.metadata.row_group(self._index).num_rows)

    def column(self, name: str) -> pa.ChunkedArray:
        # The tasks of a host share its cores: one thread each.
        return self._file.read_row_group(self._index, columns=[name], use_threads=False).column(name)
