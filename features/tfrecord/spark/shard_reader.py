"""The executor's half of a read: files in, Arrow batches out, damage reported and never hidden."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyspark.accumulators import Accumulator, AccumulatorParam
from pyspark.sql import types as T

from emberline.features.tfrecord.codec.example import ExampleDecoder
from emberline.features.tfrecord.codec.feature_types import UnsupportedColumnError
from emberline.features.tfrecord.codec.framing import DamagedRecordError, RecordReader, Records
from emberline.features.tfrecord.spark.feature_names import require_known, spellings
from emberline.features.tfrecord.spark.options import ReadOptions
from emberline.features.tfrecord.spark.partitions import DataFile, cast_value

Decode = Callable[[Records], pa.RecordBatch]


@dataclass(frozen=True)
class Damage:
    """What `mode=DROPMALFORMED` left out of one file.

    Args:
        uri: The file.
        record: Number of the first record that is missing, counted from 0; all before it were delivered.
        offset: Byte offset of that record in the uncompressed stream.
        reason: What is wrong there.
        skipped_bytes: Bytes from there to the end of the file; None for a compressed file.
        lost_records: Records that are missing according to the manifest; None where no manifest names the file.
    """

    uri: str
    record: int
    offset: int
    reason: str
    skipped_bytes: int | None
    lost_records: int | None


DamageLog = Accumulator[dict[str, Damage]]


class DamageParam(AccumulatorParam[dict[str, Damage]]):
    """Collects damage by file, so that a retried or repeated task counts a file once."""

    def zero(self, value: dict[str, Damage]) -> dict[str, Damage]:
        """Returns an empty log."""
        return {}

    def addInPlace(self, value1: dict[str, Damage], value2: dict[str, Damage]) -> dict[str, Damage]:  # noqa: N802
        """Returns the union of two logs."""
        value1.update(value2)
        return value1


def decoder(record_type: str, schema: pa.Schema) -> Decode:
    """Returns the function that turns records into batches of `schema`.

    Raises:
        UnsupportedColumnError: A column does not exist in the record type.
    """
    if record_type == "Example":
        return ExampleDecoder(schema).decode
    if record_type == "SequenceExample":
        from emberline.features.tfrecord.codec.sequence_example import SequenceExampleDecoder

        return SequenceExampleDecoder(schema).decode
    if len(schema) > 1 or any(field.type not in (pa.binary(), pa.string()) for field in schema):
        columns = ", ".join(f"{field.name}: {field.type}" for field in schema)
        raise UnsupportedColumnError(f"recordType ByteArray reads exactly one binary or string column, got {columns}")

    def unpack(records: Records) -> pa.RecordBatch:
        columns = [records.to_arrow().cast(field.type) for field in schema]
        if not columns:
            return pa.RecordBatch.from_struct_array(pa.array([{}] * len(records), pa.struct([])))
        return pa.RecordBatch.from_arrays(columns, schema=schema)

    return unpack


class ShardReader:
    """Reads files into batches of one schema.

    Args:
        schema: The Spark schema of the result, partition columns included.
        arrow: The same as Spark spells it in Arrow.
        options: How to read.
        damage: Where `DROPMALFORMED` reports to, beside the log of the task.
    """

    def __init__(
        self, schema: T.StructType, arrow: pa.Schema, options: ReadOptions, damage: DamageLog | None = None
    ) -> None:
        self._schema = schema
        self._arrow = arrow
        self._options = options
        self._damage = damage
        self._compressed = False

    def read(self, files: Sequence[DataFile]) -> Iterator[pa.RecordBatch]:
        """Yields all rows of all files.

        Raises:
            DamagedRecordError: In mode FAILFAST, with file, record number and byte offset.
            UnsupportedColumnError: A feature does not fit the schema, or is absent from a column that is not nullable.
        """
        for file in files:
            yield from self._read_file(file)

    def _read_file(self, file: DataFile) -> Iterator[pa.RecordBatch]:
        values = dict(file.values)
        stored = [field for field in self._arrow if field.name not in values]
        schema, kind = pa.schema(stored), self._options.record_type
        decode: Decode | None = None
        constants = {
            name: pa.scalar(cast_value(raw, self._schema[name]), self._arrow.field(name).type)
            for name, raw in values.items()
            if name in self._schema.names
        }
        delivered = 0
        self._compressed = False
        try:
            for records in self._records(file):
                for start in range(0, len(records), self._options.batch_rows):
                    piece = records.slice(start, start + self._options.batch_rows)
                    first = decode is None
                    decode = decode or self._decoder(schema, piece, file.path)
                    batch, error = _decode(decode, piece)
                    if batch is not None:
                        if first and kind != "ByteArray":
                            require_known(batch, piece, kind, file.path)
                        delivered += batch.num_rows
                        yield self._complete(batch, constants, file.path)
                    if error is not None:
                        raise error
        except DamagedRecordError as error:
            if self._options.mode == "FAILFAST":
                raise
            self._report(file, error, delivered)

    def _decoder(self, schema: pa.Schema, records: Records, path: str) -> Decode:
        """Columns by the names that the file's features have, which may differ by case if the options say so."""
        kind = self._options.record_type
        if self._options.case_sensitive or kind == "ByteArray":
            return decoder(kind, schema)
        names = spellings(records, schema, path)
        decode = decoder(kind, pa.schema([field.with_name(names[field.name]) for field in schema]))
        return lambda piece: decode(piece).rename_columns(schema.names)

    def _records(self, file: DataFile) -> Iterator[Records]:
        reader, end = RecordReader(file.path), 0
        try:
            for records in reader:
                end = records.first_offset + int(records.starts[-1] + records.lengths[-1]) + 4  # behind the checksum
                yield records
        except DamagedRecordError:
            self._compressed = reader.codec in ("gzip", "zlib")
            raise
        except FileNotFoundError:
            reason = "the file is gone" + (", but the manifest names it" if file.expected is not None else "")
            raise DamagedRecordError(reason, uri=file.path, record=0, offset=0) from None
        if file.expected is not None and reader.records != file.expected:
            raise DamagedRecordError(
                f"the file holds {reader.records} records, its manifest says {file.expected}; if the change is meant, "
                "delete manifest.json",
                uri=file.path,
                record=reader.records,
                offset=end,
            )

    def _complete(self, batch: pa.RecordBatch, constants: dict[str, pa.Scalar], path: str) -> pa.RecordBatch:
        columns: list[Any] = []
        for field in self._arrow:
            if field.name in constants:
                columns.append(pa.repeat(constants[field.name], batch.num_rows))
            else:
                columns.append(batch.column(batch.schema.get_field_index(field.name)))
            if not field.nullable and columns[-1].null_count:
                raise UnsupportedColumnError(
                    f"{path}: column {field.name!r} of type {field.type} is absent from a record, but the schema says "
                    "it is never null; declare it nullable."
                )
        return pa.RecordBatch.from_arrays(columns, schema=self._arrow)

    def _report(self, file: DataFile, error: DamagedRecordError, delivered: int) -> None:
        lost = None if file.expected is None else max(0, file.expected - delivered)
        skipped = None if self._compressed else max(0, file.size - error.offset)
        found = Damage(file.path, error.record, error.offset, error.reason, skipped, lost)
        # Spark shows a worker's stderr in the log of the executor.
        print(f"tfrecord: DROPMALFORMED left out the rest of {error}", file=sys.stderr, flush=True)
        if self._damage is not None:
            self._damage.add({file.path: found})


def _decode(decode: Decode, records: Records) -> tuple[pa.RecordBatch | None, DamagedRecordError | None]:
    """The rows before the first record that cannot be decoded, and that record's error."""
    try:
        return decode(records), None
    except DamagedRecordError as error:
        whole = error.record - records.first_record
        return (decode(records.slice(0, whole)) if whole else None), error
