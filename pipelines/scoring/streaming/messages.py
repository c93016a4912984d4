"""JSON messages to rows, in executors: what Arrow's parser takes for sure at once, the rest one by one, with reasons.

Both know the same rules, but the first may be in doubt: it never takes a message that the second rejects, and never
gives another value. A message is one JSON object with a value per field, by name; other names are passed over.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from emberline.features.schema import Field
from emberline.features.validation.rows import FAULT, NO_ARRAY, NOT_SINGLE, RAW, SHOWN, SOURCE

MESSAGE = "_message"
"""Column of the messages' bytes."""

TOPIC, PARTITION, OFFSET = ORIGIN = ("source_topic", "source_partition", "source_offset")
"""Columns that say where a message was; together they are of no other message."""

KEY_LENGTH = 16
"""Hexadecimal digits of the SHA-256 of a message without a key, as of rows without one."""

_NUMBER = "_number"
"""What is put into every object, so that no two messages are read as one, or one as two."""

_LEAST = 64
"""Messages among which none is looked for: all of them are read one by one."""

_TYPES = {"integer": pa.int64(), "float": pa.float64(), "string": pa.string()}


@dataclass(frozen=True)
class MessageReader:
    """Turns batches of messages into columns.

    Args:
        fields: Of the model.
        key: Column that becomes the key; a message without it gets a hash of its bytes.
        kept: Further names whose values go with a prediction, as texts.
    """

    fields: tuple[Field, ...]
    key: str
    kept: tuple[str, ...] = ()

    @property
    def types(self) -> dict[str, pa.DataType]:
        """Types of the fields' columns."""
        return {field.name: _type(field) for field in self.fields}

    def typed(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, npt.NDArray[np.bool_]]:
        """Returns the batch with a column per field, key and kept name, and which messages were understood for sure.

        Args:
            batch: `MESSAGE`, and columns that stay.
        """
        messages = batch.column(MESSAGE)
        understood = np.zeros(batch.num_rows, bool)
        parts: list[pa.Table] = []
        self._parse(messages, 0, batch.num_rows, understood, parts)
        names = self._names
        table = pa.concat_tables(parts).combine_chunks() if parts else self._nothing(0)
        columns = {name: batch.column(name) for name in batch.schema.names if name not in names}
        for name in names:
            column = table.column(name)
            columns[name] = column.chunk(0) if column.num_chunks else pa.array([], column.type)
        columns[self.key] = _with_hashes(columns[self.key], messages)
        for field in self.fields:
            if field.is_file:
                columns[field.name] = _decoded(columns[field.name], understood)
        return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns)), understood

    @property
    def _names(self) -> list[str]:
        return list(dict.fromkeys([self.key, *self.kept, *(field.name for field in self.fields)]))

    def _parse(
        self, messages: pa.Array, start: int, stop: int, understood: npt.NDArray[np.bool_], parts: list[pa.Table]
    ) -> None:
        """Parses messages together, or in halves where one of them cannot be read."""
        table = self._together(messages.slice(start, stop - start))
        if table is not None:
            parts.append(table)
            understood[start:stop] = self._any_field(table)
        elif stop - start <= _LEAST:
            parts.append(self._nothing(stop - start))
        else:
            middle = (start + stop) // 2
            self._parse(messages, start, middle, understood, parts)
            self._parse(messages, middle, stop, understood, parts)

    def _together(self, messages: pa.Array) -> pa.Table | None:
        """Returns the columns, or None if Arrow is in doubt about any message."""
        if not len(messages):
            return self._nothing(0)
        if messages.null_count:
            return None
        try:
            texts = pc.ascii_ltrim_whitespace(messages.cast(pa.string()))  # refuses what is no UTF-8
        except pa.ArrowInvalid:
            return None
        if not pc.all(pc.starts_with(texts, "{")).as_py():
            return None
        numbers = pa.array(np.arange(len(texts)))
        heads = pc.binary_join_element_wise(f'{{"{_NUMBER}":', numbers.cast(pa.string()), ",", "")
        rests = pc.binary_replace_slice(texts.cast(pa.binary()), 0, 1, b"")
        lines = pc.binary_join_element_wise(heads.cast(pa.binary()), rests, b"\n", b"")
        first, last = (lines.offset + index for index in (0, len(lines)))
        offsets = np.frombuffer(lines.buffers()[1], np.int32)
        data = lines.buffers()[2].slice(int(offsets[first]), int(offsets[last] - offsets[first]))
        kinds = {name: pa.string() for name in (self.key, *self.kept)} | _key_types(texts[0].as_py(), self)
        types = {_NUMBER: pa.int64()} | kinds | {field.name: _json_type(field) for field in self.fields}
        parse = pyarrow.json.ParseOptions(explicit_schema=pa.schema(types.items()), unexpected_field_behavior="ignore")
        read = pyarrow.json.ReadOptions(use_threads=False, block_size=data.size + 1)
        try:
            table = pyarrow.json.read_json(pa.BufferReader(data), read_options=read, parse_options=parse)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return None
        if not table.column(_NUMBER).combine_chunks().equals(pa.chunked_array([numbers]).combine_chunks()):
            return None
        columns = [_unless_same(table.column(name), self._type_of(name)) for name in self._names]
        return pa.table(columns, names=self._names)

    def _any_field(self, table: pa.Table) -> npt.NDArray[np.bool_]:
        """Which rows have a value of any field: an object of something else has none."""
        found = np.zeros(table.num_rows, bool)
        for field in self.fields:
            column = table.column(field.name)
            if not column.null_count:
                return np.ones(table.num_rows, bool)
            found |= np.asarray(column.is_valid())
        return found

    def _type_of(self, name: str) -> pa.DataType:
        field = next((field for field in self.fields if field.name == name), None)
        return _json_type(field) if field else pa.string()

    def _nothing(self, rows: int) -> pa.Table:
        return pa.table({name: pa.nulls(rows, self._type_of(name)) for name in self._names})

    def texts(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yields the batches with columns of texts, or lists of texts, and `_raw`, `_source` and `_fault`.

        Args:
            batches: `MESSAGE`, `ORIGIN` where it is known, and columns that stay.
        """
        for batch in batches:
            messages = batch.column(MESSAGE).to_pylist()
            read = [_read(message, self.fields) for message in messages]
            columns = {
                name: batch.column(name)
                for name in batch.schema.names
                if name not in (MESSAGE, RAW, SOURCE, FAULT, *self._names)
            }
            for name in (self.key, *self.kept):
                columns[name] = pa.array([_as_text(values.get(name)) for values, _ in read], pa.string())
            columns[self.key] = _with_hashes(columns[self.key], batch.column(MESSAGE))
            for field in self.fields:
                columns[field.name] = pa.array([values.get(field.name) for values, _ in read], _text_type(field))
            columns[RAW] = pa.array(
                [None if message is None else message.decode("utf-8", "backslashreplace") for message in messages]
            ).cast(pa.string())
            columns[SOURCE] = _places(batch)
            columns[FAULT] = pa.array([fault for _, fault in read], pa.string())
            yield pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _type(field: Field) -> pa.DataType:
    if field.is_file:
        return pa.binary()
    return pa.list_(_TYPES[field.kind]) if field.array else _TYPES[field.kind]


def _json_type(field: Field) -> pa.DataType:
    return pa.string() if field.is_file else _type(field)


def _text_type(field: Field) -> pa.DataType:
    if field.is_file:
        return pa.binary()
    return pa.list_(pa.string()) if field.array else pa.string()


def _key_types(first: str, reader: MessageReader) -> dict[str, pa.DataType]:
    """Keys are texts or whole numbers, in all messages alike if a producer takes care."""
    try:
        value = json.loads(first)
    except (ValueError, RecursionError):
        return {}
    names = (reader.key, *reader.kept)
    return {name: pa.int64() for name in names if isinstance(value.get(name), int) and value.get(name) is not True}


def _unless_same(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    return column if column.type == kind else column.cast(kind)


def _with_hashes(keys: pa.Array, messages: pa.Array) -> pa.Array:
    """Returns the keys, with the hash of the message for those that are null."""
    if not keys.null_count:
        return keys
    known = keys.to_pylist()
    hashes = [
        key if key is not None else hashlib.sha256(message or b"").hexdigest()[:KEY_LENGTH]
        for key, message in zip(known, messages.to_pylist(), strict=True)
    ]
    return pa.array(hashes, pa.string())


def _decoded(texts: pa.Array, understood: npt.NDArray[np.bool_]) -> pa.Array:
    """Returns bytes that JSON holds as base64; whoever has other texts is no longer understood."""
    found: list[bytes | None] = []
    for place, text in enumerate(texts.to_pylist()):
        try:
            found.append(None if text is None else base64.b64decode(text, validate=True))
        except ValueError:
            found.append(None)
            understood[place] = False
    return pa.array(found, pa.binary())


def _places(batch: pa.RecordBatch) -> pa.Array:
    if not set(ORIGIN) <= set(batch.schema.names):
        return pa.nulls(batch.num_rows, pa.string())
    parts = [batch.column(name).cast(pa.string()) for name in ORIGIN]
    return pc.binary_join_element_wise(*parts, "/")


def _read(message: bytes | None, fields: Sequence[Field]) -> tuple[dict[str, Any], str | None]:
    """Returns the values of a message as texts, and what is wrong with it as a whole."""
    if message is None:
        return {}, "the message is empty"
    try:
        read = json.loads(message.decode(), parse_int=str, parse_float=str, parse_constant=str)
    except UnicodeDecodeError as error:
        return {}, f"the message is no UTF-8 at byte {error.start}"
    except json.JSONDecodeError as error:
        return {}, f"the message is no JSON at character {error.pos}: {error.msg}"
    except RecursionError:
        return {}, "the message is nested too deeply"
    if not isinstance(read, dict):
        return {}, "the message is no JSON object"
    if not any(field.name in read for field in fields):
        return read, f"the message has no field of the model, such as {fields[0].name}" if fields else None
    values: dict[str, Any] = dict(read)
    faults = []
    for field in fields:
        values[field.name], fault = _value(field, read.get(field.name))
        if fault:
            faults.append(f"{field.name}: '{_shown(read[field.name])}' {fault}")
    return values, "; ".join(faults) or None


def _value(field: Field, value: Any) -> tuple[Any, str]:
    """Returns a value in the form of its field's column, or None and what is wrong with it."""
    if value is None:
        return None, ""
    if field.array:
        if not isinstance(value, list) or any(isinstance(element, list | dict) for element in value):
            return None, NO_ARRAY
        return [_as_text(element) for element in value], ""
    if isinstance(value, list | dict):
        return None, NOT_SINGLE
    if not field.is_file:
        return _as_text(value), ""
    try:
        return base64.b64decode(str(value), validate=True), ""
    except ValueError:
        return None, "is not base64"


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)  # true, false, and what is nested


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text[:SHOWN].replace("'", "’")
