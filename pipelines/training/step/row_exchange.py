"""Rows of tables between replicas in step: each gives those of its own batch, and all get the rows of every replica.

TensorFlow's collectives remember the shape of an exchange for all turns of one graph call, and the number of rows is
another in every step. So rows travel in pieces of a few sizes that never change, filled up with rows of no id; how many
pieces there are of each size follows from the most rows that a replica has, which the sum of the other gradients tells.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.distribute.cross_device_ops import CollectiveAllReduce

from emberline.pipelines.training.step.table_rows import summed

PIECES = (4, 1 / 2, 1 / 16)
"""Sizes of pieces, in rows that a batch has if each row has one id: many pieces cost turns, large ones are filled up
with more that nobody needs."""

LEAST_BYTES = 2**14
"""Of a piece: smaller ones take as long."""

ID_PLACES = 2
"""Numbers of a row that are its id: 64 bits, copied as they are."""


class Alike:
    """Tables of one width, whose rows travel together: a message for each would take longer than what is in it.

    Args:
        places: Their positions among the weights.
        weights: The tables.
        rows: Of a batch, of one replica.
    """

    def __init__(self, places: Sequence[int], weights: Sequence[tf.Variable], rows: int) -> None:
        self.places = list(places)
        self.width = int(weights[0].shape[1])
        self._shapes = [tf.constant(list(one.shape), tf.int32) for one in weights]
        # Tables one behind the other, so that ids of two are never the same.
        self._bounds = [0, *np.cumsum([one.shape[0] for one in weights]).tolist()]
        least = -(-LEAST_BYTES // self.row_bytes)
        found = {max(least, int(rows * len(self.places) * share)) for share in PIECES}
        self.sizes = sorted(found, reverse=True)

    @property
    def row_bytes(self) -> int:
        """Bytes of a row on its way."""
        return 4 * (self.width + ID_PLACES)

    @property
    def table_bytes(self) -> int:
        """Bytes of all tables."""
        return 4 * self.width * self._bounds[-1]

    def packed(self, gradients: Sequence[tf.IndexedSlices]) -> tf.Tensor:
        """Returns the rows of all tables, `[rows, width + 2]`."""
        ids = tf.concat([one.indices + begin for one, begin in zip(gradients, self._bounds, strict=False)], 0)
        values = tf.concat([one.values for one in gradients], 0)
        return tf.concat([values, tf.bitcast(ids, tf.float32)], 1)

    def filled(self, rows: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        """Returns so many rows: the given ones, and rows of no id."""
        none = np.zeros([1, self.width + ID_PLACES], np.float32)
        none[0, self.width :] = np.array([self._bounds[-1]]).view(np.float32)
        return tf.concat([rows, tf.repeat(tf.constant(none), count - tf.shape(rows)[0], 0)], 0)

    def unpacked(self, rows: tf.Tensor) -> list[tf.IndexedSlices]:
        """Returns rows of many replicas as those of each table, each id once."""
        ids = tf.bitcast(rows[:, self.width :], tf.int64)
        tables = tf.searchsorted(tf.constant(self._bounds[1:], tf.int64), ids, side="right")
        parts = tf.dynamic_partition(rows, tables, len(self.places) + 1)[:-1]
        return [
            summed(tf.IndexedSlices(part[:, : self.width], tf.bitcast(part[:, self.width :], tf.int64) - begin, shape))
            for part, begin, shape in zip(parts, self._bounds, self._shapes, strict=False)
        ]


class RowExchange:
    """The exchange of all tables, made inside the scope of a strategy.

    The rows of a table are summed in the order of the replicas, so that the same batches give the same sums.

    Args:
        tables: Those that are updated by rows, by their position among the weights.
        rows: Of a batch, of one replica.
    """

    def __init__(self, tables: Mapping[int, tf.Variable], rows: int) -> None:
        self._replicas = int(tf.distribute.get_strategy().num_replicas_in_sync)
        widths: dict[int, list[int]] = {}
        for place in tables:
            widths.setdefault(int(tables[place].shape[1]), []).append(place)
        self._alike = [Alike(places, [tables[place] for place in places], rows) for places in widths.values()]
        self._rows = rows

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to exchange."""
        return self._replicas > 1 and bool(self._alike)

    def about_bytes(self) -> str:
        """Returns a sentence about what a replica sends in a step, and would send of whole tables."""
        others, rows = self._replicas - 1, self._rows
        told = " + ".join(f"{len(one.places)} x {one.row_bytes}" for one in self._alike)
        moved = others * rows * sum(len(one.places) * one.row_bytes for one in self._alike)
        whole = sum(one.table_bytes for one in self._alike)
        return (
            f"with one id of each table in a row, a worker sends at most {others} x {rows:,} x ({told}) bytes = "
            f"{moved / 1e3:,.1f} kB a step, instead of 2 x {others} / {self._replicas} x {whole / 1e3:,.1f} kB = "
            f"{2 * others * whole / self._replicas / 1e3:,.1f} kB"
        )

    def counts(self, gradients: Mapping[int, tf.IndexedSlices]) -> tf.Tensor:
        """Returns what has to be summed over the replicas before the exchange: float32 `[replicas, widths]`.

        Args:
            gradients: Of tables, by position, each id once.
        """
        here = tf.distribute.get_replica_context().replica_id_in_sync_group
        mine = [tf.add_n([tf.size(gradients[place].indices) for place in one.places]) for one in self._alike]
        return tf.one_hot(here, self._replicas)[:, tf.newaxis] * tf.cast(tf.stack(mine), tf.float32)

    def __call__(self, gradients: Mapping[int, tf.IndexedSlices], counts: tf.Tensor) -> dict[int, tf.IndexedSlices]:
        """Returns the sums over all replicas, which call it together.

        Args:
            gradients: Of tables, by position, each id once.
            counts: Those of all replicas, summed.
        """
        packed = [one.packed([gradients[place] for place in one.places]) for one in self._alike]
        most = tf.unstack(tf.cast(tf.reduce_max(counts, 0), tf.int32))
        replica = tf.distribute.get_replica_context()
        # One loop for all replicas of this process: TensorFlow tells turns of two loops apart.
        gathered = replica.merge_call(self._gathered, args=(packed, most))
        found: dict[int, tf.IndexedSlices] = {}
        for one, rows in zip(self._alike, gathered, strict=True):
            found |= zip(one.places, one.unpacked(rows), strict=True)
        return found

    def _gathered(self, strategy: tf.distribute.Strategy, packed: Sequence[Any], most: Sequence[Any]) -> list[Any]:
        """Returns the rows of all replicas, of each width `[rows, width + 2]`; called once for all replicas here."""
        local = strategy.experimental_local_results
        # No name of TensorFlow's gathers pieces in a loop of one's own: `all_gather` of a replica is of one shape.
        launchers = strategy.extended._cross_device_ops._launchers
        return [
            self._gathered_alike(launchers, one, local(rows), local(count)[0])
            for one, rows, count in zip(self._alike, packed, most, strict=True)
        ]

    def _gathered_alike(
        self, launchers: Sequence[Any], alike: Alike, mine: Sequence[tf.Tensor], most: tf.Tensor
    ) -> tf.Tensor:
        turns, left = [], most
        for size in alike.sizes[:-1]:
            turns.append(left // size)
            left %= size
        turns.append(-(-left // alike.sizes[-1]))
        total = tf.add_n([turn * size for turn, size in zip(turns, alike.sizes, strict=True)])
        filled = [alike.filled(rows, total) for rows in mine]
        parts, begin = [], tf.constant(0)
        for size, count in zip(alike.sizes, turns, strict=True):
            parts.append(self._pieces(launchers, filled, begin, size, count))
            begin += count * size
        return tf.concat(parts, 0)

    def _pieces(
        self, launchers: Sequence[Any], rows: Sequence[tf.Tensor], begin: tf.Tensor, size: int, count: tf.Tensor
    ) -> tf.Tensor:
        """Returns so many pieces of one size, of all replicas."""
        width = rows[0].shape[1]

        def turn(number: tf.Tensor, found: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
            place = begin + number * size
            pieces = [tf.ensure_shape(own[place : place + size], [size, width]) for own in rows]
            every = [launcher._all_gather(piece, None) for launcher, piece in zip(launchers, pieces, strict=True)]
            with tf.control_dependencies(every):
                return number + 1, found.write(number, tf.identity(every[0]))

        start = tf.TensorArray(tf.float32, count, element_shape=[self._replicas * size, width])
        _, found = tf.while_loop(lambda number, _: number < count, turn, (tf.constant(0), start), parallel_iterations=1)
        return found.concat()


def can_exchange(table: tf.Variable) -> bool:
    """Returns whether rows of a table can be exchanged between replicas of this strategy; seen on CPUs alone."""
    extended = tf.distribute.get_strategy().extended
    if not isinstance(getattr(extended, "_cross_device_ops", None), CollectiveAllReduce):
        return False
    return all("CPU" in one.upper() for one in extended.worker_devices) and table.dtype == tf.float32
