"""Batches of rows similarly long: the same rows, exact batches, the same after a stop, and much less padding."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from emberline.features.tfrecord import buckets
from emberline.features.tfrecord.buckets import Buckets, boundaries_of
from emberline.features.tfrecord.input import read_epoch, read_rest
from emberline.features.tfrecord.layouts import shard_name, write_shard
from emberline.features.tfrecord.manifest import ShardSet

ROWS, BATCH = 1130, 16
SCHEMA = pa.schema([("id", pa.int64()), ("many", pa.list_(pa.int64())), ("weights", pa.list_(pa.float32()))])
LENGTHS = np.random.default_rng(5).geometric(0.1, ROWS)
SORTED = Buckets("many", boundaries_of(np.quantile(LENGTHS, np.arange(101) / 100).astype(int).tolist(), 8))


@pytest.fixture(scope="module", params=[("block", None), ("block", "gzip"), ("packed", None)], ids=str)
def shards(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ShardSet]:
    layout, codec = request.param
    folder = str(tmp_path_factory.mktemp("shards"))
    many = [[row] * length for row, length in enumerate(LENGTHS.tolist())]
    table = pa.table([range(ROWS), many, [[0.5] * len(row) for row in many]], schema=SCHEMA)
    written = [
        write_shard(f"{folder}/{shard_name(n, 3, codec)}", table.slice(a, b - a).to_batches(), schema=SCHEMA,
                    layout=layout, codec=codec, rows_per_block=50)
        for n, (a, b) in enumerate(itertools.pairwise((0, 300, 901, ROWS)))
    ]  # fmt: skip
    return folder, ShardSet(SCHEMA, layout, codec, 50, tuple(written))


@pytest.fixture(autouse=True)
def small_pools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "POOL_BATCHES", 10)


def epoch(shards: tuple[str, ShardSet], sort: Buckets | None = SORTED, **options: Any) -> list[list[list[int]]]:
    given = {"batch_size": BATCH, "seed": 2, "epoch": 1, "shuffle_window_blocks": 3} | options
    found = read_epoch(*shards, buckets=sort, **given)
    batches = [batch["many"].to_list() for batch in found]
    assert found.cardinality().numpy() == len(batches)
    return batches


def waste(batches: list[list[list[int]]]) -> float:
    there = sum(len(row) for batch in batches for row in batch)
    return 1 - there / sum(max(map(len, batch)) * len(batch) for batch in batches)


def ids(batches: list[list[list[int]]]) -> list[int]:
    return [row[0] for batch in batches for row in batch]


def test_the_rows_are_the_same_and_little_is_padding(shards: tuple[str, ShardSet]) -> None:
    plain, found = epoch(shards, None), epoch(shards)
    assert [len(batch) for batch in found] == [BATCH] * (ROWS // BATCH)
    assert sorted(ids(found)) == sorted(ids(plain))
    assert all(row == [row[0]] * LENGTHS[row[0]] for batch in found for row in batch)
    assert waste(plain) > 0.6
    assert waste(found) < 0.55 * waste(plain)
    longest = [max(map(len, batch)) for batch in found]
    assert abs(np.corrcoef(np.arange(len(longest)), longest)[0, 1]) < 0.5, "batches do not come by their length"
    assert ids(epoch(shards, epoch=2)) != ids(found)
    assert ids(epoch(shards)) == ids(found)


def test_every_row_of_a_whole_epoch_comes_once(shards: tuple[str, ShardSet]) -> None:
    assert sorted(ids(epoch(shards, drop_remainder=False))) == list(range(ROWS))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_position_is_restored_exactly(shards: tuple[str, ShardSet], workers: int) -> None:
    place = {"worker": workers - 1, "workers": workers}
    whole = epoch(shards, **place)
    for skip in (1, 10, 23, len(whole)):  # inside a pool, at its end, in a later one, behind all
        assert epoch(shards, skip_batches=skip, **place) == whole[skip:]


def test_an_epoch_goes_on_with_other_numbers_of_workers(shards: tuple[str, ShardSet]) -> None:
    """Two workers do 7 steps, three do 9, one the rest: no row twice, as many as one number would see."""
    total = ROWS // 48
    plan = [(2, 7), (3, 9), (1, total - 16)]
    seen: list[int] = []
    for index, (workers, steps) in enumerate(plan):
        for worker in range(workers):
            found = read_rest(
                *shards, global_batch=48, done=plan[:index], worker=worker, workers=workers, seed=3, epoch=1,
                shuffle_window_blocks=3, buckets=SORTED,
            )  # fmt: skip
            taken = [batch["many"].to_list() for batch in found]
            assert [len(batch) for batch in taken] == [48 // workers] * (total - sum(s for _, s in plan[:index]))
            seen += ids(taken[:steps])
    assert len(seen) == len(set(seen)) == total * 48


def test_boundaries_leave_the_least_padding() -> None:
    draw = np.random.default_rng(1)
    for parts in (1, 2, 3, 5):
        lengths = sorted(draw.geometric(0.2, 30).tolist())
        found = boundaries_of(lengths, parts)

        def places(boundaries: tuple[int, ...], lengths: list[int] = lengths) -> int:
            ends = [*boundaries, lengths[-1]]
            return sum(next(end for end in ends if length <= end) for length in lengths)

        every = itertools.combinations(sorted(set(lengths))[:-1], parts - 1)
        assert len(found) == parts - 1
        assert places(found) == min(map(places, every))
    assert boundaries_of([3] * 60 + [9] * 41, 5) == (3,), "equally long rows share a bucket"
    assert boundaries_of([4] * 101, 5) == ()


def test_what_cannot_be_sorted_is_refused(tmp_path: Path) -> None:
    empty = ShardSet(SCHEMA, "plain", None, 50, ())
    for given, message in (
        ({"buckets": Buckets("id", ()), "seed": 1}, r"one of the list columns that are read \(many, weights\): id"),
        ({"buckets": Buckets("many", (3, 3)), "seed": 1}, "boundaries that rise"),
        ({"buckets": Buckets("many", (3,))}, "need a seed"),
        ({"buckets": SORTED, "seed": 1, "columns": ["id"]}, r"\(\): many"),
    ):
        with pytest.raises(ValueError, match=message):
            read_epoch(str(tmp_path), empty, batch_size=8, **given)  # type: ignore[arg-type]


def test_numbers_are_sorted_by_their_lists_too(shards: tuple[str, ShardSet]) -> None:
    found = read_epoch(*shards, batch_size=BATCH, seed=1, buckets=Buckets("weights", (5, 10)))
    assert all(isinstance(batch["weights"], tf.RaggedTensor) for batch in found.take(2))
