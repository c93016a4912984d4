"""Transformed data as TFRecord shards, in three layouts. Every record is a valid `tf.train.Example`.

`plain`: one row per record, one feature per column.

`packed`: one row per record; feature `int64` holds all integer columns in schema order (fixed-size lists contribute all
their elements), `float32` all float columns, `uint8` all columns of pixels as one string of bytes, `bytes` all string
and binary columns; a list column has its own feature.

`block`: `rows_per_block` rows per record (the last record of a shard may hold fewer). Feature `rows` is their number;
`int64`, `float32` and `uint8` are one raw little-endian buffer each, row after row, columns in schema order; every
string or binary column has `<name>/lengths` (raw int32) and `<name>/data` (the concatenated bytes), every list column
the same (lengths in elements, data raw little-endian). Reading it costs a few operations per thousand rows instead of
some per value, which is why it is the default for training data.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emberline.features import storage
from emberline.features.tfrecord.codec.example import ExampleDecoder, ExampleEncoder
from emberline.features.tfrecord.codec.feature_types import UnsupportedColumnError, from_wire
from emberline.features.tfrecord.codec.framing import CODEC_SUFFIX, RecordReader, Records, RecordWriter, check_codec
from emberline.features.tfrecord.manifest import LAYOUTS, Layout, Shard, ShardSet, is_list, type_name

_MOST_ELEMENTS = 2**31 - 1  # Arrow's offsets have 32 bits
_BLOCKS_PER_CALL = 8  # encoded together: amortises the cost of a call, keeps the buffer small


@dataclass(frozen=True)
class Group:
    """The columns that share one vector: (name, number of elements, is a scalar), in schema order."""

    columns: tuple[tuple[str, int, bool], ...]

    @property
    def width(self) -> int:
        """Elements per row."""
        return sum(size for _, size, _ in self.columns)


@dataclass(frozen=True)
class Groups:
    """A schema of transformed data, divided by element type."""

    int64: Group
    float32: Group
    uint8: Group
    strings: tuple[str, ...]
    lists: tuple[tuple[str, str], ...]
    """Columns of any number of elements per row: (name, element type)."""

    @classmethod
    def of(cls, schema: pa.Schema) -> "Groups":
        """Returns the columns of a schema, divided by element type.

        Raises:
            ManifestError: a type that transformed data does not have.
        """
        numbers: dict[str, list[tuple[str, int, bool]]] = {"int64": [], "float32": [], "uint8": []}
        strings, lists = [], []
        for item in schema:
            leaf, bracket, size = type_name(item.name, item.type).rstrip("]").partition("[")
            if bracket and not size:
                lists.append((item.name, leaf))
            elif leaf in numbers:
                numbers[leaf].append((item.name, int(size or 1), not size))
            else:
                strings.append(item.name)
        groups = {item: Group(tuple(columns)) for item, columns in numbers.items()}
        return cls(**groups, strings=tuple(strings), lists=tuple(lists))

    @property
    def numbers(self) -> tuple[tuple[str, Group], ...]:
        """The groups that have columns, by the type of their elements."""
        every = (("int64", self.int64), ("float32", self.float32), ("uint8", self.uint8))
        return tuple((item, group) for item, group in every if group.width)


def shard_name(index: int, count: int, codec: str | None = None) -> str:
    """Returns `part-00000-of-00008.tfrecord`, with the codec's suffix."""
    if not 0 <= index < count:
        raise ValueError(f"Shard {index} of {count}: the index must be between 0 and {count - 1}")
    return f"part-{index:05d}-of-{count:05d}.tfrecord{CODEC_SUFFIX[check_codec(codec)]}"


def write_shard(
    uri: str,
    batches: Iterable[pa.RecordBatch],
    *,
    schema: pa.Schema,
    layout: Layout = "block",
    codec: str | None = None,
    rows_per_block: int = 1000,
) -> Shard:
    """Writes one shard, which appears under `uri` when it is complete. Memory: some blocks and one input batch.

    Args:
        uri: where the file goes; its last component becomes `Shard.path`.
        batches: of any sizes; columns are taken by name and must have the schema's types.
        schema: see `ShardSet`.

    Raises:
        UnsupportedColumnError: a null, which transformed data does not have.
        ManifestError: a type that transformed data does not have.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"Layout {layout!r} is not known; use one of {', '.join(LAYOUTS)}")
    if rows_per_block < 1:
        raise ValueError(f"rows_per_block is {rows_per_block}; it must be at least 1.")
    head, _, name = uri.rpartition("/")
    staging = storage.join(head, f".{name}.writing") if head else f".{name}.writing"
    rows = records = 0
    sizes: list[int] = []
    encoder = _Encoder(schema, layout, rows_per_block)
    try:
        with RecordWriter(staging, codec) as writer:
            for chunk in _rechunk(batches, schema, rows_per_block * _BLOCKS_PER_CALL):
                frames, ends = encoder(chunk)
                writer.write(frames)
                rows, records = rows + chunk.num_rows, records + len(ends)
                step = 1 if layout == "block" else rows_per_block
                bounds = [0, *ends[step - 1 :: step].tolist()]
                if len(ends) % step:
                    bounds.append(int(ends[-1]))
                sizes += np.diff(bounds).tolist()
        storage.move(staging, uri)
    except BaseException:
        storage.delete(staging)
        raise
    runs = () if writer.codec else tuple((len(list(run)), size) for size, run in groupby(sizes))
    return Shard(name, rows, records, writer.bytes, writer.crc32c, runs)


def _rechunk(batches: Iterable[pa.RecordBatch], schema: pa.Schema, rows: int) -> Iterator[pa.RecordBatch]:
    """Batches of exactly `rows` rows (the last may be smaller) with the columns of `schema`, checked for nulls."""
    waiting: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        missing = [name for name in schema.names if name not in batch.schema.names]
        if missing:
            raise ValueError(f"Batch lacks the columns {', '.join(missing)}; it has {', '.join(batch.schema.names)}")
        batch = pa.RecordBatch.from_arrays([_checked(batch, item) for item in schema], schema=schema)
        while batch.num_rows:
            piece = batch.slice(0, rows - size)
            waiting.append(piece)
            size += piece.num_rows
            batch = batch.slice(piece.num_rows)
            if size == rows:
                yield pa.concat_batches(waiting)
                waiting, size = [], 0
    if waiting:
        yield pa.concat_batches(waiting)


def _checked(batch: pa.RecordBatch, item: pa.Field) -> pa.Array:
    array = batch.column(batch.schema.get_field_index(item.name))
    inner = array.flatten() if is_list(array.type) else array
    if array.null_count or inner.null_count:
        raise UnsupportedColumnError(
            f"Column {item.name!r} of type {item.type} has nulls; "
            "transformed data has none: impute them in the transform."
        )
    if array.type != item.type:
        raise UnsupportedColumnError(
            f"Column {item.name!r} has type {array.type}, the schema says {item.type}; cast it."
        )
    return array


class _Encoder:
    """Turns a chunk of rows into framed records: (bytes, end of each record)."""

    def __init__(self, schema: pa.Schema, layout: Layout, rows_per_block: int) -> None:
        self.schema = schema
        self.layout = layout
        self.rows_per_block = rows_per_block
        self.groups = Groups.of(schema)
        self.encoder = ExampleEncoder(record_schema(schema, layout))

    def __call__(self, chunk: pa.RecordBatch) -> tuple[memoryview, npt.NDArray[np.int64]]:
        make = {"plain": self._plain, "packed": self._packed, "block": self._blocks}[self.layout]
        return self.encoder.encode_with_ends(make(chunk))

    def _plain(self, chunk: pa.RecordBatch) -> pa.RecordBatch:
        if not self.groups.uint8.width:
            return chunk
        pixels = {
            name: _matrix(chunk, Group(((name, size, False),)), np.dtype("uint8"))
            for name, size, _ in self.groups.uint8.columns
        }
        arrays = [_rows_of(pixels[name]) if name in pixels else chunk.column(name) for name in chunk.schema.names]
        return pa.RecordBatch.from_arrays(arrays, schema=self.encoder.schema)

    def _packed(self, chunk: pa.RecordBatch) -> pa.RecordBatch:
        rows, columns = chunk.num_rows, []
        for item, group in self.groups.numbers:
            matrix = _matrix(chunk, group, np.dtype(item))
            if item == "uint8":
                columns.append(_rows_of(matrix))
            else:
                columns.append(pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), group.width))
        if self.groups.strings:
            parts = [chunk.column(name).cast(pa.binary()) for name in self.groups.strings]
            order = np.arange(rows * len(parts)).reshape(len(parts), rows).T.ravel()
            columns.append(pa.FixedSizeListArray.from_arrays(pa.concat_arrays(parts).take(pa.array(order)), len(parts)))
        columns += [chunk.column(name) for name, _ in self.groups.lists]
        return pa.RecordBatch.from_arrays(columns, schema=self.encoder.schema)

    def _blocks(self, chunk: pa.RecordBatch) -> pa.RecordBatch:
        columns: dict[str, list[Any]] = {name: [] for name in self.encoder.schema.names}
        for start in range(0, chunk.num_rows, self.rows_per_block):
            block = chunk.slice(start, self.rows_per_block)
            columns["rows"].append(block.num_rows)
            for item, group in self.groups.numbers:
                columns[item].append(_matrix(block, group, np.dtype(item)).data.cast("B"))
            for name in self.groups.strings:
                lengths, data = _string_buffers(block.column(name))
                columns[f"{name}/lengths"].append(lengths)
                columns[f"{name}/data"].append(data)
            for name, leaf in self.groups.lists:
                lists = block.column(name)
                columns[f"{name}/lengths"].append(_raw_bytes(lists.value_lengths(), np.dtype(np.int32)))
                columns[f"{name}/data"].append(_raw_bytes(lists.flatten(), np.dtype(leaf)))
        arrays = [
            pa.array(columns[item.name], item.type) if item.name == "rows" else _binary(columns[item.name])
            for item in self.encoder.schema
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self.encoder.schema)


def record_schema(schema: pa.Schema, layout: Layout) -> pa.Schema:
    """Returns the features of one record, as Arrow types."""
    groups = Groups.of(schema)
    fields = []
    if layout == "plain":
        pixels = {name for name, _, _ in groups.uint8.columns}
        return pa.schema([(item.name, pa.binary() if item.name in pixels else item.type) for item in schema])
    if layout == "packed":
        for item, group in groups.numbers:
            leaf = {"int64": pa.int64(), "float32": pa.float32()}.get(item)
            fields.append((item, pa.list_(leaf, group.width) if leaf is not None else pa.binary()))
        if groups.strings:
            fields.append(("bytes", pa.list_(pa.binary(), len(groups.strings))))
        fields += [(name, schema.field(name).type) for name, _ in groups.lists]
        return pa.schema(fields)
    fields.append(("rows", pa.int64()))
    fields += [(item, pa.large_binary()) for item, _ in groups.numbers]
    for name in (*groups.strings, *(name for name, _ in groups.lists)):
        fields += [(f"{name}/lengths", pa.large_binary()), (f"{name}/data", pa.large_binary())]
    return pa.schema(fields)


def _matrix(chunk: pa.RecordBatch, group: Group, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """The columns of a group side by side, row-major."""
    matrix = np.empty((chunk.num_rows, group.width), dtype.newbyteorder("<"))
    at = 0
    for name, size, scalar in group.columns:
        array = chunk.column(name)
        values = (array if scalar else array.flatten()).to_numpy(zero_copy_only=True)
        if scalar:
            matrix[:, at] = values
        else:
            matrix[:, at : at + size] = values.reshape(-1, size)
        at += size
    return matrix


def _rows_of(matrix: npt.NDArray[np.uint8]) -> pa.Array:
    """Each row of a matrix of bytes as a string of them."""
    rows, width = matrix.shape
    offsets = np.arange(rows + 1, dtype=np.int64) * width
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), rows, [None, pa.py_buffer(offsets), pa.py_buffer(matrix)]
    ).cast(pa.binary())


def _matrix_of(name: str, array: pa.Array, width: int) -> npt.NDArray[np.uint8]:
    """The reverse of `_rows_of`.

    Raises:
        ValueError: a row has another number of bytes.
    """
    lengths, data = _string_buffers(array)
    odd = np.flatnonzero(np.frombuffer(lengths, "<i4") != width)
    if odd.size or array.null_count:
        raise ValueError(f"{name!r} has a row that is not of {width} bytes.")
    return np.frombuffer(data, np.uint8).reshape(len(array), width)


def _string_buffers(array: pa.Array) -> tuple[memoryview, memoryview]:
    offsets = np.frombuffer(array.buffers()[1], np.int32)[array.offset : array.offset + len(array) + 1]
    data = array.buffers()[2]
    view = memoryview(data).cast("B")[offsets[0] : offsets[-1]] if data is not None else memoryview(b"")
    return np.diff(offsets).astype("<i4").data.cast("B"), view


def _raw_bytes(values: pa.Array, dtype: np.dtype[Any]) -> memoryview:
    """The elements of an array as little-endian bytes."""
    found = values.to_numpy(zero_copy_only=True).astype(dtype.newbyteorder("<"), copy=False)
    return memoryview(found.view(np.uint8))


def _binary(parts: list[memoryview]) -> pa.Array:
    """A large_binary array of buffers, by one copy (pyarrow's own conversion goes through bytes objects)."""
    offsets = np.zeros(len(parts) + 1, np.int64)
    np.cumsum([len(part) for part in parts], out=offsets[1:])
    data = np.empty(int(offsets[-1]), np.uint8)
    for start, part in zip(offsets.tolist(), parts, strict=False):
        data[start : start + len(part)] = np.frombuffer(part, np.uint8)
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(parts), [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    )


def read_shard(uri: str, shard_set: ShardSet, shard: Shard) -> Iterator[pa.RecordBatch]:
    """Yields the rows of one shard as Arrow batches, any layout, without TensorFlow.

    Args:
        uri: folder of the set.

    Raises:
        DamagedRecordError: a damaged file, or one with another number of rows than the manifest says.
    """
    reader = RecordReader(storage.join(uri, shard.path), shard_set.codec)
    schema, layout = shard_set.schema, shard_set.layout
    decoder = ExampleDecoder(record_schema(schema, layout))
    rows, records = 0, None
    for records in reader:
        batch = decoder.decode(records)
        if layout != "block":
            try:
                batch = (_unpack if layout == "packed" else _pixels_unpacked)(batch, schema)
            except ValueError as error:
                raise records.error(0, f"a record here does not fit the schema: {error}") from error
        for piece in _unblock(batch, schema, records) if layout == "block" else (batch,):
            rows += piece.num_rows
            yield piece
    if rows != shard.rows:
        empty = Records.of([b""]) if records is None else records
        empty.uri = reader.uri
        raise empty.error(len(empty) - 1, f"the file ends here with {rows} rows, the manifest says {shard.rows}")


def _columns_of(matrix: npt.NDArray[Any], group: Group) -> Iterator[tuple[str, pa.Array]]:
    at = 0
    for name, size, scalar in group.columns:
        values = pa.array(np.ascontiguousarray(matrix[:, at : at + size]).ravel())
        yield name, values if scalar else pa.FixedSizeListArray.from_arrays(values, size)
        at += size


def _pixels_unpacked(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Rows of the `plain` layout with pixels as the lists they came from."""
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    for name, size, scalar in Groups.of(schema).uint8.columns:
        columns.update(_columns_of(_matrix_of(name, columns[name], size), Group(((name, size, scalar),))))
    return pa.RecordBatch.from_arrays(list(columns.values()), schema=schema)


def _unpack(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Rows of the `packed` layout as the columns they came from."""
    groups = Groups.of(schema)
    columns: dict[str, pa.Array] = {}
    for item, group in groups.numbers:
        if item == "uint8":
            matrix = _matrix_of(item, batch.column(item), group.width)
        else:
            matrix = batch.column(item).flatten().to_numpy().reshape(-1, group.width)
        columns.update(_columns_of(matrix, group))
    for position, name in enumerate(groups.strings):
        order = np.arange(batch.num_rows) * len(groups.strings) + position
        columns[name] = from_wire(name, batch.column("bytes").flatten().take(pa.array(order)), schema.field(name).type)
    columns.update({name: batch.column(name) for name, _ in groups.lists})
    return pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)


def _unblock(batch: pa.RecordBatch, schema: pa.Schema, records: Records) -> Iterator[pa.RecordBatch]:
    """Each record of the `block` layout as a batch of its rows."""
    groups = Groups.of(schema)
    for index in range(batch.num_rows):
        raw = {name: batch.column(name)[index] for name in batch.schema.names}
        if any(not scalar.is_valid for scalar in raw.values()):
            missing = ", ".join(sorted(name for name, scalar in raw.items() if not scalar.is_valid))
            raise records.error(index, f"features {missing} are missing; this is no record of layout block")
        rows = raw["rows"].as_py()
        if not 0 <= rows <= _MOST_ELEMENTS:
            raise records.error(index, f"it says that it has {rows} rows")
        columns: dict[str, pa.Array] = {}
        try:
            for item, group in groups.numbers:
                values = np.frombuffer(raw[item].as_buffer(), np.dtype(item).newbyteorder("<"))
                columns.update(_columns_of(values.reshape(rows, group.width), group))
            for name in groups.strings:
                data = raw[f"{name}/data"].as_buffer()
                offsets = _offsets(name, raw, rows, data.size)
                array = pa.Array.from_buffers(pa.binary(), rows, [None, offsets, data])
                columns[name] = from_wire(name, array, schema.field(name).type)
            for name, leaf in groups.lists:
                elements = np.frombuffer(raw[f"{name}/data"].as_buffer(), np.dtype(leaf).newbyteorder("<"))
                offsets = _offsets(name, raw, rows, elements.size)
                columns[name] = pa.Array.from_buffers(
                    schema.field(name).type, rows, [None, offsets], children=[pa.array(elements)]
                )
            rebuilt = pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)
            if rebuilt.num_rows != rows:
                raise ValueError(f"Its columns have {rebuilt.num_rows} rows.")
            rebuilt.validate()
        except ValueError as error:
            raise records.error(index, f"the block of {rows} rows does not fit the schema: {error}") from error
        yield rebuilt


def _offsets(name: str, raw: dict[str, pa.Scalar], rows: int, elements: int) -> pa.Buffer:
    """Where each row of a block begins in the data of a string or list column."""
    lengths = np.frombuffer(raw[f"{name}/lengths"].as_buffer(), "<i4")
    ends = np.cumsum(lengths, dtype=np.int64)  # of 32 bits, forged lengths could wrap around to the right sum
    total = int(ends[-1]) if rows else 0
    if lengths.size != rows or (lengths < 0).any() or total != elements or total > _MOST_ELEMENTS:
        raise ValueError(f"{lengths.size} lengths of {name!r} add up to {total}, {elements} are there.")
    offsets = np.zeros(rows + 1, np.int32)
    offsets[1:] = ends
    return pa.py_buffer(offsets)
