"""Mutated records and files: our decoders read them or refuse them, and never read beyond them.

The seed of each round is its number, so that a round that failed is repeated by `decode_mutated(kind, round)` alone.
"""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from emberline.features.tfrecord.codec.example import ExampleDecoder, serialize_examples
from emberline.features.tfrecord.codec.feature_types import UnsupportedColumnError
from emberline.features.tfrecord.codec.framing import DamagedRecordError, RecordReader, Records, write_records
from emberline.features.tfrecord.codec.sequence_example import SequenceExampleDecoder, SequenceExampleEncoder
from emberline.features.tfrecord.layouts import read_shard, write_shard
from emberline.features.tfrecord.manifest import ShardSet

QUICK, LONG = 400, 1_000_000
REFUSED = (DamagedRecordError, UnsupportedColumnError)

FLAT = pa.record_batch(
    {
        "n": pa.array([1, None, -3]),
        "x": pa.array([[0.5], [], [1.5, 2.5]], pa.list_(pa.float32())),
        "t": pa.array(["a", "ключ" * 40, None]),
        "b": pa.array([[b"\0"], [b"", b"\xff" * 200], []], pa.list_(pa.binary())),
    }
)
NESTED = pa.record_batch(
    {
        "n": pa.array([1, 2]),
        "rows": pa.array([[[1, 2], []], [[3]]], pa.list_(pa.list_(pa.int64()))),
        "texts": pa.array([[["a"], ["b", "c"]], []], pa.list_(pa.list_(pa.string()))),
    }
)
BLOCK = pa.record_batch(
    {
        "n": pa.array([1, 2, 3]),
        "x": pa.array([0.5, 1.5, 2.5], pa.float32()),
        "t": pa.array(["a", "", "ключ"]),
        "many": pa.array([[1], [], [2, 3]], pa.list_(pa.int64())),
    }
)


def mutated(content: bytes, random: np.random.Generator) -> bytes:
    """The bytes with some of them changed, cut out, doubled, or all behind a place gone."""
    data = bytearray(content)
    for _ in range(random.integers(1, 5)):
        place = int(random.integers(0, len(data) + 1))
        match random.integers(0, 5):
            case 0 if place < len(data):
                data[place] = int(random.choice([0, 1, 127, 128, 255, random.integers(0, 256)]))
            case 1:
                del data[place : place + int(random.integers(1, 9))]
            case 2:
                data[place:place] = data[place : place + int(random.integers(1, 9))]
            case 3:
                data[place : place + 10] = b"\xff" * int(random.integers(1, 11))
            case 4:
                del data[place:]
    return bytes(data)


def examples() -> list[bytes]:
    return [bytes(record) for record in serialize_examples(FLAT).to_pylist()]


def sequences() -> list[bytes]:
    data, ends = SequenceExampleEncoder(NESTED.schema).encode_with_ends(NESTED, framed=False)
    bounds = [0, *ends.tolist()]
    return [bytes(data[a:b]) for a, b in itertools.pairwise(bounds)]


def exact(record: bytes) -> Records:
    """The record in a buffer that ends with it: what is read beyond is not ours."""
    return Records.of([record])


def of_examples(decoder: ExampleDecoder, seeds: list[bytes]) -> Callable[[int], None]:
    def decode(number: int) -> None:
        content = mutated(seeds[number % len(seeds)], np.random.default_rng(number))
        try:
            decoder.decode(exact(content)).validate(full=True)
        except REFUSED:
            pass

    return decode


def of_frames(folder: Path) -> Callable[[int], None]:
    write_records(str(folder / "good"), [examples()])
    good, file = (folder / "good").read_bytes(), folder / "mutated"
    known = set(examples())

    def decode(number: int) -> None:
        file.write_bytes(mutated(good, np.random.default_rng(number)))
        reader = RecordReader(str(file), None, on_damage="skip_rest")
        found = {bytes(record) for records in reader for record in records.to_arrow().to_pylist()}
        assert found <= known | {b""}, "a record with two good checksums is one that was written"

    return decode


def of_blocks(folder: Path) -> Callable[[int], None]:
    shard = write_shard(str(folder / "good"), [BLOCK], schema=BLOCK.schema, layout="block")
    shards = ShardSet(BLOCK.schema, "block", None, 1000, (shard,))
    (records,) = (records for records in RecordReader(str(folder / "good"), None) if len(records))
    content = bytes(records.to_arrow()[0].as_py())

    def decode(number: int) -> None:
        write_records(str(folder / "good"), [[mutated(content, np.random.default_rng(number))]])
        try:
            for batch in read_shard(str(folder), shards, shard):
                batch.validate(full=True)
        except (*REFUSED, ValueError):
            pass

    return decode


def decoder_of(kind: str, folder: Path) -> Callable[[int], None]:
    match kind:
        case "examples":
            return of_examples(ExampleDecoder(FLAT.schema), examples())
        case "sequences":
            return of_examples(SequenceExampleDecoder(NESTED.schema), sequences())
        case "frames":
            return of_frames(folder)
    return of_blocks(folder)


@pytest.mark.parametrize("kind", ["examples", "sequences", "frames", "blocks"])
@pytest.mark.parametrize("rounds", [QUICK, pytest.param(LONG, marks=[pytest.mark.slow, pytest.mark.timeout(4 * 3600)])])
def test_mutated_bytes_are_read_or_refused(kind: str, rounds: int, tmp_path: Path) -> None:
    decode = decoder_of(kind, tmp_path)
    for number in range(rounds):
        try:
            decode(number)
        except Exception as error:
            raise AssertionError(f"round {number} of {kind}") from error
