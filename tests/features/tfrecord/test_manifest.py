"""The manifest of a set of shards: JSON, verification, the plan of equal steps."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from emberline.features.tfrecord.layouts import write_shard
from emberline.features.tfrecord.manifest import ManifestError, Shard, ShardSet, type_name, type_of

SCHEMA = pa.schema([("n", pa.int64()), ("v", pa.list_(pa.float32(), 3)), ("s", pa.string()), ("b", pa.binary())])
SET = ShardSet(
    SCHEMA, "block", "gzip", 1000, (Shard("a.gz", 1500, 2, 99, 0xFFFFFFFF), Shard("b.gz", 10, 1, 9, 0, ((1, 9),)))
)


def test_json_is_readable_and_comes_back() -> None:
    text = json.dumps(SET.to_json())
    assert ShardSet.from_json(json.loads(text)) == ShardSet.from_json(text) == SET
    content = SET.to_json()
    assert content["schema"] == [
        {"name": "n", "type": "int64"},
        {"name": "v", "type": "float32[3]"},
        {"name": "s", "type": "string"},
        {"name": "b", "type": "binary"},
    ]
    assert (content["rows"], content["codec"], content["layout"]) == (1510, "gzip", "block")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layout": "rows"}, "Layout 'rows' is not one of plain, packed, block"),
        ({"schema": [{"name": "n", "type": "double"}]}, "Type 'double' is not known"),
        ({"shards": [{"path": "a"}]}, "missing 4 required positional arguments"),
        (
            {"shards": [SET.to_json()["shards"][0] | {"path": "../other/a.gz"}]},
            r"'../other/a.gz' leads out of its folder",
        ),
        ({"rows": 7}, "Rows is 7, its shards add up to 1510"),
    ],
)
def test_unusable_json_is_explained(change: dict[str, object], message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        ShardSet.from_json(SET.to_json() | change)
    with pytest.raises(ManifestError, match="KeyError: 'shards'"):
        ShardSet.from_json("{}")


def test_types() -> None:
    for kind in (*SCHEMA.types, pa.float32(), pa.list_(pa.int64(), 1), pa.list_(pa.int64()), pa.list_(pa.float32())):
        assert type_of(type_name("c", kind)) == kind
    with pytest.raises(ManifestError, match=r"Column 'c' of type list<item: string> is not a type of transformed data"):
        type_name("c", pa.list_(pa.string()))
    for name in ("int64[x]", "string[2]", "int64[", "int32"):
        with pytest.raises(ValueError, match="is not known"):
            type_of(name)


def test_verify_names_the_file(tmp_path: Path) -> None:
    schema = pa.schema([("n", pa.int64())])
    batch = pa.RecordBatch.from_pydict({"n": list(range(100))})
    shards = tuple(write_shard(str(tmp_path / name), [batch], schema=schema) for name in ("a", "b"))
    found = ShardSet(schema, "block", None, 1000, shards)
    found.verify(str(tmp_path))
    data = (tmp_path / "b").read_bytes()
    (tmp_path / "b").write_bytes(data[:50] + b"?" + data[51:])
    with pytest.raises(ManifestError, match=r"/b: has CRC-32C \w{8}, the manifest says \w{8}: the file was changed"):
        found.verify(str(tmp_path))
    (tmp_path / "b").write_bytes(data[:-1])
    with pytest.raises(ManifestError, match=rf"/b: has {len(data) - 1} bytes, the manifest says {len(data)}"):
        found.verify(str(tmp_path))
    (tmp_path / "a").unlink()
    with pytest.raises(ManifestError, match="/a: the file is missing"):
        found.verify(str(tmp_path))


@given(st.integers(0, 5000), st.integers(1, 9), st.integers(1, 40))
def test_plan_gives_every_worker_the_same(rows: int, workers: int, per_worker: int) -> None:
    batch = workers * per_worker
    shards = replace(SET, shards=(Shard("a", rows, rows, 0, 0),))
    if rows < batch:
        with pytest.raises(ValueError, match="fewer than one global batch"):
            shards.plan(workers, batch)
        return
    plan = shards.plan(workers, batch)
    assert plan.steps_per_epoch == rows // batch
    assert [high - low for low, high in plan.ranges] == [plan.steps_per_epoch * per_worker] * workers
    assert [low for low, _ in plan.ranges[1:]] == [high for _, high in plan.ranges[:-1]]
    assert plan.ranges[0][0] == 0
    assert rows - plan.ranges[-1][1] < batch


@given(st.integers(1, 9), st.integers(1, 100))
def test_plan_refuses_a_batch_that_does_not_divide(workers: int, batch: int) -> None:
    assume(batch % workers)
    with pytest.raises(ValueError, match=f"Global batch {batch} does not divide among {workers} workers"):
        SET.plan(workers, batch)


def test_block_offsets_expand_the_run_lengths() -> None:
    shard = Shard("a", 35, 4, 350, 0, ((3, 100), (1, 50)))
    assert shard.block_offsets() == [0, 100, 200, 300, 350]
    assert Shard("a", 0, 0, 0, 0).block_offsets() == []
