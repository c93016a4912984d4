"""Which worker reads what: shares are equal, disjoint, complete, and the same wherever they are computed."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emberline.features.tfrecord.epoch_order import Share, bounds_of, share_of
from emberline.features.tfrecord.manifest import Shard, ShardSet

SCHEMA = pa.schema([("n", pa.int64())])


def shard_set(rows: list[int], step: int, codec: str | None = None) -> ShardSet:
    """Shards whose blocks take one byte per row."""
    shards = []
    for number, count in enumerate(rows):
        blocks = tuple((n, size) for n, size in ((count // step, step), (1, count % step)) if n and size)
        shards.append(Shard(f"{number}", count, -(-count // step), count, 0, () if codec else blocks))
    return ShardSet(SCHEMA, "block", codec, step, tuple(shards))


def rows_of(share: Share) -> list[tuple[int, int]]:
    """(shard, row of the shard) in the order of reading."""
    return [
        (int(shard), int(first) + row)
        for shard, first, low, high in zip(share.shard, share.first, share.low, share.high, strict=True)
        for row in range(low, high)
    ]


SETS = st.builds(
    shard_set, st.lists(st.integers(0, 40), max_size=5), st.integers(1, 12), st.sampled_from([None, "gzip"])
)


@settings(max_examples=150)
@given(SETS, st.integers(1, 5), st.integers(1, 9), st.sampled_from([None, 0, 7]), st.integers(0, 3), st.booleans())
def test_shares_are_disjoint_and_equal(
    shards: ShardSet, workers: int, batch: int, seed: int | None, epoch: int, drop: bool
) -> None:
    shares = [
        rows_of(share_of(shards, *bounds_of(shards.rows, batch, worker, workers, drop), seed=seed, epoch=epoch))
        for worker in range(workers)
    ]
    together = [row for share in shares for row in share]
    everything = [(number, row) for number, shard in enumerate(shards.shards) for row in range(shard.rows)]
    assert len(set(together)) == len(together)
    if drop:
        assert {len(share) for share in shares} == {shards.rows // (batch * workers) * batch}
        if shards.rows >= batch * workers:
            plan = shards.plan(workers, batch * workers)
            assert [bounds_of(shards.rows, batch, w, workers, True) for w in range(workers)] == list(plan.ranges)
    else:
        assert sorted(together) == everything
        assert max(map(len, shares)) - min(map(len, shares)) <= 1
    if seed is None:
        assert together == everything[: len(together)]


@settings(max_examples=150)
@given(SETS, st.integers(0, 200), st.integers(1, 4))
def test_a_position_inside_a_share(shards: ShardSet, row: int, window: int) -> None:
    share = share_of(shards, 0, shards.rows, seed=3, epoch=1)
    everything = rows_of(share)
    assert rows_of(share.after(row)) == everything[row:]
    rest, number, before = share.window_of(row, window)
    start = rows_of(share.select(slice(0, number * window)))
    assert rows_of(rest) == everything[len(start) :]
    if row < len(everything):
        assert len(start) + before == row
        assert 0 <= before < len(rows_of(rest.select(slice(0, window))))


def test_order_depends_on_seed_and_epoch_only() -> None:
    shards = shard_set([50, 50, 50], 5)
    order = lambda **kind: share_of(shards, 0, 150, **kind).offset.tolist()  # noqa: E731
    assert order(seed=1, epoch=0) == order(seed=1, epoch=0)
    assert order(seed=1, epoch=0) != order(seed=1, epoch=1) != order(seed=2, epoch=1)


def test_blocks_of_all_shards_are_mixed() -> None:
    share = share_of(shard_set([1000] * 4, 10), 0, 4000, seed=1, epoch=0)
    first_half = share.shard[:200]
    assert all(30 < (first_half == shard).sum() < 70 for shard in range(4))
    assert np.abs(np.diff(share.offset)).mean() > 200


def test_fewer_shards_than_workers_are_split_inside_a_block() -> None:
    shards = shard_set([10], 10)
    shares = [share_of(shards, *bounds_of(10, 2, worker, 5, True), seed=9, epoch=0) for worker in range(5)]
    assert [rows_of(share) for share in shares] == [[(0, 2 * w), (0, 2 * w + 1)] for w in range(5)]


def test_offsets_point_at_the_blocks() -> None:
    share = share_of(shard_set([25, 7], 10), 0, 32, seed=None, epoch=0)
    assert share.offset.tolist() == [0, 10, 20, 0]
    assert share.size.tolist() == [10, 10, 5, 7]


def test_a_manifest_without_block_index_is_explained() -> None:
    shards = ShardSet(SCHEMA, "block", None, 10, (Shard("a", 25, 3, 25, 0),))
    with pytest.raises(ValueError, match="no block index of an uncompressed shard"):
        share_of(shards, 0, 25, seed=None, epoch=0)
