"""Shards of transformed data in the three layouts: what is stored, and that rows come back from it."""

import gzip
import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from emberline.features import storage
from emberline.features.tfrecord.codec.feature_types import UnsupportedColumnError
from emberline.features.tfrecord.codec.framing import DamagedRecordError, RecordReader, write_records
from emberline.features.tfrecord.layouts import read_shard, record_schema, shard_name, write_shard
from emberline.features.tfrecord.manifest import LAYOUTS, Layout, ManifestError, Shard, ShardSet
from emberline.features.tfrecord.parsing import block_window

SCHEMA = pa.schema(
    [("label", pa.int64()), ("x", pa.float32()), ("key", pa.string()), ("ids", pa.list_(pa.int64(), 2)),
     ("v", pa.list_(pa.float32(), 3)), ("raw", pa.binary()), ("y", pa.float32()),
     ("many", pa.list_(pa.int64())), ("weights", pa.list_(pa.float32()))]
)  # fmt: skip


def table(rows: int) -> pa.Table:
    number = np.arange(rows)
    columns = [
        pa.array(-number),
        pa.array((number / 8).astype(np.float32)),
        pa.array([f"ключ {n}" * (n % 3) for n in number]),
        pa.FixedSizeListArray.from_arrays(pa.array(np.arange(2 * rows)), 2),
        pa.FixedSizeListArray.from_arrays(pa.array(np.arange(3 * rows).astype(np.float32)), 3),
        pa.array([bytes([n % 256]) * (n % 4) for n in number], pa.binary()),
        pa.array((number * -2).astype(np.float32)),
        pa.array([[int(n)] * (n % 4) for n in number], pa.list_(pa.int64())),
        pa.array([[n / 2] * (n % 3) for n in number], pa.list_(pa.float32())),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def read(folder: str, shards: ShardSet) -> pa.Table:
    return pa.Table.from_batches(
        (batch for shard in shards.shards for batch in read_shard(folder, shards, shard)), schema=shards.schema
    )


@pytest.mark.parametrize("codec", [None, "gzip", "zlib"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_rows_come_back(tmp_path: Path, layout: Layout, codec: str | None) -> None:
    data = table(2345)
    name = shard_name(0, 1, codec)
    shard = write_shard(
        str(tmp_path / name), data.to_batches(max_chunksize=701), schema=SCHEMA, layout=layout, codec=codec,
        rows_per_block=100,
    )  # fmt: skip
    shards = ShardSet(SCHEMA, layout, codec, 100, (shard,))
    assert (shard.path, shard.rows, shard.records) == (name, 2345, 24 if layout == "block" else 2345)
    assert read(str(tmp_path), shards).combine_chunks().equals(data)
    shards.verify(str(tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == [name]  # no staging file is left
    if codec is None:
        assert shard.block_offsets()[-1] == shard.bytes
        assert len(shard.block_offsets()) == 25
    else:
        assert shard.blocks == ()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 30), max_size=6), st.integers(1, 20), st.sampled_from(LAYOUTS))
def test_any_batches_become_exact_blocks(sizes: list[int], rows_per_block: int, layout: Layout) -> None:
    data = table(sum(sizes))
    bounds = np.cumsum([0, *sizes]).tolist()
    batches = [data.slice(a, b - a).combine_chunks().to_batches() for a, b in itertools.pairwise(bounds)]
    shard = write_shard(
        "memory:/layouts/any",
        [batch for part in batches for batch in part],
        schema=SCHEMA,
        layout=layout,
        rows_per_block=rows_per_block,
    )
    shards = ShardSet(SCHEMA, layout, None, rows_per_block, (shard,))
    assert read("memory:/layouts", shards).to_pylist() == data.to_pylist()
    whole = storage.read_bytes("memory:/layouts/any")
    offsets = shard.block_offsets()
    rows = []
    for low, high in itertools.pairwise(offsets):  # every block is a readable piece of the file
        storage.write_bytes_atomic("memory:/layouts/piece", whole[low:high])
        records = sum(len(batch) for batch in RecordReader("memory:/layouts/piece"))
        rows.append(records if layout != "block" else None)
    if layout != "block" and rows:
        assert rows == [rows_per_block] * (len(rows) - 1) + [data.num_rows - rows_per_block * (len(rows) - 1)]


def test_every_layout_is_a_file_of_examples(tmp_path: Path) -> None:
    """What other readers see."""
    tf = pytest.importorskip("tensorflow")
    data = table(5)
    found = {}
    for layout in LAYOUTS:
        write_shard(str(tmp_path / layout), data.to_batches(), schema=SCHEMA, layout=layout, rows_per_block=3)
        records = [record.numpy() for record in tf.data.TFRecordDataset(str(tmp_path / layout))]
        found[layout] = [tf.train.Example.FromString(record).features.feature for record in records]
    assert set(found["plain"][0]) == set(SCHEMA.names)
    packed = found["packed"][2]
    assert list(packed["int64"].int64_list.value) == [-2, 4, 5]
    assert list(packed["float32"].float_list.value) == [0.25, 6, 7, 8, -4]
    assert list(packed["bytes"].bytes_list.value) == ["ключ 2ключ 2".encode(), b"\2\2"]
    block = found["block"][1]
    assert list(block["rows"].int64_list.value) == [2]
    assert np.frombuffer(block["int64"].bytes_list.value[0], "<i8").tolist() == [-3, 6, 7, -4, 8, 9]
    assert np.frombuffer(block["float32"].bytes_list.value[0], "<f4").tolist()[:5] == [0.375, 9, 10, 11, -6]
    assert np.frombuffer(block["raw/lengths"].bytes_list.value[0], "<i4").tolist() == [3, 0]
    assert block["raw/data"].bytes_list.value[0] == b"\3\3\3"
    assert list(packed["many"].int64_list.value) == [2, 2]
    assert list(packed["weights"].float_list.value) == [1, 1]
    assert list(found["plain"][3]["many"].int64_list.value) == [3, 3, 3]
    assert np.frombuffer(block["many/lengths"].bytes_list.value[0], "<i4").tolist() == [3, 0]
    assert np.frombuffer(block["many/data"].bytes_list.value[0], "<i8").tolist() == [3, 3, 3]
    assert np.frombuffer(block["weights/data"].bytes_list.value[0], "<f4").tolist() == [2]


def test_schema_without_numbers_or_without_strings(tmp_path: Path) -> None:
    for schema in (pa.schema([("s", pa.string())]), pa.schema([("n", pa.int64())]), pa.schema([("f", pa.float32())])):
        data = (
            pa.Table.from_pylist([{name: kind} for name in schema.names for kind in (None,)]).slice(0, 0).cast(schema)
        )
        values = {"s": ["a", ""], "n": [1, 2], "f": [0.5, 1.0]}
        data = pa.table({name: pa.array(values[name], schema.field(name).type) for name in schema.names})
        for layout in LAYOUTS:
            shard = write_shard(str(tmp_path / "x"), data.to_batches(), schema=schema, layout=layout)
            assert read(str(tmp_path), ShardSet(schema, layout, None, 1000, (shard,))).equals(data)


def test_no_rows(tmp_path: Path) -> None:
    for layout in LAYOUTS:
        shard = write_shard(str(tmp_path / "x"), [], schema=SCHEMA, layout=layout)
        assert (shard.rows, shard.records, shard.bytes, shard.crc32c, shard.blocks) == (0, 0, 0, 0, ())
        assert read(str(tmp_path), ShardSet(SCHEMA, layout, None, 1000, (shard,))).num_rows == 0


def test_nulls_and_wrong_types_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    schema = pa.schema([("n", pa.int64()), ("v", pa.list_(pa.float32(), 2))])
    good = {"n": pa.array([1]), "v": pa.array([[1.0, 2.0]], pa.list_(pa.float32(), 2))}
    for bad, message in (
        ({"n": pa.array([None], pa.int64())}, "Column 'n' of type int64 has nulls"),
        ({"v": pa.array([[1.0, None]], pa.list_(pa.float32(), 2))}, "Column 'v' of type .* has nulls"),
        ({"n": pa.array([1], pa.int32())}, "Column 'n' has type int32, the schema says int64; cast it"),
    ):
        with pytest.raises(UnsupportedColumnError, match=message):
            write_shard(str(tmp_path / "x"), [pa.RecordBatch.from_pydict(good | bad)], schema=schema)
    with pytest.raises(ValueError, match="Batch lacks the columns v; it has n"):
        write_shard(str(tmp_path / "x"), [pa.RecordBatch.from_pydict({"n": [1]})], schema=schema)
    with pytest.raises(ManifestError, match="Column 'd' of type double is not a type of transformed data"):
        write_shard(str(tmp_path / "x"), [], schema=pa.schema([("d", pa.float64())]))
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_previous_shard(tmp_path: Path) -> None:
    uri = str(tmp_path / "x")
    write_shard(uri, table(10).to_batches(), schema=SCHEMA)
    before = (tmp_path / "x").read_bytes()

    def broken():  # type: ignore[no-untyped-def]
        yield from table(10).to_batches()
        raise RuntimeError("the task died")

    with pytest.raises(RuntimeError, match="the task died"):
        write_shard(uri, broken(), schema=SCHEMA)
    assert (tmp_path / "x").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_a_short_file_is_noticed_by_its_row_count(tmp_path: Path) -> None:
    """A file cut between two records is valid by itself; the manifest knows better."""
    for layout in LAYOUTS:
        path = tmp_path / "x"
        shard = write_shard(str(path), table(30).to_batches(), schema=SCHEMA, layout=layout, rows_per_block=10)
        path.write_bytes(path.read_bytes()[: shard.block_offsets()[2]])
        with pytest.raises(DamagedRecordError, match="the file ends here with 20 rows, the manifest says 30"):
            read(str(tmp_path), ShardSet(SCHEMA, layout, None, 10, (shard,)))


def test_a_block_that_does_not_fit_the_schema(tmp_path: Path) -> None:
    shard = write_shard(str(tmp_path / "x"), table(30).to_batches(), schema=SCHEMA)
    other = pa.schema([("label", pa.int64()), ("x", pa.float32()), ("ids", pa.list_(pa.int64(), 7))])
    with pytest.raises(DamagedRecordError, match="record 0 at byte 0: the block of 30 rows does not fit the schema"):
        read(str(tmp_path), ShardSet(other, "block", None, 1000, (shard,)))
    write_records(str(tmp_path / "x"), [[b""]])
    with pytest.raises(DamagedRecordError, match=r"features .* are missing; this is no record of layout block"):
        read(str(tmp_path), ShardSet(SCHEMA, "block", None, 1000, (shard,)))


TEXTS = pa.schema([("text", pa.string()), ("ids", pa.list_(pa.int64()))])


def forged(tmp_path: Path, **features: object) -> ShardSet:
    """A shard of one block with valid checksums whose features are as given."""
    made = {
        "rows": 3,
        "text/data": b"8 bytes.",
        "ids/data": bytes(16),
        "ids/lengths": np.array([1, 1, 0], "<i4").tobytes(),
    }
    example = tf.train.Example()
    for name, value in ({"text/lengths": np.array([8, 0, 0], "<i4").tobytes()} | made | features).items():
        if isinstance(value, int):
            example.features.feature[name].int64_list.value.append(value)
        else:
            example.features.feature[name].bytes_list.value.append(value)
    write_records(str(tmp_path / "x"), [[example.SerializeToString()]])
    return ShardSet(TEXTS, "block", None, 1000, (Shard("x", 3, 1, 0, 0, (3,)),))


WRAPPING = np.array([5000, 2**31 - 1, 2147478657], "<u4").tobytes()  # add up to 8 in 32 bits


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ({"text/lengths": WRAPPING}, "3 lengths of 'text' add up to 4294967304, 8 are there"),
        ({"ids/lengths": np.array([2**31 - 1, 2**31 - 1, 4], "<u4").tobytes()}, "add up to 4294967298, 2 are there"),
        ({"text/lengths": np.array([9, -1, 0], "<i4").tobytes()}, "add up to 8, 8 are there"),
        ({"text/lengths": np.array([8], "<i4").tobytes()}, "1 lengths of 'text'"),
        ({"rows": -1}, "it says that it has -1 rows"),
        ({"rows": 2**40}, "it says that it has 1099511627776 rows"),
        ({"rows": 2**31 - 1}, "3 lengths of 'text'"),
        ({"text/lengths": b"123"}, "does not fit the schema"),
    ],
)
def test_a_forged_block_is_damage(tmp_path: Path, features: dict[str, object], said: str) -> None:
    with pytest.raises(DamagedRecordError, match=said):
        read(str(tmp_path), forged(tmp_path, **features))


@pytest.mark.parametrize("column", ["text", "ids"])
def test_training_refuses_forged_lengths_too(tmp_path: Path, column: str) -> None:
    shards = forged(tmp_path, **{f"{column}/lengths": np.array([-1, 2, 7 if column == "text" else 1], "<i4").tobytes()})
    prepare = block_window(shards, [column])
    record = tf.constant([next(iter(tf.data.TFRecordDataset(str(tmp_path / "x")))).numpy()])
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"lengths of {column} do not fit their data"):
        prepare(lambda rows: rows, record, tf.constant([0], tf.int64), tf.constant([3], tf.int64))


def test_names() -> None:
    assert shard_name(3, 8) == "part-00003-of-00008.tfrecord"
    assert shard_name(0, 1, "gzip") == "part-00000-of-00001.tfrecord.gz"
    with pytest.raises(ValueError, match="Shard 8 of 8"):
        shard_name(8, 8)
    with pytest.raises(ValueError, match="Layout 'rows' is not known; use one of plain, packed, block"):
        write_shard("memory:/x", [], schema=SCHEMA, layout="rows")  # type: ignore[arg-type]


def test_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    """However the rows are cut into batches: a retried task writes the same file."""
    shards = [
        write_shard(str(tmp_path / "x.gz"), table(999).to_batches(max_chunksize=size), schema=SCHEMA, codec="gzip")
        for size in (10, 333, 999)
    ]
    assert shards[0] == shards[1] == shards[2]
    assert gzip.decompress((tmp_path / "x.gz").read_bytes())


def test_record_schema_names() -> None:
    assert record_schema(SCHEMA, "packed").names == ["int64", "float32", "bytes", "many", "weights"]
    assert record_schema(SCHEMA, "block").names == [
        "rows", "int64", "float32", "key/lengths", "key/data", "raw/lengths", "raw/data", "many/lengths", "many/data",
        "weights/lengths", "weights/data",
    ]  # fmt: skip


MEMORY = """
import resource, sys
import numpy as np, pyarrow as pa
from emberline.features.tfrecord.layouts import read_shard, write_shard
from emberline.features.tfrecord.manifest import ShardSet

folder, layout, codec = sys.argv[1:]
schema = pa.schema([("n", pa.int64()), ("v", pa.list_(pa.float32(), 20)), ("s", pa.string())])
values = pa.array(np.random.default_rng(0).normal(size=200_000).astype(np.float32))
values = pa.FixedSizeListArray.from_arrays(values, 20)
batch = pa.RecordBatch.from_arrays([pa.array(np.arange(10_000)), values, pa.array(["x" * 100] * 10_000)], schema=schema)

def run(count):
    batches = (batch for _ in range(count))
    shard = write_shard(folder + "/x", batches, schema=schema, layout=layout, codec=codec or None)
    read = read_shard(folder, ShardSet(schema, layout, codec or None, 1000, (shard,)), shard)
    assert sum(piece.num_rows for piece in read) == count * 10_000
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

print(run(10), run(200))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("layout", "codec"), [("block", ""), ("plain", ""), ("packed", ""), ("block", "gzip")])
def test_memory_does_not_grow_with_the_shard(tmp_path: Path, layout: str, codec: str) -> None:
    """2 million rows (400 MB in memory) need no more than 100,000 of them did; in MiB."""
    command = [sys.executable, "-c", MEMORY, str(tmp_path), layout, codec]
    result = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3], timeout=300
    )
    small, large = map(int, result.stdout.split())
    assert large < small + 60
