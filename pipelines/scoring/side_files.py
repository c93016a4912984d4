"""What a task of scoring leaves beside its predictions: rows that were put aside, and a sample of those scored.

A task names its files by its partition and renames them when they are whole, so that a task that is run again
replaces them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from emberline.features import storage

ASIDE, SAMPLE = "aside", "sample"
LEVEL = "_level"
"""Column of the sample: about one row in 2 ** level has this level or a higher one."""


class Aside:
    """Writes the rows that a task could not score; no file if there are none.

    Args:
        folder: URI of all side files.
        partition: Number of the task's partition.
        attempt: Number that no other attempt has.
    """

    def __init__(self, folder: str, partition: int, attempt: int) -> None:
        self._final = storage.join(folder, ASIDE, f"part-{partition:05d}.parquet")
        self._passing = storage.join(folder, ASIDE, f".part-{partition:05d}-{attempt}")
        self._writer: Any = None
        self._stream: Any = None

    def add(self, rows: pa.RecordBatch) -> None:
        """Writes rows; all with the same columns."""
        table = plain(rows)
        if self._writer is None:
            self._stream = storage.open_output(self._passing)
            self._writer = pq.ParquetWriter(self._stream, table.schema)
        self._writer.write_table(table)

    def close(self) -> None:
        """Closes the file and gives it its final name."""
        if self._writer is not None:
            self._writer.close()
            self._stream.close()
            storage.move(self._passing, self._final)


class Sample:
    """Keeps a sample of all rows that come by, of at most so many rows, each row as likely as any other.

    A row's level is the number of zeros at the end of a hash of its place; whenever there are too many rows, the
    lowest level is dropped. Samples of several tasks are one sample above the highest of their levels.

    Args:
        most: Rows to keep.
        seed: Different in every task.
    """

    def __init__(self, most: int, seed: int) -> None:
        self._most = most
        self._seed = np.uint64(seed)
        self._seen = self._kept = 0
        self.level = 0
        self._parts: list[pa.Table] = []

    def add(self, rows: pa.RecordBatch) -> None:
        """Samples further rows."""
        places = np.arange(self._seen, self._seen + rows.num_rows, dtype=np.uint64)
        self._seen += rows.num_rows
        levels = _levels(places ^ (self._seed << np.uint64(40)))
        while self._kept + np.count_nonzero(levels >= self.level) > self._most:
            self.level += 1
            self._parts = [part.filter(pa.array(np.asarray(part[LEVEL]) >= self.level)) for part in self._parts]
            self._kept = sum(part.num_rows for part in self._parts)
        chosen = np.flatnonzero(levels >= self.level)
        if len(chosen):
            part = _wide(rows.take(pa.array(chosen)))
            self._parts.append(part.append_column(LEVEL, pa.array(levels[chosen])))
            self._kept += len(chosen)

    def write(self, folder: str, partition: int) -> None:
        """Leaves the sample as a file that says in its name what is in it."""
        if self._kept:
            sink = pa.BufferOutputStream()
            # Dictionaries of numbers, which rarely repeat, would take longer than everything else.
            pq.write_table(pa.concat_tables(self._parts), sink, use_dictionary=False)
            name = f"part-{partition:05d}-level-{self.level}-rows-{self._kept}.parquet"
            storage.write_bytes_atomic(storage.join(folder, SAMPLE, name), sink.getvalue().to_pybytes())


@dataclass(frozen=True)
class Samples:
    """The samples of all tasks.

    Args:
        files: URIs of the files of those that have rows.
        level: Rows of this level or a higher one are one sample of everything.
    """

    files: tuple[str, ...]
    level: int

    @classmethod
    def of(cls, folder: str, most: int) -> "Samples | None":
        """Returns those in a folder of side files, as one sample of some `most` rows; None if there are none."""
        found = {}
        for entry in storage.list_files(storage.join(folder, SAMPLE)):
            if named := re.fullmatch(r"part-\d+-level-(\d+)-rows-(\d+)\.parquet", entry.uri.rpartition("/")[2]):
                found[entry.uri] = (int(named[1]), int(named[2]))
        if not found:
            return None
        level = max(one for one, _ in found.values())
        while sum(rows / 2 ** (level - one) for one, rows in found.values()) > most:
            level += 1
        return cls(tuple(found), level)

    def rows(self, spark: SparkSession) -> pa.Table:
        """Returns the rows of the sample, which are few. Executors read the files: of many tasks there are many."""
        tasks = min(len(self.files), spark.sparkContext.defaultParallelism)
        chosen = spark.range(0, tasks, 1, tasks).mapInArrow(_Chosen(self.files, self.level, tasks), "rows binary")
        return pa.concat_tables(
            [pa.ipc.open_stream(part.as_buffer()).read_all() for part in chosen.toArrow().column(0)]
        )


@dataclass(frozen=True)
class _Chosen:
    """Runs in an executor: each task reads every so many-th file."""

    files: tuple[str, ...]
    level: int
    tasks: int

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for task in (number for batch in batches for number in batch.column(0).to_pylist()):
            parts = []
            for uri in self.files[task :: self.tasks]:
                with storage.open_random(uri) as stream:
                    rows = pq.read_table(stream, use_threads=False)
                parts.append(rows.filter(pa.array(np.asarray(rows[LEVEL]) >= self.level)).drop_columns(LEVEL))
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, parts[0].schema) as writer:
                writer.write_table(pa.concat_tables(parts))
            yield pa.record_batch({"rows": pa.array([bytes(sink.getvalue())], pa.binary())})


def plain(rows: pa.RecordBatch | pa.Table) -> pa.Table:
    """Returns the rows with texts as texts, not encoded: dictionaries differ from batch to batch."""
    table = pa.Table.from_batches([rows]) if isinstance(rows, pa.RecordBatch) else rows
    for index, column in enumerate(table.schema):
        if pa.types.is_dictionary(column.type):
            table = table.set_column(index, column.name, table.column(index).cast(column.type.value_type))
    return table


def _wide(rows: pa.RecordBatch) -> pa.Table:
    """Returns the same with numbers in lists of 64 bits: files of one table may have them of several widths."""
    table = plain(rows)
    for index, column in enumerate(table.schema):
        if pa.types.is_list(column.type) and not pa.types.is_string(column.type.value_type):
            kind = pa.int64() if pa.types.is_integer(column.type.value_type) else pa.float64()
            table = table.set_column(index, column.name, table.column(index).cast(pa.list_(kind)))
    return table


def _levels(places: npt.NDArray[np.uint64]) -> npt.NDArray[np.int8]:
    """Returns zeros at the end of a hash of each place (the finaliser of SplitMix64; Steele, Lea and Flood, 2014)."""
    with np.errstate(over="ignore"):
        mixed = places + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed = mixed ^ (mixed >> np.uint64(31))
        lowest = mixed & (~mixed + np.uint64(1))
    # The lowest bit that is set is a power of two, which floats hold exactly.
    return np.where(lowest == 0, 64, np.log2(np.maximum(lowest, 1).astype(np.float64))).astype(np.int8)
