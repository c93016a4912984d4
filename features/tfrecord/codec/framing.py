"""TFRecord files as streams of framed records: reading with bounded memory, writing, codecs, damage.

A file is a sequence of frames: length (u64), masked CRC-32C of the length, data, masked CRC-32C of the data, all
little-endian; with a codec the whole sequence is one gzip or zlib stream
(https://www.tensorflow.org/tutorials/load_data/tfrecord).
"""

import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emberline.features import storage
from emberline.features.tfrecord.codec.compiled import kernel

Codec = Literal["gzip", "zlib"]
CODECS: tuple[Codec, ...] = ("gzip", "zlib")
CODEC_SUFFIX = {None: "", "gzip": ".gz", "zlib": ".zz"}
_WINDOW_BITS = {"gzip": 31, "zlib": 15}
_LEVEL = 6  # zlib's and TensorFlow's default
_LONG_BYTES = 16 << 20
"""A record of so many bytes is waited for without a look at whether it can be."""

_PROTOBUF_BYTES = (1 << 31) + 15
"""What protocol buffers allow in a message, and its frame."""

_READ_BYTES = 1 << 24
_FRAME_BYTES = 16

Int64Array: TypeAlias = npt.NDArray[np.int64]
ByteArray: TypeAlias = npt.NDArray[np.uint8]


class DamagedRecordError(ValueError):
    """A record that cannot be read: `uri`, `record` (counted from 0), `offset` (in the uncompressed stream)."""

    def __init__(self, reason: str, *, uri: str, record: int, offset: int) -> None:
        super().__init__(f"{uri}: record {record} at byte {offset}: {reason}")
        self.reason = reason
        self.uri = uri
        self.record = record
        self.offset = offset

    def __reduce__(self) -> tuple[object, ...]:  # executors send it to the driver
        return _restore_error, (self.reason, self.uri, self.record, self.offset)


def _restore_error(reason: str, uri: str, record: int, offset: int) -> DamagedRecordError:
    return DamagedRecordError(reason, uri=uri, record=record, offset=offset)


@dataclass
class Records:
    """Serialized records in one buffer, with where they come from.

    Attributes:
        buffer: bytes, uint8.
        starts, lengths: position and size of each record in `buffer`, int64.
        uri: the file, or what stands for it in errors.
        first_record: number of the first of them in the file.
        first_offset: byte offset of `buffer` in the uncompressed stream.
    """

    buffer: ByteArray
    starts: Int64Array
    lengths: Int64Array
    uri: str = "<memory>"
    first_record: int = 0
    first_offset: int = 0

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: int) -> bytes:
        start = int(self.starts[index])
        return self.buffer[start : start + int(self.lengths[index])].tobytes()

    def slice(self, start: int, stop: int) -> "Records":
        """Returns the records `start <= i < stop`, without copying."""
        starts, lengths = self.starts[start:stop], self.lengths[start:stop]
        return Records(self.buffer, starts, lengths, self.uri, self.first_record + start, self.first_offset)

    def error(self, index: int, reason: str) -> DamagedRecordError:
        """Returns the exception for record `index` of this batch."""
        offset = self.first_offset + max(0, int(self.starts[index]) - 12)
        return DamagedRecordError(reason, uri=self.uri, record=self.first_record + index, offset=offset)

    def to_arrow(self) -> pa.Array:
        """Returns the records as a large_binary array (one copy)."""
        offsets = np.zeros(len(self) + 1, np.int64)
        np.cumsum(self.lengths, out=offsets[1:])
        pieces = [self.buffer[s : s + n] for s, n in zip(self.starts.tolist(), self.lengths.tolist(), strict=True)]
        data = np.concatenate(pieces) if pieces else np.zeros(0, np.uint8)
        return pa.LargeBinaryArray.from_buffers(
            pa.large_binary(), len(self), [None, pa.py_buffer(offsets), pa.py_buffer(data)]
        )

    @classmethod
    def of(cls, records: "Records | pa.Array | pa.ChunkedArray | Sequence[bytes]") -> "Records":
        """Returns the records of an Arrow binary array (nulls are refused) or a sequence of bytes, or Records as is."""
        if isinstance(records, Records):
            return records
        if isinstance(records, pa.ChunkedArray):
            records = records.combine_chunks()
        if not isinstance(records, pa.Array):
            records = pa.array(records, pa.large_binary())
        if records.null_count:
            raise ValueError(
                f"{records.null_count} of {len(records)} serialized records are null; filter them out first."
            )
        array = records.cast(pa.large_binary())
        offsets = np.frombuffer(array.buffers()[1] or b"\0" * 8, np.int64)[array.offset : array.offset + len(array) + 1]
        data = array.buffers()[2]
        buffer = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(0, np.uint8)
        return cls(buffer, offsets[:-1].copy(), np.diff(offsets))


def address(array: npt.NDArray[Any]) -> int:
    """Returns the memory address of a contiguous array, for the kernels."""
    return int(array.__array_interface__["data"][0])


def crc32c(data: bytes | memoryview | pa.Buffer | npt.NDArray[Any], crc: int = 0) -> int:
    """Returns the CRC-32C of `data`, continued from `crc`."""
    view = np.frombuffer(data, np.uint8)
    return kernel("crc32c")(address(view), view.size, crc) if view.size else crc


def frame_records(records: Records | pa.Array | Sequence[bytes]) -> memoryview:
    """Wraps serialized records into frames."""
    records = Records.of(records)
    out = np.empty(int(records.lengths.sum()) + _FRAME_BYTES * len(records), np.uint8)
    starts, lengths = np.ascontiguousarray(records.starts), np.ascontiguousarray(records.lengths)
    kernel("frame_records")(address(records.buffer), address(starts), address(lengths), len(records), address(out))
    return out.data


def scan_buffer(data: bytes | pa.Buffer, *, uri: str, first_record: int, offset: int) -> Records:
    """Returns all records of a byte range that begins and ends with a frame.

    Raises:
        DamagedRecordError: the range holds anything else.
    """
    buffer = np.frombuffer(data, np.uint8)
    starts, lengths = np.empty((2, buffer.size // _FRAME_BYTES + 1), np.int64)
    info = np.zeros(3, np.int64)
    count = kernel("scan_frames")(
        address(buffer), buffer.size, 1, address(starts), address(lengths), starts.size, address(info)
    )
    consumed, status, _ = info.tolist()
    if consumed != buffer.size:
        reason = {0: "is cut", 1: "has a length with a wrong checksum", 2: "has data with a wrong checksum"}[status]
        raise DamagedRecordError(f"the record {reason}", uri=uri, record=first_record + count, offset=offset + consumed)
    return Records(buffer, starts[:count], lengths[:count], uri, first_record, offset)


def check_codec(codec: str | None) -> Codec | None:
    """Returns the codec as this module names it; "", "none", "GZIP" and the like are accepted.

    Raises:
        ValueError: an unknown codec.
    """
    name = (codec or "none").lower()
    if name in ("none", "uncompressed"):
        return None
    for known in CODECS:
        if name == known:
            return known
    raise ValueError(f"Codec {codec!r} is not known; use none, gzip or zlib.")


@dataclass
class RecordReader:
    """Iterates over the records of one file in batches of bounded size.

    Memory: two buffers of `read_bytes`, or of the largest record where that is more.

    Args:
        uri: the file.
        codec: None, "gzip", "zlib", or "auto" to recognise it by the first bytes.
        on_damage: "fail" raises `DamagedRecordError`; "skip_rest" ends the iteration at the first damage of the file
            and keeps the error in `damage`.
        most_bytes: Of one record of a compressed file, in which a megabyte may stand for a gigabyte.
        check_crc: also verify the checksum of the data (that of the length is always verified).

    Attributes:
        records: records delivered so far.
        damage: the error that ended the file early, or None.
        skipped_bytes: size of the stored file when it was damaged minus what had been read whole; 0 otherwise. Of a
            compressed file, an estimate: the compressed bytes that had not been read yet.
    """

    uri: str
    codec: str | None = "auto"
    on_damage: Literal["fail", "skip_rest"] = "fail"
    check_crc: bool = True
    read_bytes: int = _READ_BYTES
    batch_records: int = 1 << 16
    most_bytes: int = 512 << 20
    records: int = field(default=0, init=False)
    damage: DamagedRecordError | None = field(default=None, init=False)
    skipped_bytes: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.on_damage not in ("fail", "skip_rest"):
            raise ValueError(f"on_damage is {self.on_damage!r}; use 'fail' or 'skip_rest'")
        if self.codec != "auto":
            self.codec = check_codec(self.codec)

    def __iter__(self) -> Iterator[Records]:
        self.records = 0
        self.damage = None
        self.skipped_bytes = 0
        offset = 0
        try:
            with storage.open_input(self.uri) as stream:
                for batch, end in self._batches(_Source(stream, self.codec, self.read_bytes)):
                    offset = end
                    if len(batch):
                        self.records += len(batch)
                        yield batch
        except DamagedRecordError as error:
            if self.on_damage == "fail":
                raise
            self.damage = error
            self.skipped_bytes = max(0, storage.file_size(self.uri) - (offset if self.codec is None else 0))

    def _batches(self, source: "_Source") -> Iterator[tuple[Records, int]]:
        """Yields batches with the offset behind them."""
        scan = kernel("scan_frames")
        offset = 0  # of the pending bytes in the uncompressed stream
        number = 0
        pending = np.zeros(0, np.uint8)
        wanted = 0
        while True:
            self._require_possible(source, wanted, number, offset)
            try:
                pending = source.more(pending, wanted)
            except zlib.error as error:
                raise DamagedRecordError(
                    f"the {source.codec} stream is damaged ({error})", uri=self.uri, record=number, offset=offset
                ) from error
            self.codec = source.codec
            info = np.zeros(3, np.int64)
            position = 0
            while True:
                capacity = min(self.batch_records, (pending.size - position) // _FRAME_BYTES + 1)
                starts, lengths = np.empty(capacity, np.int64), np.empty(capacity, np.int64)
                count = scan(
                    address(pending) + position,
                    pending.size - position,
                    int(self.check_crc),
                    address(starts),
                    address(lengths),
                    capacity,
                    address(info),
                )
                consumed, status, wanted = info.tolist()
                piece = pending[position : position + consumed]
                yield (
                    Records(piece, starts[:count], lengths[:count], self.uri, number, offset + position),
                    offset + position + consumed,
                )
                number += count
                position += consumed
                if status or count < capacity:
                    break
            if status:
                raise self._checksum_error(status, number, offset + position)
            pending = pending[position:]
            offset += position
            if source.ended:
                if pending.size:
                    raise DamagedRecordError(
                        f"the file ends inside this record: {pending.size} bytes are left"
                        + (f", the record needs {wanted}" if wanted else ", a header needs 12"),
                        uri=self.uri,
                        record=number,
                        offset=offset,
                    )
                if source.cut:
                    raise DamagedRecordError(
                        f"the {source.codec} stream ends too early", uri=self.uri, record=number, offset=offset
                    )
                return

    def _require_possible(self, source: "_Source", wanted: int, number: int, offset: int) -> None:
        """Refuses a record whose length, checksum and all, is more than there can be, before it is waited for.

        Raises:
            DamagedRecordError: if it is longer than protocol buffers allow, than the rest of its file, or than a
                compressed record may be.
        """
        if wanted <= _LONG_BYTES:
            return
        most = self.most_bytes if source.codec else storage.file_size(self.uri) - offset
        if wanted > min(most, _PROTOBUF_BYTES):
            raise DamagedRecordError(
                f"the record says that it takes {wanted:,} bytes, and at most {min(most, _PROTOBUF_BYTES):,} are "
                + ("allowed in a compressed file" if source.codec else "there or allowed"),
                uri=self.uri,
                record=number,
                offset=offset,
            )

    def _checksum_error(self, status: int, number: int, offset: int) -> DamagedRecordError:
        reason = "the checksum of the data is wrong"
        if status == 1:
            reason = "the checksum of the length is wrong"
            if number == 0:
                reason += "; this is no TFRecord file, or it needs another codec"
        return DamagedRecordError(reason, uri=self.uri, record=number, offset=offset)


class _Source:
    """The uncompressed bytes of a stream, appended to what the reader still holds."""

    def __init__(self, stream: pa.NativeFile, codec: str | None, read_bytes: int) -> None:
        self.stream = stream
        self.read_bytes = read_bytes
        self.ended = False
        self.cut = False
        first = stream.read(max(read_bytes, 16))  # recognising the codec needs 12 bytes
        self.codec = detect_codec(first) if codec == "auto" else codec
        self._rest: bytes = first
        self._inflate: Any = None  # zlib's class of decompressors is private

    def more(self, pending: ByteArray, wanted: int) -> ByteArray:
        """Returns `pending` and at least one more read, or as many as `wanted` bytes need; sets `ended` at the end."""
        pieces = [pending]
        size = pending.size
        goal = max(wanted, size + 1)
        while size < goal and not self.ended:
            piece = self._raw() if self.codec is None else self._decompressed()
            if piece:
                pieces.append(np.frombuffer(piece, np.uint8))
                size += len(piece)
        filled = [piece for piece in pieces if piece.size]
        if len(filled) == 1:
            return filled[0]
        return np.concatenate(filled) if filled else pending

    def _raw(self) -> bytes:
        piece = self._rest or self.stream.read(self.read_bytes)
        self._rest = b""
        self.ended = not piece
        return piece

    def _decompressed(self) -> bytes:
        data = self._rest or self.stream.read(self.read_bytes)
        self._rest = b""
        if not data:
            # zlib may hold output that did not fit into the last piece
            piece = self._inflate.decompress(b"", self.read_bytes) if self._inflate else b""
            self.ended = not piece
            self.cut = self.ended and self._inflate is not None and not self._inflate.eof
            return piece
        if self._inflate is None or self._inflate.eof:  # the first or the next member of a concatenated gzip file
            self._inflate = zlib.decompressobj(_WINDOW_BITS[str(self.codec)])
        piece = self._inflate.decompress(data, self.read_bytes)
        self._rest = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
        return piece


def detect_codec(head: bytes) -> Codec | None:
    """Returns the codec of a file by its first bytes; a valid frame header means none."""
    view = np.frombuffer(head, np.uint8)
    if view.size >= 12 and _masked(crc32c(view[:8])) == int.from_bytes(head[8:12], "little"):
        return None
    if head[:3] == b"\x1f\x8b\x08":
        return "gzip"
    if len(head) >= 2 and head[0] & 15 == 8 and head[0] >> 4 <= 7 and int.from_bytes(head[:2], "big") % 31 == 0:
        return "zlib"
    return None


def _masked(crc: int) -> int:
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


class RecordWriter:
    """Writes framed bytes to a file, compressing on the way and keeping size and CRC-32C of what is stored.

    Attributes:
        bytes: bytes of the stored file so far (final after `close`).
        crc32c: CRC-32C of them.
    """

    def __init__(self, uri: str | os.PathLike[str], codec: str | None = None) -> None:
        self.uri = os.fspath(uri)
        self.codec = check_codec(codec)
        self.bytes = 0
        self.crc32c = 0
        self._stream = storage.open_output(self.uri)
        self._deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW_BITS[self.codec]) if self.codec else None

    def write(self, frames: bytes | memoryview) -> None:
        """Appends frames, as made by `frame_records` or `encode_examples`."""
        self._store(self._deflate.compress(frames) if self._deflate else frames)

    def _store(self, data: bytes | memoryview) -> None:
        if len(data):
            self._stream.write(data)
            self.bytes += len(data)
            self.crc32c = crc32c(data, self.crc32c)

    def close(self) -> None:
        """Finishes the file; `bytes` and `crc32c` are final after this."""
        if not self._stream.closed:
            if self._deflate:
                self._store(self._deflate.flush())
            self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._stream.close()


def write_records(
    uri: str | os.PathLike[str], batches: Iterable[Records | pa.Array | Sequence[bytes]], codec: str | None = None
) -> RecordWriter:
    """Writes serialized records as one file; returns the closed writer, which knows its size and checksum."""
    with RecordWriter(uri, codec) as writer:
        for batch in batches:
            writer.write(frame_records(batch))
    return writer
