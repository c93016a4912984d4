"""Arrow RecordBatches <-> serialized `tf.train.Example`, whole batches at a time.

Encoding writes protobuf, frames and checksums in one pass of a compiled kernel over the Arrow buffers; decoding reads
records into Arrow buffers in one pass. No Python code runs per row. Types: see `features.tfrecord.feature_types`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as pat

from features.tfrecord.compiled import kernel
from features.tfrecord.feature_types import (
    BYTES,
    FLOAT,
    INT64,
    KIND_NAMES,
    FeatureType,
    UnsupportedColumnError,
    feature_type,
    from_wire,
    leaf_type,
    to_wire,
)
from features.tfrecord.framing import ByteArray, Int64Array, Records, address

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
        """Records of all rows, one after the other; **valid until the next call of this encoder**."""
        return self.encode_with_ends(batch, framed=framed)[0]

    def encode_with_ends(self, batch: pa.RecordBatch, *, framed: bool = True) -> tuple[memoryview, Int64Array]:
        """Like `encode`, with the end of each row's record (frame included) in the bytes."""
        if batch.schema.names != self.schema.names or batch.schema.types != self.schema.types:
            raise ValueError(
                f"batch has columns {_describe(batch.schema)}, encoder was made for {_describe(self.schema)}"
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
        return memoryview(self._out)[:written], ends

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
    """(list array, its values, kernel shape, offsets address or size, number that the kernel gives to the first value)."""
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
            f"column {name!r} of type {array.type} has an array with a null element; TFRecords cannot say that: "
            "filter or fill the elements first"
        )
    return array, values, shape, where, first


def encode_examples(batch: pa.RecordBatch, *, framed: bool = True) -> memoryview:
    """Encode every row as a `tf.train.Example`; with `framed`, ready to be appended to a TFRecord file.

    Raises:
        UnsupportedColumnError: a type or value that the format cannot hold, by column.
    """
    return ExampleEncoder(batch.schema).encode(batch, framed=framed)


def serialize_examples(batch: pa.RecordBatch) -> pa.LargeBinaryArray:
    """Each row as one unframed serialized `tf.train.Example`."""
    data, ends = ExampleEncoder(batch.schema).encode_with_ends(batch, framed=False)
    offsets = np.concatenate([np.zeros(1, np.int64), ends])
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), batch.num_rows, [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    )


def _refuse_duplicates(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"column names must be unique, got twice: {', '.join(twice)}")


def _describe(schema: pa.Schema) -> str:
    return ", ".join(f"{item.name}: {item.type}" for item in schema)


class _Column:
    """Output buffers of one decoded column; `capacity` is (values, inner offsets, inner lists)."""

    def __init__(self, item: pa.Field, found: FeatureType, rows: int, capacity: Sequence[int]) -> None:
        self.item, self.found, self.rows = item, found, rows
        self.validity = np.zeros(rows, np.uint8)
        scalar_number = found.depth == 0 and found.kind != BYTES
        self.values: npt.NDArray[Any] = np.empty(rows + 1 if scalar_number else capacity[0], _DTYPES[found.kind])
        self.offsets = np.zeros(1 if scalar_number else rows + 1, np.int32)
        self.inner = np.zeros(capacity[1] + 1 if found.depth and found.kind == BYTES else 1, np.int32)

    def grow(self, which: int, need: int) -> None:
        """Make room for `need` values (which = 0) or inner offsets (which = 1), keeping what is there."""
        size = max(need + need // 2, 1024)
        if which == 0:
            bigger = np.empty(size, self.values.dtype)
            bigger[: self.values.size] = self.values
            self.values = bigger
        else:
            offsets = np.zeros(size + 1, np.int32)
            offsets[: self.inner.size] = self.inner
            self.inner = offsets

    def describe(self, target: Int64Array) -> None:
        """Write the addresses into the kernel's description."""
        target[2:8] = (
            address(self.values), self.values.size, address(self.validity), address(self.offsets),
            address(self.inner), self.inner.size - 1,
        )  # fmt: skip

    def sizes(self) -> tuple[int, int, int]:
        """Values, inner offsets and inner lists in use."""
        if self.found.depth == 0:
            return (int(self.offsets[-1]) if self.found.kind == BYTES else self.rows), 0, 0
        elements = int(self.offsets[self.rows])
        return (int(self.inner[elements]) if self.found.kind == BYTES else elements), elements, 0

    def to_arrow(self) -> pa.Array:
        """The column as the schema wants it."""
        used, elements, _ = self.sizes()
        kind, name, target = self.found.kind, self.item.name, self.item.type
        data = pa.py_buffer(self.values[:used])
        wire = (pa.int64(), pa.float32(), pa.binary())[kind]
        if self.found.depth == 0:
            nulls = self.rows - int(np.count_nonzero(self.validity))
            bits = pa.py_buffer(np.packbits(self.validity, bitorder="little")) if nulls else None
            parts = [bits, pa.py_buffer(self.offsets), data] if kind == BYTES else [bits, data]
            return from_wire(name, pa.Array.from_buffers(wire, self.rows, parts, nulls), target)
        parts = [None, pa.py_buffer(self.inner[: elements + 1]), data] if kind == BYTES else [None, data]
        found = self.padded(pa.Array.from_buffers(wire, elements, parts, 0), target)
        return self.lists_of(from_wire(name, found, target.value_type), target)

    def lists_of(self, values: pa.Array, target: pa.DataType) -> pa.Array:
        """This column's lists around their elements."""
        nulls = self.rows - int(np.count_nonzero(self.validity))
        bits = pa.py_buffer(np.packbits(self.validity, bitorder="little")) if nulls else None
        if pat.is_fixed_size_list(target):
            return pa.Array.from_buffers(target, self.rows, [bits], nulls, children=[values])
        if pat.is_list_view(target) or pat.is_large_list_view(target):
            view = pa.ListViewArray if pat.is_list_view(target) else pa.LargeListViewArray
            width = np.int32 if pat.is_list_view(target) else np.int64
            starts, sizes = self.offsets[:-1].astype(width), np.diff(self.offsets).astype(width)
            return view.from_arrays(starts, sizes, values, type=target, mask=pa.array(self.validity == 0))
        plain = pa.list_(pa.field("item", values.type, nullable=True))
        array = pa.Array.from_buffers(plain, self.rows, [bits, pa.py_buffer(self.offsets)], nulls, children=[values])
        return array if array.type == target else array.cast(target)

    def padded(self, values: pa.Array, target: pa.DataType) -> pa.Array:
        """Checks the sizes of fixed-size lists; null rows take `size` places in Arrow and none in the file."""
        if not pat.is_fixed_size_list(target):
            return values
        size, counts, valid = target.list_size, np.diff(self.offsets), self.validity == 1
        wrong = np.flatnonzero((counts != size) & valid)
        if wrong.size:
            raise UnsupportedColumnError(
                f"column {self.item.name!r}: row {int(wrong[0])} of this batch has {counts[wrong[0]]} elements, "
                f"the schema says {size} ({target}); read it as list<{target.value_type}>"
            )
        if valid.all() or not size:
            return values
        places = np.where(valid, self.offsets[:-1], 0)[:, None] + np.where(valid[:, None], np.arange(size), 0)
        return values.take(pa.array(places.ravel(), mask=np.repeat(~valid, size)))


class _Nested(_Column):
    """Output buffers of a list of lists: the inner lists are the rows of a `_Column`."""

    def __init__(self, item: pa.Field, found: FeatureType, rows: int, capacity: Sequence[int]) -> None:
        inner = pa.field(item.name, item.type.value_type)
        super().__init__(inner, FeatureType(found.kind, 1), capacity[2], capacity)
        self.outer_item, self.outer_rows = item, rows
        self.outer_offsets, self.outer_validity = np.zeros(rows + 1, np.int32), np.zeros(rows, np.uint8)

    def grow(self, which: int, need: int) -> None:
        """Also make room for `need` inner lists (which = 2)."""
        if which < 2:
            super().grow(which, need)
            return
        rows = max(need + need // 2, 1024)
        validity, offsets = np.zeros(rows, np.uint8), np.zeros(rows + 1, np.int32)
        validity[: self.rows], offsets[: self.rows + 1] = self.validity, self.offsets
        self.validity, self.offsets, self.rows = validity, offsets, rows

    def describe(self, target: Int64Array) -> None:
        """Also the addresses of the outer lists."""
        super().describe(target)
        target[13:16] = address(self.outer_offsets), address(self.outer_validity), self.rows

    def sizes(self) -> tuple[int, int, int]:
        """Values, inner offsets and inner lists in use."""
        self._finish()
        return *super().sizes()[:2], self.rows

    def _finish(self) -> None:
        """Forget the room that was not used."""
        self.rows = int(self.outer_offsets[-1])
        self.validity, self.offsets = self.validity[: self.rows], self.offsets[: self.rows + 1]

    def to_arrow(self) -> pa.Array:
        """The outer lists around the inner ones; an inner feature without a kind is an empty list."""
        self._finish()
        self.validity = np.ones(self.rows, np.uint8)
        inner, target = super().to_arrow(), self.outer_item.type
        outer = _Column(self.outer_item, FeatureType(INT64, 1), self.outer_rows, (0, 0, 0))
        outer.offsets, outer.validity = self.outer_offsets, self.outer_validity
        return outer.lists_of(outer.padded(inner, target), target)


class ExampleDecoder:
    """Decodes `tf.train.Example` records into batches of one schema, remembering how large its columns tend to be.

    Args:
        schema: the columns wanted; other features are skipped. A feature that is absent (or a scalar's empty list)
            becomes null. An int64 feature is accepted for a float column.
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
        """Decode all records.

        Raises:
            DamagedRecordError: a record is no `tf.train.Example`.
            UnsupportedColumnError: a feature does not fit the schema's type, by column and record.
        """
        records = Records.of(records)
        rows = len(records)
        outputs = [
            (_Nested if found.depth == 2 else _Column)(item, found, rows, [int(rows * x * 1.125) + 64 for x in sizes])
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
        return UnsupportedColumnError(f"{what} exceeds 2 GiB in one batch; decode fewer records at a time")


def _fnv(data: bytes) -> int:
    """The same hash as `kernels.hash_bytes`."""
    value = 2166136261
    for byte in data:
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return value


def decode_examples(records: Records | pa.Array | Sequence[bytes], schema: pa.Schema) -> pa.RecordBatch:
    """Decode serialized `tf.train.Example` records into one batch of `schema`; see `ExampleDecoder`."""
    return ExampleDecoder(schema).decode(records)


__all__ = ["FLOAT", "ExampleDecoder", "ExampleEncoder", "decode_examples", "encode_examples", "serialize_examples"]
