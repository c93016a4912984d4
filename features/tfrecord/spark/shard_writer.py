"""The executor's half of a write: Arrow batches in, finished files in the staging folder out.

One `ShardWriter` belongs to one task attempt. It splits rows by partition directory, encodes, and starts a new file
when the target size is reached. Nothing it writes is visible to readers: `emberline.features.tfrecord.spark.commit`
publishes the files of the attempts that won.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from emberline.features import storage
from emberline.features.tfrecord.codec.example import ExampleEncoder
from emberline.features.tfrecord.codec.feature_types import UnsupportedColumnError
from emberline.features.tfrecord.codec.framing import CODEC_SUFFIX, RecordWriter, check_codec, frame_records
from emberline.features.tfrecord.spark.options import WriteOptions
from emberline.features.tfrecord.spark.partitions import directory
from emberline.features.tfrecord.spark.shard_manifest import ROWS_PER_BLOCK

# Rows are encoded in slices of about this many Arrow bytes: large enough to amortise the calls, small enough that
# the encoded copy stays in the processor's cache and a batch of huge rows does not double the memory.
_SLICE_BYTES = 1 << 20

# Stands in a staging folder while its job runs. The folder itself cannot tell: whoever opens a file in it makes it.
_RUNNING = "_RUNNING"

Encode = Callable[[pa.RecordBatch], tuple[memoryview, npt.NDArray[np.int64] | None]]


class StagingGoneError(RuntimeError):
    """The job is over (committed or aborted), but this task attempt is still running."""


@dataclass(frozen=True)
class StagedFile:
    """One finished file in the staging folder.

    Args:
        uri: Where it is now.
        directory: Where it belongs, relative to the target: `day=2024-01-02`, or "" without partitions.
        task: Number of the Spark partition it came from.
        sequence: Number of the file within that partition and directory.
        records: Records in it.
        bytes: Size as stored.
        crc32c: Checksum of the stored bytes.
        blocks: See `emberline.features.tfrecord.manifest.Shard`.
    """

    uri: str
    directory: str
    task: int
    sequence: int
    records: int
    bytes: int
    crc32c: int
    blocks: tuple[tuple[int, int], ...] = ()


def open_staging(uri: str) -> None:
    """Makes a staging folder that accepts task attempts; existing is fine."""
    storage.write_bytes_atomic(storage.join(uri, _RUNNING), b"")


def remove_staging(uri: str) -> None:
    """Removes a staging folder permanently: attempts that still run remove what they add to it from now on."""
    storage.delete(storage.join(uri, _RUNNING))
    for last in (False, False, True):
        try:
            storage.delete(uri)
            return
        except OSError:  # a late attempt has added or removed a file at the same moment
            if last:
                raise


def file_suffix(codec: str) -> str:
    """Returns `.tfrecord`, `.tfrecord.gz` or `.tfrecord.zz`."""
    return ".tfrecord" + CODEC_SUFFIX[check_codec(codec)]


def encoder(record_type: str, schema: pa.Schema) -> Encode:
    """Returns the function that turns batches of `schema` into framed records, and tells the end of each where that is
    known.

    Raises:
        UnsupportedColumnError: A column does not fit into the record type.
    """
    if record_type == "Example":
        return ExampleEncoder(schema).encode_with_ends
    if record_type == "SequenceExample":
        from emberline.features.tfrecord.codec.sequence_example import SequenceExampleEncoder

        return SequenceExampleEncoder(schema).encode_with_ends
    if len(schema) != 1 or not _is_binary(schema.field(0).type):
        columns = ", ".join(f"{field.name}: {field.type}" for field in schema)
        raise UnsupportedColumnError(
            f"recordType ByteArray writes exactly one binary or string column, got {columns or 'none'}; "
            "select it first."
        )

    def frame(batch: pa.RecordBatch) -> tuple[memoryview, None]:
        if batch.column(0).null_count:
            raise UnsupportedColumnError(
                f"Column {schema.names[0]!r} has a null, but a ByteArray record cannot be absent; filter nulls first."
            )
        return frame_records(batch.column(0)), None

    return frame


def _is_binary(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_string(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_large_string(kind)
    )


@dataclass
class _Shard:
    writer: RecordWriter
    sequence: int
    records: int = 0
    raw_bytes: int = 0
    block_ends: list[int] = field(default_factory=list)

    def add(self, rows: int, frames: memoryview, ends: npt.NDArray[np.int64] | None) -> None:
        """Appends `rows` records."""
        if ends is not None and self.writer.codec is None:
            first = -self.records % ROWS_PER_BLOCK
            self.block_ends += (ends[(first or ROWS_PER_BLOCK) - 1 :: ROWS_PER_BLOCK] + self.raw_bytes).tolist()
        self.writer.write(frames)
        self.records += rows
        self.raw_bytes += len(frames)

    def blocks(self) -> tuple[tuple[int, int], ...]:
        """Returns run lengths of the block sizes; call it when the file is complete."""
        if not self.block_ends and (self.writer.codec or self.records >= ROWS_PER_BLOCK):
            return ()
        ends = [0, *self.block_ends]
        if ends[-1] < self.raw_bytes:
            ends.append(self.raw_bytes)
        return tuple((len(list(run)), size) for size, run in groupby(np.diff(ends).tolist()))


class ShardWriter:
    """Writes one task attempt's rows.

    Args:
        staging: The job's staging folder; the attempt gets its own folder in it.
        options: How to write.
        task: Number of the Spark partition.
    """

    def __init__(self, staging: str, options: WriteOptions, task: int) -> None:
        self._staging = staging
        self._options = options
        self._task = task
        self._folder = storage.join(staging, f"task-{task:05d}-{uuid.uuid4().hex}")
        self._open: dict[str, _Shard] = {}
        self._sequences: dict[str, int] = {}
        self._done: list[StagedFile] = []
        self._encode: Encode | None = None

    def write(self, batches: Iterable[pa.RecordBatch]) -> list[StagedFile]:
        """Writes all rows; on any failure the attempt's files are removed and the error goes on.

        Raises:
            UnsupportedColumnError: A value does not fit into the format.
            StagingGoneError: The job ended while this attempt was still running.
        """
        try:
            for batch in batches:
                for folder, rows in self._split(batch):
                    self._append(folder, rows)
            for folder in list(self._open):
                self._close(folder)
        except BaseException:
            self._discard()
            raise
        return self._done

    def _split(self, batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Yields rows by partition directory, in their order."""
        names = self._options.partition_by
        if not names:
            yield "", batch
            return
        codes = np.zeros(batch.num_rows, np.int64)
        dictionaries = []
        for name in names:
            encoded = pc.dictionary_encode(batch.column(name), null_encoding="encode")
            dictionaries.append(encoded.dictionary)
            codes = codes * max(1, len(encoded.dictionary)) + encoded.indices.to_numpy()
        order = np.argsort(codes, kind="stable")
        starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
        data = batch.drop_columns(list(names))
        for begin, stop in zip(starts, [*starts[1:], batch.num_rows], strict=True):
            code, values = int(codes[order[begin]]), []
            for dictionary in reversed(dictionaries):
                code, index = divmod(code, max(1, len(dictionary)))
                values.append(dictionary[index].as_py())
            rows = data if stop - begin == batch.num_rows else data.take(pa.array(order[begin:stop]))
            yield directory(names, values[::-1]), rows

    def _append(self, folder: str, rows: pa.RecordBatch) -> None:
        if self._encode is None:
            self._encode = encoder(self._options.record_type, rows.schema)
        position = 0
        per_slice = max(1, rows.num_rows * _SLICE_BYTES // max(1, rows.nbytes))
        while position < rows.num_rows:
            shard = self._open.get(folder) or self._start(folder)
            count = min(per_slice, rows.num_rows - position, *self._room(shard))
            shard.add(count, *self._encode(rows.slice(position, count)))
            position += count
            if not all(self._room(shard)):
                self._close(folder)

    def _room(self, shard: _Shard) -> list[int]:
        """Returns rows that still fit into the file by each limit that is set; 0 once it is full."""
        room, options = [], self._options
        if options.shard_records:
            room.append(options.shard_records - shard.records)
        if options.shard_bytes:
            # The size of the next rows is unknown: the first slice is small, then the average so far decides.
            average = shard.raw_bytes / shard.records if shard.records else options.shard_bytes / 64
            left = options.shard_bytes - shard.raw_bytes
            room.append(max(1, int(left / max(average, 1))) if left > 0 else 0)
        return room

    def _start(self, folder: str) -> _Shard:
        if len(self._open) >= self._options.max_open_files:
            # The directory that has waited longest; rows that still come for it start another file.
            self._close(next(iter(self._open)))
        self._check_running()
        sequence = self._sequences.get(folder, 0)
        self._sequences[folder] = sequence + 1
        name = f"{sequence:05d}" + file_suffix(self._options.codec)
        uri = storage.join(self._folder, *([folder] if folder else []), name)
        self._open[folder] = _Shard(RecordWriter(uri, self._options.codec), sequence)
        # Once more: if the job has ended in between, this file has brought the folder back.
        self._check_running()
        return self._open[folder]

    def _check_running(self) -> None:
        if not storage.exists(storage.join(self._staging, _RUNNING)):
            raise StagingGoneError(
                f"The staging folder {self._staging} is gone: the job has ended, or the path is not "
                "shared by all nodes."
            )

    def _close(self, folder: str) -> None:
        shard = self._open.pop(folder)
        shard.writer.close()
        writer = shard.writer
        done = (writer.uri, folder, self._task, shard.sequence, shard.records, writer.bytes, writer.crc32c)
        self._done.append(StagedFile(*done, shard.blocks()))

    def _discard(self) -> None:
        for shard in self._open.values():
            shard.writer.__exit__(RuntimeError, None, None)
        self._open.clear()
        storage.delete(self._folder)
        if storage.exists(self._staging) and not storage.list_files(self._staging, recursive=True):
            storage.delete(self._staging)
