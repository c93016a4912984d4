"""Schema inference: what a bounded number of records says about columns and types.

| seen in the records | column |
|---|---|
| int64_list | long |
| float_list, or int64_list in some records and float_list in others | float |
| bytes_list, all of it UTF-8 | string |
| bytes_list otherwise | binary |
| never more than one value | scalar |
| more than one value in any record | array |
| feature lists of a SequenceExample | array of arrays |

Every column is nullable: that a feature was present in the records read says nothing about the others.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pyspark.sql import types as T

from emberline.features.errors import BadInputError
from emberline.features.tfrecord.codec.framing import DamagedRecordError, RecordReader
from emberline.features.tfrecord.spark.messages import LENGTH, MalformedError, entries, fields, wire_fields
from emberline.features.tfrecord.spark.partitions import DataFile

logger = logging.getLogger(__name__)

_MAX_FILES = 16
_HEAD_BYTES = 1 << 20  # of a file, at a time: inference wants few records of many files


class SchemaInferenceError(BadInputError):
    """Records that give no schema, or contradict each other."""


@dataclass(frozen=True)
class Inference:
    """A schema and what it rests on.

    Args:
        schema: Columns in alphabetical order: a protobuf map has none.
        records: Records that were read.
        files: Files they came from.
        files_total: Files there are.
    """

    schema: T.StructType
    records: int
    files: int
    files_total: int

    def report(self) -> str:
        """Returns one line for people."""
        return (
            f"tfrecord: inferred {len(self.schema)} columns from {self.records} records of {self.files} "
            f"(of {self.files_total}) files; pass .schema(...) to read no record twice"
        )


@dataclass
class _Seen:
    """What was seen of one feature."""

    kinds: dict[str, str] = field(default_factory=dict)  # kind -> where it was seen first
    repeated: bool = False
    nested: bool = False
    text: bool = True


def infer_schema(files: Sequence[DataFile], record_type: str, limit: int, *, drop_malformed: bool = False) -> Inference:
    """Reads up to `limit` records, spread over up to 16 files, and derives the schema.

    Args:
        files: What may be read.
        record_type: Of all records.
        limit: Records read at most.
        drop_malformed: Leave a file at its first damage, as the read that follows will.

    Raises:
        SchemaInferenceError: No record was found, a feature has bytes in one record and numbers in another, or a
            record is of another type (unless `drop_malformed`).
        DamagedRecordError: A record that is read is damaged (unless `drop_malformed`).
    """
    if record_type == "ByteArray":
        return Inference(T.StructType([T.StructField("byteArray", T.BinaryType())]), 0, 0, len(files))
    candidates = [file for file in files if file.size]
    step = max(1, len(candidates) // _MAX_FILES)
    chosen = candidates[::step][:_MAX_FILES]
    seen: dict[str, _Seen] = {}
    read = used = 0
    for position, file in enumerate(chosen):
        # What a short file leaves over goes to the files behind it.
        quota = -(-(limit - read) // (len(chosen) - position))
        count = 0
        try:
            for record, where in _records(file.path, quota):
                _observe(record, record_type == "SequenceExample", where, seen)
                count += 1
        except (DamagedRecordError, SchemaInferenceError):
            if not drop_malformed:
                raise
        read, used = read + count, used + (count > 0)
    if not read:
        raise SchemaInferenceError(
            f"No record to infer a schema from in {len(files)} files. Pass the schema: spark.read.schema(...)"
        )
    fields = [T.StructField(name, _type_of(name, seen[name])) for name in sorted(seen)]
    found = Inference(T.StructType(fields), read, used, len(files))
    logger.info(found.report())
    return found


def _records(path: str, quota: int) -> Iterator[tuple[bytes, str]]:
    left = quota
    for batch in RecordReader(path, batch_records=max(1, min(quota, 1024)), read_bytes=_HEAD_BYTES):
        for index in range(min(left, len(batch))):
            yield batch[index], f"{path}: record {batch.first_record + index}"
        left -= len(batch)
        if left <= 0:
            return


def _type_of(name: str, seen: _Seen) -> T.DataType:
    kinds = set(seen.kinds)
    if "bytes" in kinds and len(kinds) > 1:
        one, two = sorted(seen.kinds.items())[:2]
        raise SchemaInferenceError(
            f"Feature {name!r} holds {one[0]} in {one[1]} but {two[0]} in {two[1]}. "
            "Pass a schema without it: spark.read.schema(...)"
        )
    leaf: T.DataType = T.LongType()
    if "float" in kinds:
        leaf = T.FloatType()
    elif "bytes" in kinds or not kinds:  # a feature that was always empty says nothing; peers call it string
        leaf = T.StringType() if seen.text else T.BinaryType()
    if seen.nested:
        return T.ArrayType(T.ArrayType(leaf))
    return T.ArrayType(leaf) if seen.repeated else leaf


def _observe(record: bytes, sequence: bool, where: str, seen: dict[str, _Seen]) -> None:
    try:
        for number, message in fields(record):
            if number == 1:  # Example.features, SequenceExample.context
                for name, feature in entries(message):
                    _observe_feature(feature, where, seen.setdefault(name, _Seen()))
            elif number == 2 and sequence:  # SequenceExample.feature_lists
                for name, features in entries(message):
                    column = seen.setdefault(name, _Seen())
                    column.nested = True
                    for _, feature in fields(features):
                        _observe_feature(feature, where, column)
    except (IndexError, UnicodeDecodeError, MalformedError) as error:
        kind = "SequenceExample" if sequence else "Example"
        raise SchemaInferenceError(f"{where} is no valid tf.train.{kind} ({error}); is the recordType right?") from None


def _observe_feature(feature: memoryview, where: str, column: _Seen) -> None:
    values = 0
    for number, payload in fields(feature):
        if number == 1:
            strings = [bytes(value) for _, value in fields(payload)]
            values += len(strings)
            column.text = column.text and all(_is_text(value) for value in strings)
            kind = "bytes"
        elif number in (2, 3):
            values += sum(_count(number, wire, value) for _, wire, value in wire_fields(payload))
            kind = "float" if number == 2 else "int64"
        else:
            continue
        if values:
            column.kinds.setdefault(kind, where)
    column.repeated = column.repeated or values > 1


def _is_text(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _count(number: int, wire: int, value: memoryview) -> int:
    """Values in one occurrence of `FloatList.value` (2) or `Int64List.value` (3), packed or not."""
    if wire != LENGTH:
        return 1
    return len(value) // 4 if number == 2 else sum(byte < 128 for byte in value)
