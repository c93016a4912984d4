"""Which rows of which files a worker reads in an epoch, in which order. Pure arithmetic on the manifest.

The blocks of all shards are permuted by (seed, epoch), the same way in every worker. The rows of that sequence are cut
into shares of equal size, one per worker, so a block may be cut between two workers. A window is a few consecutive
blocks of a worker's share; its rows are shuffled together. Everything follows from the arguments, so a position inside
the epoch is just a number of batches.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from emberline.features.tfrecord.manifest import ShardSet

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Share:
    """The pieces (blocks or parts of them) that one worker reads, in order.

    Attributes:
        shard, offset, size: where the block is: number of the shard, byte offset and size (0 for compressed files).
        first: row of the shard at which the block begins.
        low, high: rows of the block that belong to this worker: low <= row < high.
    """

    shard: Ints
    offset: Ints
    size: Ints
    first: Ints
    low: Ints
    high: Ints

    def __len__(self) -> int:
        return len(self.shard)

    @property
    def rows(self) -> int:
        """Rows of this worker in this epoch."""
        return int((self.high - self.low).sum())

    def select(self, which: slice | Ints) -> "Share":
        """Returns some of the pieces."""
        return Share(**{item.name: getattr(self, item.name)[which] for item in fields(self)})

    def after(self, row: int) -> "Share":
        """Returns what is left behind the first `row` rows."""
        bounds = np.cumsum(self.high - self.low)
        piece = int(np.searchsorted(bounds, row, side="right"))
        rest = self.select(slice(piece, None))
        if not len(rest):
            return rest
        low = rest.low.copy()
        low[0] += row - (int(bounds[piece - 1]) if piece else 0)
        return replace(rest, low=low)

    def window_of(self, row: int, window_blocks: int) -> tuple["Share", int, int]:
        """Returns where the window of whole pieces with row `row` is: (share from there on, its number, its rows
        before).
        """
        bounds = np.cumsum(self.high - self.low)
        window = int(np.searchsorted(bounds, row, side="right")) // window_blocks
        start = window * window_blocks
        before = int(bounds[start - 1]) if start else 0
        return self.select(slice(start, None)), window, row - before


def bounds_of(rows: int, batch_size: int, worker: int, workers: int, drop_remainder: bool) -> tuple[int, int]:
    """Returns the first row of a worker's share and the row behind it.

    With `drop_remainder` all shares have the same number of whole batches; without it every row belongs to exactly one
    worker and the shares differ by at most one row.
    """
    if drop_remainder:
        share = rows // (batch_size * workers) * batch_size
        return worker * share, (worker + 1) * share
    return worker * rows // workers, (worker + 1) * rows // workers


def rest_of(
    rows: int, global_batch: int, done: Sequence[tuple[int, int]], worker: int, workers: int
) -> list[tuple[int, int, int]]:
    """Returns what is left for a worker of an epoch that other numbers of workers began.

    The first number of workers fixes the order of rows: its shares, of equal size. Whenever the number changes, what is
    left of all shares, one behind the other, is cut into as many equal shares anew.

    Args:
        rows: of the whole set.
        global_batch: rows of a step over all workers.
        done: (number of workers, steps), in order.
        worker, workers: for whom.

    Returns:
        (number of the first share-out's share, its rows to skip, its rows to take), in order.
    """
    first = done[0][0] if done else workers
    size = rows // global_batch * (global_batch // first)
    shares = [[(share, 0, size)] for share in range(first)]
    following = [*(count for count, _ in done), workers][1:]
    for (count, steps), after in zip(done, following, strict=True):
        seen = steps * (global_batch // count)
        shares = [_slice(share, seen, size) for share in shares]
        if after != count:
            left = [piece for share in shares for piece in share]
            size = sum(take for *_, take in left) // after
            shares = [_slice(left, number * size, (number + 1) * size) for number in range(after)]
    return shares[worker]


def _slice(pieces: Sequence[tuple[int, int, int]], low: int, high: int) -> list[tuple[int, int, int]]:
    """Returns rows `low` to `high` of pieces that lie one behind the other."""
    found, position = [], 0
    for share, skip, take in pieces:
        begin, end = max(low - position, 0), min(high - position, take)
        if begin < end:
            found.append((share, skip + begin, end - begin))
        position += take
    return found


def share_of(shard_set: ShardSet, low: int, high: int, *, seed: int | None, epoch: int) -> Share:
    """Returns the pieces that hold rows `low` to `high` of the epoch's row sequence.

    Compressed files cannot be entered in the middle: there the shards are permuted instead of the blocks.
    """
    step = shard_set.rows_per_block
    shards = shard_set.shards
    counts = np.array([-(-shard.rows // step) for shard in shards], np.int64)
    shard = np.repeat(np.arange(len(shards)), counts)
    first = np.concatenate([np.arange(count) * step for count in counts] or [np.zeros(0, np.int64)])
    rows = np.minimum(np.array([item.rows for item in shards], np.int64)[shard] - first, step)
    offset, size = np.zeros(len(shard), np.int64), np.zeros(len(shard), np.int64)
    if shard_set.codec is None:
        bounds = [np.array(item.block_offsets() or [0], np.int64) for item in shards]
        if any(len(bound) != count + 1 for bound, count in zip(bounds, counts, strict=True) if count):
            raise ValueError(
                "The manifest has no block index of an uncompressed shard, or one for another rows_per_block; "
                "write the dataset again."
            )
        offset = np.concatenate([bound[:-1] for bound in bounds] or [offset])
        size = np.concatenate([np.diff(bound) for bound in bounds] or [size])
    order = np.arange(len(shard))
    if seed is not None:
        random = np.random.Generator(np.random.PCG64([seed, epoch, len(order)]))
        if shard_set.codec is None:
            order = random.permutation(len(order))
        else:
            rank = random.permutation(len(shards))
            order = np.argsort(rank[shard], kind="stable")
    ends = np.cumsum(rows[order])
    starts = ends - rows[order]
    mine = np.flatnonzero((ends > low) & (starts < high))
    order, starts, ends = order[mine], starts[mine], ends[mine]
    return Share(
        shard=shard[order],
        offset=offset[order],
        size=size[order],
        first=first[order],
        low=np.maximum(low - starts, 0),
        high=rows[order] - np.maximum(ends - high, 0),
    )
