"""Batches of rows similarly long: little of a padded batch is padding, and nothing else about an epoch changes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

Table = dict[str, tf.Tensor]

POOL_BATCHES = 64
"""Batches whose rows are sorted together."""


@dataclass(frozen=True)
class Buckets:
    """How rows are sorted.

    Of every `POOL_BATCHES` batches of a share, the rows are put in order of their bucket, as they come within it, cut
    into batches anew, and the batches shuffled. So batches keep their size and number, every rank has as many, and a
    position inside an epoch is still a number of batches.

    Args:
        column: A list column, by whose length rows are sorted.
        boundaries: The longest row of each bucket but the last, rising.
    """

    column: str
    boundaries: tuple[int, ...]

    def sorted_rows(
        self,
        rows_from: Callable[[int], tf.data.Dataset],
        lengths: Callable[[Table], tf.Tensor],
        batch: int,
        seeds: Sequence[int],
        *,
        skip: int,
    ) -> tf.data.Dataset:
        """Returns the rows of a share in their new order, without the first `skip`, as tables of a pool each.

        Args:
            rows_from: The share behind its first so many rows, as tables of any sizes.
            lengths: Elements of each row of a table in the column, int64 `[rows]`.
            batch: Rows of a batch.
            seeds: Two int64, the second with room to count pools.
            skip: A whole number of batches.
        """
        size = POOL_BATCHES * batch
        first, before = divmod(skip, size)
        boundaries = tf.constant(self.boundaries, tf.int64)

        @tf.autograph.experimental.do_not_convert
        def sort(pool: tf.Tensor, table: Table) -> Table:
            order = tf.argsort(tf.searchsorted(boundaries, lengths(table)), stable=True)
            whole = tf.size(order) // batch * batch
            batches = tf.random.experimental.stateless_shuffle(
                tf.reshape(order[:whole], [-1, batch]), tf.stack([seeds[0], seeds[1] + pool])
            )
            order = tf.concat([tf.reshape(batches, [-1]), order[whole:]], axis=0)
            order = order[tf.where(pool == first, before, 0) :]
            return {name: tf.gather(value, order) for name, value in table.items()}

        return rows_from(first * size).rebatch(size).enumerate(first).map(sort)


def boundaries_of(lengths: Sequence[int], buckets: int) -> tuple[int, ...]:
    """Returns boundaries that leave the least padding, were every row as long as the longest of its bucket.

    Args:
        lengths: Of rows, at equally spaced ranks, rising.
        buckets: How many, at most; fewer where no more lengths are different.
    """
    ends = sorted(set(lengths))
    rows = np.searchsorted(lengths, ends, side="right")  # so many are at most as long
    # least[j]: places that the rows of the first j + 1 lengths take, in the best buckets so far; Bellman's recursion.
    least, chosen = rows * np.array(ends), []
    for _ in range(min(buckets, len(ends)) - 1):
        with_one_more = np.full(len(ends), np.inf)
        cut = np.zeros(len(ends), int)
        for last in range(1, len(ends)):
            cost = least[:last] + (rows[last] - rows[:last]) * ends[last]
            cut[last], with_one_more[last] = int(np.argmin(cost)), cost.min()
        chosen.append(cut)
        least = with_one_more
    boundaries, last = [], len(ends) - 1
    for cut in reversed(chosen):
        last = int(cut[last])
        boundaries.append(ends[last])
    return tuple(reversed(boundaries))
