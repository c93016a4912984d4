"""`tf.train.SequenceExample` both ways, against TensorFlow's protobuf and its parser."""

import itertools
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emberline.features.tfrecord.codec.feature_types import UnsupportedColumnError
from emberline.features.tfrecord.codec.framing import DamagedRecordError, Records
from emberline.features.tfrecord.codec.sequence_example import (
    SequenceExampleDecoder,
    SequenceExampleEncoder,
    decode_sequence_examples,
    encode_sequence_examples,
)

tf = pytest.importorskip("tensorflow")

LEAVES: list[tuple[pa.DataType, st.SearchStrategy[Any], Callable[[Any], Any]]] = [
    (pa.int64(), st.integers(-(2**63), 2**63 - 1), int),
    (pa.int16(), st.integers(-5, 5), int),
    (pa.float32(), st.floats(width=32, allow_nan=False), float),
    (pa.string(), st.text(max_size=5) | st.just("x" * 300), str.encode),
    (pa.large_binary(), st.binary(max_size=5), bytes),
    (pa.bool_(), st.booleans(), int),
]
OUTER: list[Callable[[pa.DataType], pa.DataType]] = [
    pa.list_,
    pa.large_list,
    lambda kind: pa.list_(kind, 2),
    pa.list_view,
]


def serialized(batch: pa.RecordBatch) -> list[bytes]:
    data, ends = SequenceExampleEncoder(batch.schema).encode_with_ends(batch, framed=False)
    bounds = [0, *ends.tolist()]
    return [bytes(data[a:b]) for a, b in itertools.pairwise(bounds)]


@st.composite
def batches(draw: st.DrawFn) -> tuple[pa.RecordBatch, dict[str, tuple[int, list[Any]]]]:
    rows, arrays, wanted = draw(st.integers(0, 5)), [], {}
    for name in draw(st.lists(st.text(max_size=3) | st.just("n" * 130), unique=True, min_size=1, max_size=4)):
        leaf, values, convert = draw(st.sampled_from(LEAVES))
        depth = draw(st.sampled_from([0, 1, 2, 2, 2]))
        kind, cells = leaf, values
        for _ in range(depth):
            kind = draw(st.sampled_from(OUTER))(kind)
            size = kind.list_size if pa.types.is_fixed_size_list(kind) else None
            cells = st.lists(cells, min_size=size or 0, max_size=3 if size is None else size)
        before = draw(st.integers(0, 3))
        content = draw(st.lists(st.none() | cells, min_size=before + rows, max_size=before + rows))
        arrays.append(pa.array(content, kind).slice(before))

        def flat(cell: Any, depth: int = depth, convert: Callable[[Any], Any] = convert) -> Any:
            if depth == 2:
                return [[convert(value) for value in inner] for inner in cell]
            return [convert(value) for value in (cell if depth else [cell])]

        wanted[name] = (depth, [None if cell is None else flat(cell) for cell in content[before:]])
    return pa.RecordBatch.from_arrays(arrays, names=list(wanted)), wanted


def values_of(feature: Any) -> list[Any]:
    return list(getattr(feature, feature.WhichOneof("kind")).value)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(batches())
def test_every_batch_parses_as_tensorflow_sees_it_and_comes_back(
    drawn: tuple[pa.RecordBatch, dict[str, tuple[int, list[Any]]]],
) -> None:
    batch, wanted = drawn
    records = serialized(batch)
    assert len(records) == batch.num_rows
    again = []
    for row, record in enumerate(records):
        message = tf.train.SequenceExample.FromString(record)
        context = {name: values_of(feature) for name, feature in message.context.feature.items()}
        lists = {n: [values_of(f) for f in item.feature] for n, item in message.feature_lists.feature_list.items()}
        present = {name: (depth, v[row]) for name, (depth, v) in wanted.items() if v[row] is not None}
        assert context == {name: value for name, (depth, value) in present.items() if depth < 2}
        assert lists == {name: value for name, (depth, value) in present.items() if depth == 2}
        again.append(message.SerializeToString())
    for source in (records, again):
        found = decode_sequence_examples(source, batch.schema)
        found.validate(full=True)
        assert found.schema == batch.schema
        assert found.to_pylist() == batch.to_pylist()


def test_parse_sequence_example_reads_what_we_write() -> None:
    batch = pa.RecordBatch.from_pydict(
        {"id": pa.array([7]), "tokens": pa.array([[["a"], ["b"], ["c"]]]), "x": pa.array([[[1, 2], [3, 4], [5, 6]]])}
    )
    context, lists = tf.io.parse_single_sequence_example(
        serialized(batch)[0],
        {"id": tf.io.FixedLenFeature([], tf.int64)},
        {"tokens": tf.io.FixedLenSequenceFeature([], tf.string), "x": tf.io.FixedLenSequenceFeature([2], tf.int64)},
    )
    assert context["id"].numpy() == 7
    assert lists["tokens"].numpy().tolist() == [b"a", b"b", b"c"]
    assert lists["x"].numpy().tolist() == [[1, 2], [3, 4], [5, 6]]


def test_inner_lists_grow_in_the_middle_of_a_batch() -> None:
    many = [[n] * (n % 3) for n in range(3000)]
    batch = pa.RecordBatch.from_pydict({"c": pa.array([[[1]], many, None, [[]]], pa.list_(pa.list_(pa.int64())))})
    assert decode_sequence_examples(serialized(batch), batch.schema).to_pylist() == batch.to_pylist()


def test_a_name_may_stand_in_context_and_feature_lists() -> None:
    """The schema's type says which of them a column is."""
    message = tf.train.SequenceExample()
    message.context.feature["c"].int64_list.value.append(5)
    message.feature_lists.feature_list["c"].feature.add().int64_list.value.extend([1, 2])
    record = message.SerializeToString()
    for kind, value in ((pa.int64(), 5), (pa.list_(pa.list_(pa.int64())), [[1, 2]])):
        assert decode_sequence_examples([record], pa.schema([("c", kind)])).to_pylist() == [{"c": value}]


def test_duplicate_feature_lists_last_one_wins() -> None:
    batch = pa.RecordBatch.from_pydict({"c": pa.array([[[1, 2], [3]], [[9]]], pa.list_(pa.list_(pa.int64())))})
    first, second = serialized(batch)
    found = decode_sequence_examples([first + second, second + first], batch.schema)
    assert found.to_pylist() == [{"c": [[9]]}, {"c": [[1, 2], [3]]}]


def test_three_levels_and_null_arrays_are_named() -> None:
    deep = pa.RecordBatch.from_pydict({"c": pa.array([[[[1]]]])})
    with pytest.raises(UnsupportedColumnError, match="Column 'c' of type list<item: list<item: list<"):
        encode_sequence_examples(deep)
    hole = pa.RecordBatch.from_pydict({"c": pa.array([[[1], None]])})
    with pytest.raises(UnsupportedColumnError, match=r"Column 'c' .* null element"):
        encode_sequence_examples(hole)


def test_damaged_record_is_named() -> None:
    schema = pa.schema([("c", pa.list_(pa.list_(pa.int64())))])
    records = Records.of([b"", b"\x12\x09abc"])
    with pytest.raises(DamagedRecordError, match=r"record 1 at byte .* not a valid tf.train.SequenceExample"):
        SequenceExampleDecoder(schema).decode(records)


@settings(max_examples=80, deadline=None)
@given(batches(), st.data())
def test_cut_and_changed_records_never_crash(drawn: tuple[pa.RecordBatch, Any], data: st.DataObject) -> None:
    for record in serialized(drawn[0]):
        at = data.draw(st.integers(0, max(0, len(record) - 1)))
        changed = record[:at] + bytes([data.draw(st.integers(0, 255))]) + record[at + 1 :]
        for broken in (record[:at], changed):
            try:
                assert decode_sequence_examples([broken], drawn[0].schema).num_rows == 1
            except (DamagedRecordError, UnsupportedColumnError):
                pass
