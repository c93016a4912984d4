"""Arrow RecordBatches <-> serialized `tf.train.Example`, whole batches at a time.

Encoding writes protobuf, frames and checksums in one pass of a compiled kernel over the Arrow buffers; decoding reads
records into Arrow buffers in one pass. No Python code runs per row. Types: see
`emberline.features.tfrecord.codec.feature_types`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as pat

from emberline.features.tfrecord.codec.compiled import kernel
from emberline.features.tfrecord.codec.feature_types import (
    BYTES,
    FLOAT,
    INT64,
    KIND_NAMES,
    UnsupportedColumnError,
    feature_type,
    leaf_type,
    to_wire,
)
from emberline.features.tfrecord.codec.framing import ByteArray, Int64Array, Records, address
from emberline.features.tfrecord.codec.output_columns import NestedOutputColumn, OutputColumn

_SLACK = 64  # kernels copy templates in steps of 16 bytes
_DESCRIPTOR = 16  # int64 values per column, see kernels.py
_TAGS = (0x1A, 0x12, 0x0A)
_WIDTHS = (8, 4, 1)
_DTYPES = (np.int64, np.float32, np.uint8)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


@dataclass
class _Templates:
    """The constant bytes of one column's map entry."""

    name: str
    kind: int
    short: ByteArray = field(init=False)
    short_size: int = field(init=False)
    limit: int = field(init=False)
    long: ByteArray = field(init=False)

    def __post_init__(self) -> None:
        key = self.name.encode("utf-8")
        short = b"\x0a\0\x0a" + bytes([len(key) & 127]) + key + b"\x12\0" + bytes([_TAGS[self.kind], 0, 0x0A, 0])
        self.short_size = len(short)
        self.limit = 119 - len(key)  # negative for long names: the kernel then always takes the long way
        self.short = np.frombuffer(short + bytes(16), np.uint8)
        self.long = np.frombuffer(b"\x0a" + _varint(len(key)) + key + b"\x12", np.uint8)


class ExampleEncoder:
    """Encodes batches of one schema as `tf.train.Example`, reusing its output buffer.

    Args:
        schema: columns become features of the same names, in this order.

    Raises:
        UnsupportedColumnError: a column's type has no place in `tf.train.Example`.

    Example:
        >>> import pyarrow as pa
        >>> batch = pa.record_batch({"id": [1, 2], "name": ["one", "two"]})
        >>> framed = ExampleEncoder(batch.schema).encode(batch)  # bytes of a TFRecord file
        >>> records = serialize_examples(batch)  # unframed, one value per row
        >>> ExampleDecoder(batch.schema).decode(records).equals(batch)
        True
    """

    _max_depth = 1

    def __init__(self, schema: pa.Schema) -> None:
        _refuse_duplicates(schema.names)
        self.schema = schema
        self._types = [feature_type(item.name, item.type, max_depth=self._max_depth) for item in schema]
        # the kernel takes columns of features first, then those of feature lists
        self._order = sorted(range(len(schema)), key=lambda index: self._types[index].depth == 2)
        self._lists = sum(found.depth == 2 for found in self._types)
        self._templates = [_Templates(item.name, found.kind) for item, found in zip(schema, self._types, strict=True)]
        self._columns = np.zeros((len(schema), _DESCRIPTOR), np.int64)
        self._out: ByteArray = np.empty(0, np.uint8)

    def encode(self, batch: pa.RecordBatch, *, framed: bool = True) -> memoryview:
        """Returns the records of all rows, one after the other; **valid until the next call of this encoder**."""
        return self.encode_with_ends(batch, framed=framed)[0]

    def encode_with_ends(self, batch: pa.RecordBatch, *, framed: bool = True) -> tuple[memoryview, Int64Array]:
        """Returns the same as `encode`, and the end of each row's record (frame included) in the bytes."""
        if batch.schema.names != self.schema.names or batch.schema.types != self.schema.types:
            raise ValueError(
                f"Batch has columns {_describe(batch.schema)}, encoder was made for {_describe(self.schema)}"
            )
        rows = batch.num_rows
        ends = np.empty(rows, np.int64)
        if rows == 0:
            return memoryview(b""), ends
        keep: list[Any] = []
        bound = _SLACK + 60 * rows
        for place, index in enumerate(self._order):
            bound += self._describe_column(place, index, batch.column(index), keep)
        if self._out.size < bound:
            self._out = np.empty(bound, np.uint8)
        single = len(self._order) - self._lists
        written = kernel("encode_rows")(
            address(self._columns), single, address(self._columns) + 8 * _DESCRIPTOR * single,
            self._lists if self._max_depth == 2 else -1, 0, rows, int(framed), address(self._out), address(ends),
        )  # fmt: skip
        return self._out.data[:written], ends

    def _describe_column(self, place: int, index: int, array: pa.Array, keep: list[Any]) -> int:
        """Fill the kernel's description of a column; returns an upper bound of its encoded size."""
        name, found, templates = self.schema.names[index], self._types[index], self._templates[index]
        outer, row = array, self._columns[place]
        shape, offsets, elements, first, skipped, lists = 0, 0, len(array), 0, 0, 0
        if found.depth == 2:
            outer, inner, row[14], row[13], skipped = _list_parts(name, array, keep)
            lists = len(inner)
            values_of, shape, offsets, first = _list_parts(name, inner, keep)[1:]
        elif found.depth == 1:
            outer, values_of, shape, offsets, first = _list_parts(name, array, keep)
        values = to_wire(name, values_of if found.depth else array)
        if not found.depth:
            outer = values
        elements = len(values)
        # inner list i of the kernel is number i - skipped of the ones at hand
        first += skipped * offsets if shape == 3 else 0
        offsets -= 4 * shape * skipped if shape in (1, 2) else 0
        width = _WIDTHS[found.kind]
        buffers = values.buffers()
        byte_offsets, byte_width = 0, 0
        if found.kind == BYTES:
            byte_width = 8 if pat.is_large_binary(values.type) or pat.is_large_string(values.type) else 4
            positions = _int_view(buffers[1], byte_width)[values.offset : values.offset + elements + 1]
            data_bytes = int(positions[-1] - positions[0]) if elements else 0
            byte_offsets = (buffers[1].address if elements else 0) + byte_width * (values.offset - first)
            base = buffers[2].address if buffers[2] is not None else 0
        else:
            data_bytes = (10 if found.kind == INT64 else 4) * elements
            base = (buffers[1].address if buffers[1] is not None else 0) + width * (values.offset - first)
        validity = outer.buffers()[0] if outer.null_count else None
        keep.extend((outer, values, buffers, validity))
        row[:13] = (
            found.kind, shape,
            validity.address if validity is not None else 0, outer.offset,
            offsets, base, byte_offsets, byte_width,
            address(templates.short), templates.short_size, templates.limit,
            address(templates.long), templates.long.size,
        )  # fmt: skip
        per_element = 11 if found.kind == BYTES else 0
        return len(array) * (templates.long.size + 50) + per_element * elements + 40 * lists + data_bytes


def _int_view(buffer: pa.Buffer | None, width: int) -> npt.NDArray[Any]:
    dtype = np.int64 if width == 8 else np.int32
    return np.frombuffer(buffer, dtype) if buffer is not None and buffer.size else np.zeros(1, dtype)


def _list_parts(name: str, array: pa.Array, keep: list[Any]) -> tuple[pa.Array, pa.Array, int, int, int]:
    """(list array, its values, kernel shape, address of offsets or size, the kernel's number of the first value)."""
    if pat.is_list_view(array.type) or pat.is_large_list_view(array.type):
        # the views may overlap or be out of order; pyarrow 25's own cast is wrong for slices with nulls
        sizes = array.value_lengths().fill_null(0).to_numpy()
        ends = pa.array(np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)]))
        array = pa.LargeListArray.from_arrays(ends, array.flatten(), mask=array.is_null())
    if pat.is_fixed_size_list(array.type):
        size = array.type.list_size
        first, stop = array.offset * size, (array.offset + len(array)) * size
        values, shape, where = array.values.slice(first, stop - first), 3, size
        first = 0  # the kernel counts from row 0 of this batch
    else:
        width = 8 if pat.is_large_list(array.type) else 4
        positions = _int_view(array.buffers()[1], width)[array.offset : array.offset + len(array) + 1]
        first, stop = (int(positions[0]), int(positions[-1])) if len(array) else (0, 0)
        values, shape = array.values.slice(first, stop - first), width // 4
        where = address(positions)
        keep.append(positions)
    if values.null_count and array.flatten().null_count:
        raise UnsupportedColumnError(
            f"Column {name!r} of type {array.type} has an array with a null element; TFRecords cannot say that: "
            "filter or fill the elements first."
        )
    return array, values, shape, where, first


def encode_examples(batch: pa.RecordBatch, *, framed: bool = True) -> memoryview:
    """Encodes every row as a `tf.train.Example`; with `framed`, ready to be appended to a TFRecord file.

    Raises:
        UnsupportedColumnError: a type or value that the format cannot hold, by column.
    """
    return ExampleEncoder(batch.schema).encode(batch, framed=framed)


def serialize_examples(batch: pa.RecordBatch) -> pa.LargeBinaryArray:
    """Returns each row as one unframed serialized `tf.train.Example`."""
    data, ends = ExampleEncoder(batch.schema).encode_with_ends(batch, framed=False)
    offsets = np.concatenate([np.zeros(1, np.int64), ends])
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), batch.num_rows, [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    )


def _refuse_duplicates(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"Column names must be unique, got twice: {', '.join(twice)}")


def _describe(schema: pa.Schema) -> str:
    return ", ".join(f"{item.name}: {item.type}" for item in schema)


class ExampleDecoder:
    """Decodes `tf.train.Example` records into batches of one schema, remembering how large its columns tend to be.

    Args:
        schema: the columns wanted; other features are skipped. A feature that is absent (or a scalar's empty list)
            becomes null. An int64 feature is accepted for a float column.

    Example:
        >>> import pyarrow as pa
        >>> records = serialize_examples(pa.record_batch({"id": [1, 2], "name": ["one", "two"]}))
        >>> ExampleDecoder(pa.schema({"name": pa.string()})).decode(records).to_pydict()
        {'name': ['one', 'two']}
    """

    _max_depth = 1
    _message = "tf.train.Example"

    def __init__(self, schema: pa.Schema) -> None:
        _refuse_duplicates(schema.names)
        self.schema = schema
        self._types = [feature_type(item.name, item.type, max_depth=self._max_depth) for item in schema]
        names = [np.frombuffer(item.name.encode("utf-8") + bytes(8), np.uint8) for item in schema]
        self._columns = np.zeros((len(schema), _DESCRIPTOR), np.int64)
        size = 8
        while size < 4 * len(schema):
            size *= 2
        self._table = np.full(size, -1, np.int64)
        for index, (found, name) in enumerate(zip(self._types, names, strict=True)):
            self._columns[index, [0, 1, 8, 9]] = found.kind, found.depth, address(name), name.size - 8
            slot = _fnv(name[:-8].tobytes()) & (size - 1)
            while self._table[slot] >= 0:
                slot = (slot + 1) & (size - 1)
            self._table[slot] = index
        self._names = names
        self._memory_size = 4 * len(schema) + 64
        self._per_row = [(16.0, 4.0, 4.0)] * len(schema)

    def decode(self, records: Records | pa.Array | Sequence[bytes]) -> pa.RecordBatch:
        """Decodes all records to one batch.

        Raises:
            DamagedRecordError: a record is no `tf.train.Example`.
            UnsupportedColumnError: a feature does not fit the schema's type, by column and record.
        """
        records = Records.of(records)
        rows = len(records)
        outputs = [
            (NestedOutputColumn if found.depth == 2 else OutputColumn)(
                item, found, rows, [int(rows * size * 1.125) + 64 for size in sizes]
            )
            for item, found, sizes in zip(self.schema, self._types, self._per_row, strict=True)
        ]
        starts, lengths = np.ascontiguousarray(records.starts), np.ascontiguousarray(records.lengths)
        memory, info = np.empty(6 * self._memory_size, np.int64), np.zeros(4, np.int64)
        for index, output in enumerate(outputs):
            output.describe(self._columns[index])
        self._columns[:, 10] = 0
        first, code = 0, 4
        while code == 4:
            code = kernel("decode_rows")(
                address(records.buffer), address(starts), address(lengths), first, rows,
                address(self._columns), len(outputs), address(self._table), self._table.size - 1,
                address(memory), self._memory_size, int(self._max_depth == 2), address(info),
            )  # fmt: skip
            first, column, extra, need = info.tolist()
            if code == 4:
                outputs[column].grow(extra, need)
                outputs[column].describe(self._columns[column])
        if code:
            raise self._failure(records, code, first, column, extra)
        if rows:
            self._per_row = [(a / rows, b / rows, c / rows) for a, b, c in (output.sizes() for output in outputs)]
        try:
            arrays = [output.to_arrow() for output in outputs]
        except UnsupportedColumnError as error:
            raise UnsupportedColumnError(
                f"{records.uri}: records {records.first_record} to {records.first_record + rows - 1}: {error}"
            ) from error
        if not arrays:  # a batch of no columns still has its number of rows
            return pa.RecordBatch.from_struct_array(pa.array([{}] * rows, pa.struct([])))
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _failure(self, records: Records, code: int, row: int, column: int, extra: int) -> ValueError:
        if code == 1:
            where = f"feature {self.schema.names[column]!r} is" if column >= 0 else "the record is"
            return records.error(row, f"{where} not a valid {self._message} message")
        name, kind = self.schema.names[column], self.schema.types[column]
        what = f"{records.uri}: record {records.first_record + row}: column {name!r} of type {kind}"
        if code == 2:
            return UnsupportedColumnError(f"{what} meets a feature with {KIND_NAMES[extra]}; correct the schema")
        if code == 3:
            return UnsupportedColumnError(
                f"{what} meets several values; declare it as list<{leaf_type(kind)}> to read them all"
            )
        if code == 6:
            return UnsupportedColumnError(
                f"{what} meets a feature whose value is there twice: protobuf joins the two, or takes the second, and "
                "TensorFlow takes the first, or fails; write it once"
            )
        if code == 7:
            nested = self._types[column].depth == 2
            return UnsupportedColumnError(
                f"{what} meets a feature {'of the context' if nested else 'list'} of that name; declare it as "
                + (f"{leaf_type(kind)} or list<{leaf_type(kind)}>" if nested else f"list<list<{leaf_type(kind)}>>")
            )
        return UnsupportedColumnError(f"{what} exceeds 2 GiB in one batch; decode fewer records at a time")


def _fnv(data: bytes) -> int:
    """The same hash as `kernels.hash_bytes`."""
    value = 2166136261
    for byte in data:
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return value


def decode_examples(records: Records | pa.Array | Sequence[bytes], schema: pa.Schema) -> pa.RecordBatch:
    """Decodes serialized `tf.train.Example` records into one batch of `schema`; see `ExampleDecoder`."""
    return ExampleDecoder(schema).decode(records)


__all__ = ["FLOAT", "ExampleDecoder", "ExampleEncoder", "decode_examples", "encode_examples", "serialize_examples"]
