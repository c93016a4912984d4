"""`tf.train.Example` both ways, against TensorFlow's parser and writer and a model of the mapping in plain Python."""

import datetime
import decimal
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from emberline.features.tfrecord.codec.example import (
    ExampleDecoder,
    ExampleEncoder,
    decode_examples,
    encode_examples,
    serialize_examples,
)
from emberline.features.tfrecord.codec.feature_types import UnsupportedColumnError
from emberline.features.tfrecord.codec.framing import DamagedRecordError, RecordReader, RecordWriter, frame_records

tf = pytest.importorskip("tensorflow")

SLOW = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)

INT64 = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 127, 128, -1, 2**62])
FLOAT = st.floats(width=32, allow_nan=False)
TEXT = st.text(max_size=8) | st.sampled_from(["", "é", "x" * 120, "y" * 5000])
BINARY = st.binary(max_size=8) | st.sampled_from([b"", b"\xff\xfe", b"\0" * 130, b"z" * 20000])


def micros(value: datetime.datetime) -> int:
    """Microseconds since the epoch, exact."""
    return (value.replace(tzinfo=value.tzinfo or datetime.UTC) - EPOCH) // datetime.timedelta(microseconds=1)


def float32(value: Any) -> float:
    return struct.unpack("<f", struct.pack("<f", float(value)))[0]


# leaf type, values, kind of feature, value in the feature, whether a float goes through decimal
LEAVES: list[tuple[pa.DataType, st.SearchStrategy[Any], str, Callable[[Any], Any]]] = [
    (pa.int64(), INT64, "int64_list", int),
    (pa.int32(), st.integers(-(2**31), 2**31 - 1), "int64_list", int),
    (pa.int16(), st.integers(-(2**15), 2**15 - 1), "int64_list", int),
    (pa.int8(), st.integers(-128, 127), "int64_list", int),
    (pa.uint8(), st.integers(0, 255), "int64_list", int),
    (pa.uint64(), st.integers(0, 2**63 - 1), "int64_list", int),
    (pa.bool_(), st.booleans(), "int64_list", int),
    (pa.float32(), FLOAT, "float_list", float),
    (pa.float64(), FLOAT, "float_list", float),
    (pa.float16(), st.floats(width=16, allow_nan=False).map(np.float16), "float_list", float),
    (
        pa.decimal128(7, 2),
        st.integers(1000, 9999).map(lambda n: decimal.Decimal(25 * n).scaleb(-2)),
        "float_list",
        float32,
    ),
    (pa.date32(), st.dates(), "int64_list", lambda d: (d - datetime.date(1970, 1, 1)).days),
    (pa.timestamp("us", "UTC"), st.datetimes(timezones=st.just(datetime.UTC)), "int64_list", micros),
    (pa.timestamp("us"), st.datetimes(), "int64_list", micros),
    (pa.timestamp("ms"), st.datetimes().map(lambda t: t.replace(microsecond=0)), "int64_list", micros),
    (pa.string(), TEXT, "bytes_list", str.encode),
    (pa.large_string(), TEXT, "bytes_list", str.encode),
    (pa.string_view(), TEXT, "bytes_list", str.encode),
    (pa.binary(), BINARY, "bytes_list", bytes),
    (pa.large_binary(), BINARY, "bytes_list", bytes),
    (pa.binary_view(), BINARY, "bytes_list", bytes),
    (pa.binary(3), st.binary(min_size=3, max_size=3), "bytes_list", bytes),
    (pa.dictionary(pa.int8(), pa.string()), st.sampled_from(["a", "bb", ""]), "bytes_list", str.encode),
    (pa.dictionary(pa.int32(), pa.int64()), st.sampled_from([5, -6]), "int64_list", int),
]
SHAPES: list[Callable[[pa.DataType], pa.DataType]] = [
    pa.list_,
    pa.large_list,
    lambda leaf: pa.list_(leaf, 2),
    lambda leaf: pa.list_(leaf, 0),
    pa.list_view,
]


@st.composite
def columns(draw: st.DrawFn, rows: int) -> tuple[pa.Array, str, list[Any]]:
    """(array, kind of feature, elements of the feature per row or None); often a slice of a longer array."""
    leaf, values, kind, convert = draw(st.sampled_from(LEAVES))
    shape = None if pa.types.is_dictionary(leaf) else draw(st.sampled_from([None, None, *SHAPES]))
    before, after = draw(st.integers(0, 9)), draw(st.integers(0, 2))
    total = before + rows + after
    if shape is None:
        kind_of_array, cells = leaf, values
    else:
        kind_of_array = shape(leaf)
        size = kind_of_array.list_size if pa.types.is_fixed_size_list(kind_of_array) else None
        cells = st.lists(values, min_size=size or 0, max_size=5 if size is None else size)
    content = draw(st.lists(st.none() | cells, min_size=total, max_size=total))
    array = pa.array(content, kind_of_array).slice(before, rows)
    wanted = [
        None if cell is None else [convert(value) for value in ([cell] if shape is None else cell)]
        for cell in content[before : before + rows]
    ]
    return array, kind, wanted


@st.composite
def batches(draw: st.DrawFn) -> tuple[pa.RecordBatch, dict[str, tuple[str, list[Any]]]]:
    """A batch and what each of its rows must look like to TensorFlow."""
    rows = draw(st.integers(0, 6))
    names = draw(st.lists(st.text(max_size=4) | st.sampled_from(["n" * 119, "n" * 130]), unique=True, max_size=5))
    arrays, wanted = [], {}
    for name in names:
        array, kind, values = draw(columns(rows))
        arrays.append(array)
        wanted[name] = (kind, values)
    if not arrays:
        return pa.RecordBatch.from_struct_array(pa.array([{}] * rows, pa.struct([]))), wanted
    return pa.RecordBatch.from_arrays(arrays, names=names), wanted


def parsed(record: bytes) -> dict[str, tuple[str, list[Any]]]:
    """A record as TensorFlow's protobuf sees it."""
    features = tf.train.Example.FromString(record).features.feature
    return {
        name: (
            str(feature.WhichOneof("kind")),
            list(getattr(feature, feature.WhichOneof("kind") or "int64_list").value),
        )
        for name, feature in features.items()
    }


@SLOW
@given(batches())
def test_every_batch_parses_as_tensorflow_sees_it_and_comes_back(
    drawn: tuple[pa.RecordBatch, dict[str, tuple[str, list[Any]]]],
) -> None:
    batch, wanted = drawn
    records = serialize_examples(batch).to_pylist()
    assert len(records) == batch.num_rows
    for row, record in enumerate(records):
        assert parsed(record) == {n: (kind, v[row]) for n, (kind, v) in wanted.items() if v[row] is not None}
    assert bytes(encode_examples(batch)) == bytes(frame_records(records))
    again = decode_examples(records, batch.schema)
    assert again.schema == batch.schema
    assert again.num_rows == batch.num_rows
    again.validate(full=True)
    assert again.to_pylist() == batch.to_pylist()


@SLOW
@given(batches())
def test_tensorflow_serialization_decodes_to_the_same(
    drawn: tuple[pa.RecordBatch, dict[str, tuple[str, list[Any]]]],
) -> None:
    """The same message in TensorFlow's bytes: other order of the map, its own packing."""
    batch, _ = drawn
    records = serialize_examples(batch).to_pylist()
    theirs = [tf.train.Example.FromString(record).SerializeToString() for record in records]
    assert decode_examples(theirs, batch.schema).to_pylist() == batch.to_pylist()


# ---- any valid wire form ------------------------------------------------------------------------------------------


def varint(value: int) -> bytes:
    value &= 2**64 - 1
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def delimited(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


UNKNOWN = st.sampled_from(
    [b"", varint(9 << 3) + varint(300), varint(10 << 3 | 1) + b"12345678", delimited(11, b"abc"),
     varint(12 << 3 | 5) + b"1234", varint(13 << 3 | 3) + delimited(1, b"in a group") + varint(13 << 3 | 4)]
)  # fmt: skip


@st.composite
def wire_features(draw: st.DrawFn) -> bytes:
    """A Feature with packed and unpacked numbers, repeated lists, other kinds before and unknown fields between."""
    out = draw(UNKNOWN)
    for _ in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from([1, 2, 3]))
        content = draw(UNKNOWN)
        for _ in range(draw(st.integers(0, 3))):
            if kind == 1:
                content += delimited(1, draw(BINARY))
            elif kind == 2:
                numbers = draw(st.lists(FLOAT, max_size=3))
                packed = struct.pack(f"<{len(numbers)}f", *numbers)
                one = b"".join(varint(1 << 3 | 5) + packed[at : at + 4] for at in range(0, len(packed), 4))
                content += draw(st.sampled_from([delimited(1, packed), one]))
            else:
                values = draw(st.lists(INT64, max_size=3))
                apart = b"".join(varint(1 << 3) + varint(value) for value in values)
                content += draw(st.sampled_from([delimited(1, b"".join(map(varint, values))), apart]))
            content += draw(UNKNOWN)
        out += delimited(kind, content) + draw(UNKNOWN)
    return out


@st.composite
def wire_examples(draw: st.DrawFn) -> bytes:
    """An Example with duplicate keys, keys behind values, missing and repeated values, repeated `features`."""
    out = draw(UNKNOWN)
    for _ in range(draw(st.integers(0, 2))):
        features = draw(UNKNOWN)
        for _ in range(draw(st.integers(0, 4))):
            key = delimited(1, draw(st.sampled_from([b"a", b"b", b"c", b"", b"unknown"])))
            values = [delimited(2, draw(wire_features())) for _ in range(draw(st.sampled_from([1, 1, 1, 0, 2])))]
            # no unknown field inside the entry: C++ protobuf ignores it, Python's (upb) then hides the whole entry
            parts = draw(st.permutations([key, *values]))
            features += delimited(1, b"".join(parts)) + draw(UNKNOWN)
        out += delimited(1, features)
    return out


def usual_entry(key: bytes, value: int | float | bytes) -> bytes:
    """A map entry as nearly all writers write it: the key, and a packed list of one value."""
    if isinstance(value, bytes):
        feature = delimited(1, delimited(1, value))
    elif isinstance(value, float):
        feature = delimited(2, delimited(1, struct.pack("<f", value)))
    else:
        feature = delimited(3, delimited(1, varint(value)))
    return delimited(1, delimited(1, key) + delimited(2, feature))


@st.composite
def nearly_usual(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> bytes:
    """A Feature of one kind that differs from the usual form in one thing, if in any."""
    some = draw(st.lists(values, min_size=1, max_size=2))
    if isinstance(some[0], bytes):
        number, apart = 1, [delimited(1, value) for value in some]
        together = b"".join(apart)
    elif isinstance(some[0], float):
        packed = [struct.pack("<f", value) for value in some]
        number, apart = 2, [varint(1 << 3 | 5) + value for value in packed]
        together = delimited(1, b"".join(packed))
    else:
        number, apart = 3, [varint(1 << 3) + varint(value) for value in some]
        together = delimited(1, b"".join(map(varint, some)))
    content = draw(st.sampled_from([together, together, b"".join(apart), b""]))
    before, behind, last = (draw(st.sampled_from([b"", b"", b"", varint(9 << 3) + b"\x01"])) for _ in range(3))
    return delimited(number, before + content + behind) + last


@st.composite
def wire_rows(draw: st.DrawFn) -> bytes:
    """An Example with the features of the one before it in the same order, but for some that come otherwise."""
    values = {b"a": INT64, b"b": FLOAT, b"c": st.binary(max_size=140), b"unread": st.binary(max_size=140)}
    keys = list(values)
    if draw(st.integers(0, 3)) == 0:
        keys = draw(st.lists(st.sampled_from(keys), max_size=6))
    entries = b""
    for key in keys:
        odd = draw(st.integers(0, 9))
        if odd > 2:
            entries += usual_entry(key, draw(values[key]))
            continue
        feature = draw(nearly_usual(values[key]) if odd else nearly_usual(INT64) | wire_features())
        parts = [delimited(1, key), delimited(2, feature)]
        entries += delimited(1, b"".join(parts if odd else draw(st.permutations(parts)))) + draw(UNKNOWN)
    return delimited(1, entries)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(wire_rows(), min_size=2, max_size=6))
def test_single_values_in_any_wire_form_mean_what_protobuf_says(records: list[bytes]) -> None:
    """Entries of the usual form are read in one step; the others, among them, must not be taken for such."""
    schema = pa.schema([("a", pa.int64()), ("b", pa.float32()), ("c", pa.binary())])
    kinds = {"a": "int64_list", "b": "float_list", "c": "bytes_list"}
    truth = [parsed(record) for record in records]
    fits = all(
        not values or (len(values) == 1 and (kind == kinds[name] or (kind, name) == ("int64_list", "b")))
        for row in truth
        for name, (kind, values) in row.items()
        if name in kinds
    )
    try:
        found = decode_examples(records, schema).to_pylist()
    except UnsupportedColumnError:  # a value of another kind that a later one replaces is refused, too, not misread
        return
    assert fits
    for row, seen in zip(truth, found, strict=True):
        for name in kinds:
            values = row.get(name, ("None", []))[1]
            wanted = np.float32(values[0]).item() if values and name == "b" else (values[0] if values else None)
            assert seen[name] == wanted or (wanted != wanted and seen[name] != seen[name])


KINDS = {"int64_list": pa.int64(), "float_list": pa.float32(), "bytes_list": pa.binary()}


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(wire_examples(), min_size=1, max_size=4))
@example([delimited(1, delimited(1, delimited(2, b"") + delimited(1, b"a")))])
def test_any_wire_form_means_what_protobuf_says(records: list[bytes]) -> None:
    """For each key and kind that occurs, read the column and compare with `tf.train.Example.FromString`."""
    truth = [parsed(record) for record in records]
    for name in ("a", "b", "c", ""):
        kinds = {row[name][0] for row in truth if name in row and row[name][1]}
        if len(kinds) > 1:
            continue
        kind = next(iter(kinds), "int64_list")
        schema = pa.schema([(name, pa.list_(KINDS[kind]))])
        try:
            found = decode_examples(records, schema).column(0).to_pylist()
        except UnsupportedColumnError:  # a value of another kind that a later one replaces is refused, not misread
            continue
        assert found == [row[name][1] if name in row and row[name][0] != "None" else None for row in truth]


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=60) | wire_examples().flatmap(lambda r: st.integers(0, len(r)).map(lambda n: r[:n])))
def test_arbitrary_bytes_decode_or_raise_but_never_crash(record: bytes) -> None:
    schema = pa.schema([("a", pa.list_(pa.int64())), ("b", pa.string()), ("c", pa.list_(pa.float32()))])
    try:
        assert decode_examples([record], schema).num_rows == 1
    except (DamagedRecordError, UnsupportedColumnError):
        pass


# ---- parse_example and files --------------------------------------------------------------------------------------


def test_parse_example_reads_what_we_write(tmp_path: Path) -> None:
    rows = 1000
    random = np.random.default_rng(3)
    ragged = [list(map(int, random.integers(0, 99, random.integers(0, 5)))) for _ in range(rows)]
    batch = pa.RecordBatch.from_pydict(
        {
            "id": pa.array(np.arange(rows)),
            "x": pa.array(random.normal(size=rows).astype(np.float32)),
            "key": pa.array([f"ключ-{n}" for n in range(rows)]),
            "v": pa.FixedSizeListArray.from_arrays(pa.array(random.normal(size=3 * rows).astype(np.float32)), 3),
            "ragged": pa.array(ragged, pa.list_(pa.int64())),
        }
    )
    path = str(tmp_path / "a.tfrecord")
    with RecordWriter(path) as writer:
        writer.write(encode_examples(batch))
    spec = {
        "id": tf.io.FixedLenFeature([], tf.int64),
        "x": tf.io.FixedLenFeature([], tf.float32),
        "key": tf.io.FixedLenFeature([], tf.string),
        "v": tf.io.FixedLenFeature([3], tf.float32),
        "ragged": tf.io.RaggedFeature(tf.int64),
    }
    (found,) = tf.data.TFRecordDataset(path).batch(rows).map(lambda x: tf.io.parse_example(x, spec))
    assert found["id"].numpy().tolist() == batch["id"].to_pylist()
    assert (found["x"].numpy() == batch["x"].to_numpy()).all()
    assert [value.decode() for value in found["key"].numpy()] == batch["key"].to_pylist()
    assert found["v"].numpy().tolist() == batch["v"].to_pylist()
    assert found["ragged"].to_list() == ragged


@pytest.mark.parametrize("compression", ["", "GZIP", "ZLIB"])
def test_files_of_tensorflow_read_back(tmp_path: Path, compression: str) -> None:
    path = str(tmp_path / "theirs")
    with tf.io.TFRecordWriter(path, compression) as writer:
        for number in range(500):
            feature = {
                "n": tf.train.Feature(int64_list=tf.train.Int64List(value=[-number])),
                "s": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"v" * number])),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    decoder = ExampleDecoder(pa.schema([("s", pa.binary()), ("n", pa.int32())]))
    found = pa.Table.from_batches(decoder.decode(records) for records in RecordReader(path, read_bytes=10_000))
    assert found["n"].to_pylist() == [-number for number in range(500)]
    assert found["s"].to_pylist() == [b"v" * number for number in range(500)]


# ---- details ------------------------------------------------------------------------------------------------------


def test_not_a_number_and_infinities_survive() -> None:
    batch = pa.RecordBatch.from_pydict({"x": pa.array([np.nan, np.inf, -np.inf, -0.0], pa.float32())})
    back = decode_examples(serialize_examples(batch), batch.schema)
    assert back["x"].to_numpy().tobytes() == batch["x"].to_numpy().tobytes()


def test_int64_feature_promotes_to_a_float_column() -> None:
    ints = pa.RecordBatch.from_pydict({"x": pa.array([3, -(2**40)]), "v": pa.array([[1, 2], []], pa.list_(pa.int64()))})
    schema = pa.schema([("x", pa.float64()), ("v", pa.list_(pa.float32()))])
    found = decode_examples(serialize_examples(ints), schema)
    assert found.to_pydict() == {"x": [3.0, -float(2**40)], "v": [[1.0, 2.0], []]}


def test_projection_reads_only_what_is_asked_for_and_absent_columns_are_null() -> None:
    batch = pa.RecordBatch.from_pydict({f"c{n}": pa.array([n, n + 1]) for n in range(50)})
    schema = pa.schema([("c49", pa.int64()), ("absent", pa.list_(pa.string())), ("c0", pa.int64())])
    found = decode_examples(serialize_examples(batch), schema)
    assert found.to_pydict() == {"c49": [49, 50], "absent": [None, None], "c0": [0, 1]}
    assert decode_examples(serialize_examples(batch), pa.schema([])).num_rows == 2


def test_encoder_reuses_its_buffer_and_decoder_its_sizes() -> None:
    batch = pa.RecordBatch.from_pydict({"s": pa.array(["x" * n for n in range(300)])})
    encoder, decoder = ExampleEncoder(batch.schema), ExampleDecoder(batch.schema)
    for start in (0, 200, 100):
        part = batch.slice(start, 100)
        view = encoder.encode(part)
        assert bytes(view) == bytes(encode_examples(part))
        assert decoder.decode(serialize_examples(part)).to_pylist() == part.to_pylist()


def test_rows_much_larger_than_the_first_ones() -> None:
    """The decoder's buffers grow in the middle of a batch, for every kind of column."""
    n = 5000
    batch = pa.RecordBatch.from_pydict(
        {
            "s": pa.array(["", "a" * 100_000, "b"]),
            "i": pa.array([[], list(range(-n, n)), [1]], pa.list_(pa.int64())),
            "f": pa.array([[], [0.5] * n, None], pa.list_(pa.float32())),
            "b": pa.array([None, [b"", b"xyz"] * n, [b"q"]], pa.list_(pa.binary())),
        }
    )
    assert decode_examples(serialize_examples(batch), batch.schema).to_pylist() == batch.to_pylist()


def test_one_value_of_16_mebibytes() -> None:
    batch = pa.RecordBatch.from_pydict({"s": pa.array([b"\xab" * (1 << 24), b""], pa.binary())})
    records = serialize_examples(batch)
    assert len(tf.train.Example.FromString(records[0].as_py()).features.feature["s"].bytes_list.value[0]) == 1 << 24
    assert decode_examples(records, batch.schema).equals(batch)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (pa.array([{"a": 1}]), "'c' of type struct<a: int64> does not fit into a TFRecord"),
        (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())), "'c' of type map"),
        (pa.array([[[1]]]), "a list of lists needs recordType SequenceExample"),
        (pa.array([1], pa.duration("s")), r"'c' of type duration\[s\]"),
        (pa.array([1], pa.time64("us")), r"'c' of type time64\[us\]"),
        (pa.array([[1, None]]), "'c' of type list<item: int64> has an array with a null element"),
        (pa.array([2**63], pa.uint64()), "'c' of type uint64: "),
    ],
)
def test_what_does_not_fit_is_named(array: pa.Array, message: str) -> None:
    with pytest.raises(UnsupportedColumnError, match=message):
        encode_examples(pa.RecordBatch.from_arrays([array], names=["c"]))


def test_null_lists_may_cover_null_elements() -> None:
    """A null fixed-size list has null elements below it; they are not written."""
    batch = pa.RecordBatch.from_pydict({"c": pa.array([None, [1, 2]], pa.list_(pa.int64(), 2))})
    assert decode_examples(serialize_examples(batch), batch.schema).to_pylist() == batch.to_pylist()


def test_errors_of_decoding_name_record_and_column() -> None:
    records = serialize_examples(pa.RecordBatch.from_pydict({"c": pa.array([[1], [1, 2]], pa.list_(pa.int64()))}))
    with pytest.raises(UnsupportedColumnError, match=r"record 1: column 'c' of type int64 meets several values"):
        decode_examples(records, pa.schema([("c", pa.int64())]))
    with pytest.raises(UnsupportedColumnError, match=r"record 0: column 'c' of type string meets a feature with int64"):
        decode_examples(records, pa.schema([("c", pa.string())]))
    with pytest.raises(UnsupportedColumnError, match=r"row 0 of this batch has 1 elements, the schema says 2"):
        decode_examples(records, pa.schema([("c", pa.list_(pa.int64(), 2))]))
    with pytest.raises(DamagedRecordError, match=r"record 1 at byte .* not a valid tf.train.Example"):
        decode_examples([b"", b"\x0a\x05abc"], pa.schema([("c", pa.int64())]))
    raw = serialize_examples(pa.RecordBatch.from_pydict({"c": pa.array([b"\xff"], pa.binary())}))
    with pytest.raises(UnsupportedColumnError, match="Column 'c' cannot be read as string"):
        decode_examples(raw, pa.schema([("c", pa.string())]))
    wide = serialize_examples(pa.RecordBatch.from_pydict({"c": pa.array([2**40])}))
    with pytest.raises(UnsupportedColumnError, match="Column 'c' cannot be read as int32"):
        decode_examples(wide, pa.schema([("c", pa.int32())]))


def test_column_names_must_be_unique() -> None:
    schema = pa.schema([("a", pa.int64()), ("a", pa.int64())])
    with pytest.raises(ValueError, match="got twice: a"):
        ExampleEncoder(schema)
    with pytest.raises(ValueError, match="got twice: a"):
        ExampleDecoder(schema)


def test_a_batch_of_another_schema_is_refused() -> None:
    with pytest.raises(ValueError, match="Batch has columns b: int64, encoder was made for a: int64"):
        ExampleEncoder(pa.schema([("a", pa.int64())])).encode(pa.RecordBatch.from_pydict({"b": [1]}))
