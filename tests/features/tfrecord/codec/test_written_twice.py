"""What a record says twice, as no writer of ours does: as protobuf and TensorFlow agree, else refused."""

import itertools
import struct
from typing import Any

import pyarrow as pa
import pytest

from emberline.features.tfrecord.codec.example import ExampleDecoder
from emberline.features.tfrecord.codec.feature_types import UnsupportedColumnError
from emberline.features.tfrecord.codec.sequence_example import SequenceExampleDecoder

tf = pytest.importorskip("tensorflow")

TYPES = {
    "int64": (pa.int64(), tf.int64),
    "float": (pa.float32(), tf.float32),
    "bytes": (pa.binary(), tf.string),
}


def tagged(tag: int, content: bytes) -> bytes:
    return bytes([tag, len(content)]) + content


def ints(*values: int) -> bytes:
    return tagged(0x1A, tagged(0x0A, bytes(values)))


def floats(*values: float) -> bytes:
    return tagged(0x12, tagged(0x0A, struct.pack(f"<{len(values)}f", *values)))


def texts(*values: bytes) -> bytes:
    return tagged(0x0A, b"".join(tagged(0x0A, value) for value in values))


def entry(*features: bytes, key: bytes = b"k") -> bytes:
    return tagged(0x0A, tagged(0x0A, key) + b"".join(tagged(0x12, feature) for feature in features))


FEATURES = {"one": ints(1), "two": ints(2), "both": ints(1, 2), "float": floats(1.5), "text": texts(b"x"), "none": b""}
PAIRS = list(itertools.product(FEATURES, FEATURES))
OTHER = entry(ints(9), key=b"other")


def records(first: bytes, second: bytes) -> dict[str, bytes]:
    """A feature that has two lists, a key with two values, a key that comes twice, a map that does."""
    return {
        "list": tagged(0x0A, entry(first + second) + OTHER),
        "value": tagged(0x0A, entry(first, second) + OTHER),
        "key": tagged(0x0A, entry(first) + OTHER + entry(second)),
        "map": tagged(0x0A, entry(first) + OTHER) + tagged(0x0A, entry(second)),
    }


def of_protobuf(record: bytes) -> tuple[str | None, list[Any]]:
    feature = tf.train.Example.FromString(record).features.feature["k"]
    kind = feature.WhichOneof("kind")
    return (kind.removesuffix("_list"), list(getattr(feature, kind).value)) if kind else (None, [])


def of_tensorflow(record: bytes, kind: str) -> list[Any] | None:
    """None where it fails."""
    try:
        parsed = tf.io.parse_example([record], {"k": tf.io.VarLenFeature(TYPES[kind][1])})
    except tf.errors.InvalidArgumentError:
        return None
    return parsed["k"].values.numpy().tolist()


def of_ours(record: bytes, kind: pa.DataType) -> list[Any] | None:
    schema = pa.schema([("other", pa.int64()), ("k", kind)])
    try:
        decoded = ExampleDecoder(schema).decode([record, record])
    except UnsupportedColumnError:
        return None
    assert decoded.column("other").to_pylist() == [9, 9]
    found = decoded.column("k").to_pylist()
    assert found[0] == found[1]
    return found[0] if isinstance(found[0], list) else [] if found[0] is None else [found[0]]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_it_is_read_as_both_read_it_or_refused(first: str, second: str) -> None:
    for how, record in records(FEATURES[first], FEATURES[second]).items():
        written, values = of_protobuf(record)
        for kind, (leaf, _) in TYPES.items():
            protobuf = values if written in (kind, None) else None
            agreed = protobuf if protobuf == of_tensorflow(record, kind) else None
            if (written, kind) == ("int64", "float"):  # whole numbers are taken for a column of others
                agreed = [float(value) for value in values] if how in ("key", "map") else None
                if "none" in (first, second) and how == "list":
                    agreed = [float(value) for value in values]
            assert of_ours(record, pa.list_(leaf)) == agreed, (how, kind)
            single = None if agreed is None or len(agreed) > 1 else agreed
            assert of_ours(record, leaf) == single, (how, kind, "single")


def test_the_message_says_who_disagrees() -> None:
    record = records(ints(1), ints(2))["value"]
    with pytest.raises(UnsupportedColumnError, match=r"record 0: column 'k' .* twice: protobuf joins the two.*once"):
        ExampleDecoder(pa.schema([("k", pa.list_(pa.int64()))])).decode([record])


def test_what_nobody_asks_for_may_be_twice() -> None:
    record = records(ints(1), ints(2))["value"]
    decoded = ExampleDecoder(pa.schema([("other", pa.int64())])).decode([record])
    assert decoded.column(0).to_pylist() == [9]


@pytest.mark.parametrize("first", [texts(b"x"), ints(7)])
def test_the_last_feature_list_of_a_name_wins(first: bytes) -> None:
    lists = tagged(0x12, entry(tagged(0x0A, first)) + entry(tagged(0x0A, ints(1, 2)) + tagged(0x0A, ints(3))))
    decoded = SequenceExampleDecoder(pa.schema([("k", pa.list_(pa.list_(pa.int64())))])).decode([lists, lists])
    assert decoded.column(0).to_pylist() == [[[1, 2], [3]]] * 2
    found = tf.train.SequenceExample.FromString(lists).feature_lists.feature_list["k"].feature
    assert [list(feature.int64_list.value) for feature in found] == [[1, 2], [3]]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (pa.list_(pa.int64()), "meets a feature list of that name; declare it as list<list<int64>>"),
        (
            pa.list_(pa.list_(pa.int64())),
            "meets a feature of the context of that name; declare it as int64 or list<int64>",
        ),
    ],
)
def test_the_wrong_depth_is_named(kind: pa.DataType, message: str) -> None:
    context, lists = tagged(0x0A, entry(ints(1))), tagged(0x12, entry(tagged(0x0A, ints(2))))
    decoder = SequenceExampleDecoder(pa.schema([("k", kind)]))
    nested = pa.types.is_list(kind.value_type)
    right, wrong = (lists, context) if nested else (context, lists)
    assert decoder.decode([right, context + lists, lists + context]).column(0).null_count == 0, "each has its own names"
    assert decoder.decode([b"", right]).column(0).null_count == 1, "it may be absent"
    with pytest.raises(UnsupportedColumnError, match=f"record 1: column 'k' of type .* {message}"):
        decoder.decode([right, wrong])
