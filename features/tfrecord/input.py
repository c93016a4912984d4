"""One tf.data reader for the three layouts: shares of equal size per worker, shuffling, exact batches, resumable.

Local files are read by TensorFlow's own reader inside the graph (blocks of uncompressed files in any order, by their
byte offset); every other URI by `emberline.features.tfrecord.remote` in Python, which feeds the same graph. What is
read in which order is decided by `emberline.features.tfrecord.epoch_order` from the manifest and (seed, epoch, worker,
workers) alone; what records become is in `emberline.features.tfrecord.parsing`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from emberline.features import storage
from emberline.features.tfrecord.buckets import Buckets
from emberline.features.tfrecord.epoch_order import Share, bounds_of, rest_of, share_of
from emberline.features.tfrecord.layouts import Groups
from emberline.features.tfrecord.manifest import ShardSet
from emberline.features.tfrecord.parsing import (
    Tensors,
    block_window,
    parse_packed,
    parse_plain,
    row_lengths,
    row_window,
    split_columns,
)
from emberline.features.tfrecord.remote import remote_records

_plain_graph = tf.autograph.experimental.do_not_convert  # no Python control flow in here: saves a third of the set-up
_COMPRESSION = {None: "", "gzip": "GZIP", "zlib": "ZLIB"}
_READ_BUFFER = 1 << 18
_RECORD = tf.TensorSpec([], tf.string)
_PARALLEL = 2  # windows in preparation, each with its own memory


def read_epoch(
    base_uri: str,
    shard_set: ShardSet,
    *,
    batch_size: int,
    worker: int = 0,
    workers: int = 1,
    seed: int | None = None,
    epoch: int = 0,
    skip_batches: int = 0,
    drop_remainder: bool = True,
    columns: Sequence[str] | None = None,
    shuffle_window_blocks: int = 16,
    buckets: Buckets | None = None,
) -> tf.data.Dataset:
    """Returns the batches of one worker in one epoch.

    Args:
        base_uri: folder of the set.
        shard_set: from the manifest.
        batch_size: rows per batch of this worker.
        worker, workers: this worker's number, counted from 0, and how many there are.
        seed: shuffles blocks and rows by (seed, epoch); None keeps the order of the files, for evaluation.
        epoch: another order for every epoch.
        skip_batches: start behind this many batches; what follows is exactly what would have followed. Costs at most
            one window, except for shuffled compressed files, which are read again from the start.
        drop_remainder: every worker yields floor(rows / (batch_size * workers)) whole batches. If False, every row is
            yielded exactly once over all workers; shares then differ by at most one row, the last batch may be smaller,
            and a worker may have one batch more than another.
        columns: only these; fewer string columns make reading much cheaper.
        shuffle_window_blocks: rows are shuffled among this many blocks of the permuted sequence. Memory: the rows of
            about four such windows.
        buckets: batches of rows similarly long; with a seed only. Memory: the rows of a pool more. `skip_batches` then
            costs a pool, too.

    Returns:
        A dataset of {column: tensor}: [batch] for scalars (int64, float32, string), [batch, n] for fixed-size lists, a
        `tf.RaggedTensor` [batch, (any)] for lists.

    Raises:
        ValueError: arguments out of range, or unknown columns.
    """
    _check(shard_set, batch_size, worker, workers, skip_batches, shuffle_window_blocks, columns, buckets, seed)
    low, high = bounds_of(shard_set.rows, batch_size, worker, workers, drop_remainder)
    batches = (high - low) // batch_size if drop_remainder else -(-(high - low) // batch_size)
    order = _Order(base_uri, shard_set, columns, seed, epoch, shuffle_window_blocks, buckets, batch_size)
    # Interleaved compressed files have no position to jump to: what was consumed is read again and dropped.
    late = skip_batches if seed is not None and shard_set.codec is not None else 0
    rows = order.rows(low, high, worker, workers, skip=(skip_batches - late) * batch_size)
    dataset = rows.rebatch(batch_size, drop_remainder=drop_remainder).skip(late)
    return order.finish(dataset, max(0, batches - skip_batches))


def read_rest(
    base_uri: str,
    shard_set: ShardSet,
    *,
    global_batch: int,
    done: Sequence[tuple[int, int]],
    worker: int,
    workers: int,
    seed: int,
    epoch: int,
    columns: Sequence[str] | None = None,
    shuffle_window_blocks: int = 16,
    buckets: Buckets | None = None,
) -> tf.data.Dataset:
    """Returns the rest of an epoch that other numbers of workers began: exactly the rows that they did not see, each
    once.

    Args:
        base_uri, shard_set, worker, workers, seed, epoch, columns, shuffle_window_blocks: as in `read_epoch`.
        buckets: as in `read_epoch`, for the number of workers that began the epoch; a batch of another number of
            workers may hold rows of two of its batches.
        global_batch: rows of a step over all workers, the same for every number of workers.
        done: the steps of this epoch in order, as (number of workers, steps).

    Returns:
        Whole batches as `read_epoch` gives them, as many on every worker.

    Raises:
        ValueError: arguments out of range, or unknown columns.
    """
    batch = global_batch // workers
    _check(shard_set, batch, worker, workers, 0, shuffle_window_blocks, columns, buckets, seed)
    first = done[0][0] if done else workers
    pieces = rest_of(shard_set.rows, global_batch, done, worker, workers)
    order = _Order(base_uri, shard_set, columns, seed, epoch, shuffle_window_blocks, buckets, global_batch // first)
    dataset = None
    for share, skip, take in pieces:
        low, high = bounds_of(shard_set.rows, global_batch // first, share, first, drop_remainder=True)
        jump = 0 if shard_set.codec is not None else skip
        rows = _cut(order.rows(low, high, share, first, skip=jump), skip - jump, take)
        dataset = rows if dataset is None else dataset.concatenate(rows)
    if dataset is None:
        return read_epoch(base_uri, shard_set, batch_size=batch, columns=columns).take(0)
    return order.finish(dataset.rebatch(batch, drop_remainder=True), sum(take for *_, take in pieces) // batch)


def _cut(rows: tf.data.Dataset, skip: int, take: int) -> tf.data.Dataset:
    """Returns rows `skip` to `skip + take` of a sequence of tables of any sizes."""

    def next_part(state: tf.Tensor, table: Tensors) -> tuple[tf.Tensor, tuple[tf.Tensor, Tensors]]:
        size = tf.shape(next(iter(table.values())), tf.int64)[0]
        begin, end = tf.unstack(tf.clip_by_value(state, 0, size))
        return state - size, (state[1] > 0, {name: value[begin:end] for name, value in table.items()})

    parts = rows.scan(tf.constant([skip, skip + take], tf.int64), _plain_graph(next_part))
    return parts.take_while(lambda more, _: more).map(lambda _, part: part)


@dataclass(frozen=True)
class _Order:
    """The rows of one epoch in their order, before they are cut into batches and columns."""

    base_uri: str
    shard_set: ShardSet
    columns: Sequence[str] | None
    seed: int | None
    epoch: int
    window_blocks: int
    buckets: Buckets | None
    batch: int

    @property
    def wanted(self) -> list[str]:
        return [name for name in self.shard_set.schema.names if self.columns is None or name in self.columns]

    def rows(self, low: int, high: int, worker: int, workers: int, *, skip: int) -> tf.data.Dataset:
        """Returns a worker's share without its first `skip` rows, as tables of a window or a pool each."""
        if self.buckets is None or self.seed is None:
            return self._windows(low, high, worker, workers, skip=skip)
        return self.buckets.sorted_rows(
            lambda row: self._windows(low, high, worker, workers, skip=row),
            row_lengths(self.shard_set, self.buckets.column),
            self.batch,
            _seeds(self.seed, self.epoch, worker, workers, self.batch),
            skip=skip,
        )

    def _windows(self, low: int, high: int, worker: int, workers: int, *, skip: int) -> tf.data.Dataset:
        shard_set, size = self.shard_set, self.window_blocks
        share = share_of(shard_set, low, high, seed=self.seed, epoch=self.epoch)
        seeds = None if self.seed is None else _seeds(self.seed, self.epoch, worker, workers)
        if shard_set.layout == "block":
            share, window, before = share.window_of(skip, size)
            prepare = block_window(shard_set, self.wanted)
        else:
            size, prepare = size * shard_set.rows_per_block, row_window
            window, before = divmod(skip, size)
            share = share.after(window * size)

        def shuffled(index: tf.Tensor, records: tf.Tensor | tuple[tf.Tensor, ...]) -> Tensors:
            def order(rows: tf.Tensor) -> tf.Tensor:
                if seeds is not None:
                    rows = tf.random.experimental.stateless_shuffle(rows, tf.stack([seeds[0], seeds[1] + index]))
                return rows[tf.where(index == window, before, 0) :]

            return prepare(order, *(records if isinstance(records, tuple) else (records,)))

        dataset = _records(self.base_uri, shard_set, share, mixed=self.seed is not None).batch(size)
        return dataset.enumerate(window).map(_plain_graph(shuffled), num_parallel_calls=_PARALLEL)

    def finish(self, dataset: tf.data.Dataset, batches: int) -> tf.data.Dataset:
        """Returns batches of rows as batches of columns."""
        parse = {"block": split_columns, "packed": parse_packed, "plain": parse_plain}[self.shard_set.layout]
        dataset = dataset.map(_plain_graph(parse(self.shard_set, self.wanted)), num_parallel_calls=_PARALLEL)
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(batches)).prefetch(4)
        options = tf.data.Options()
        options.deterministic = True
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
        return dataset.with_options(options)


def _check(
    shard_set: ShardSet,
    batch_size: int,
    worker: int,
    workers: int,
    skip: int,
    window: int,
    columns: Sequence[str] | None,
    buckets: Buckets | None,
    seed: int | None,
) -> None:
    if batch_size < 1 or skip < 0 or window < 1:
        raise ValueError(
            f"batch_size {batch_size}, skip_batches {skip}, shuffle_window_blocks {window}: expected >= 1, >= 0, >= 1."
        )
    if not 0 <= worker < workers:
        raise ValueError(f"Worker {worker} of {workers}: workers are counted from 0 to workers - 1.")
    unknown = [name for name in columns or () if name not in shard_set.schema.names]
    if unknown:
        raise ValueError(
            f"Columns {', '.join(unknown)} are not in the dataset; it has {', '.join(shard_set.schema.names)}"
        )
    if buckets is None:
        return
    lists = [name for name, _ in Groups.of(shard_set.schema).lists if columns is None or name in columns]
    if buckets.column not in lists:
        raise ValueError(f"Buckets need one of the list columns that are read ({', '.join(lists)}): {buckets.column}")
    if seed is None or list(buckets.boundaries) != sorted(set(buckets.boundaries)):
        raise ValueError(f"Buckets need a seed and boundaries that rise, got seed {seed}, {buckets.boundaries}")


def _seeds(*values: int) -> list[int]:
    """Returns two int64 for TensorFlow's stateless operations, the second with room to count windows."""
    return [int(word) for word in np.random.SeedSequence(list(values)).generate_state(2)]


def _records(base_uri: str, shard_set: ShardSet, share: Share, *, mixed: bool) -> tf.data.Dataset:
    """Returns serialized records in the order of the share: blocks as (record, first row, last row), rows alone.

    Compressed files, which can only be read from the start, are interleaved when the order is `mixed` anyway.
    """
    paths = [storage.join(base_uri, shard.path) for shard in shard_set.shards]
    if not all(storage.is_local(path) for path in paths):
        return remote_records(paths, shard_set, share)
    files = tf.constant([storage.local_path(path) for path in paths] or [""])
    compression, block = _COMPRESSION[shard_set.codec], shard_set.layout == "block"

    def read(shard: tf.Tensor, offset: tf.Tensor, skip: tf.Tensor, take: tf.Tensor) -> tf.data.Dataset:
        variant = tf.raw_ops.TFRecordDatasetV2(
            filenames=files[shard][tf.newaxis],
            compression_type=compression,
            byte_offsets=offset[tf.newaxis],
            buffer_size=tf.constant(0 if block and not compression else _READ_BUFFER, tf.int64),
        )
        records = tf.data.experimental.from_variant(variant, _RECORD)
        return (records.skip(skip) if compression or not block else records).take(take)

    if shard_set.codec is not None:
        return _whole_files(shard_set, share, read, mixed)
    zero = np.zeros_like(share.low)
    ranges = (zero, zero + 1) if block else (share.low, share.high - share.low)
    pieces = tf.data.Dataset.from_tensor_slices((share.shard, share.offset, *ranges))
    # pieces stay in order: each is used up before the next. Nothing but reading happens per piece: a map in here would
    # cost more than reading the block
    records = pieces.interleave(
        read,
        cycle_length=4,
        block_length=1 if block else shard_set.rows_per_block,
        num_parallel_calls=_PARALLEL,
        deterministic=True,
    )
    if block:
        return tf.data.Dataset.zip(records, *(tf.data.Dataset.from_tensor_slices(x) for x in (share.low, share.high)))
    return records


def _whole_files(
    shard_set: ShardSet, share: Share, read: Callable[..., tf.data.Dataset], mixed: bool
) -> tf.data.Dataset:
    """Returns records of compressed files: one range of records per shard, found by reading the file from its
    beginning.
    """
    block = shard_set.layout == "block"
    step = shard_set.rows_per_block if block else 1
    runs = np.flatnonzero(np.diff(share.shard, prepend=-1))
    last = np.append(runs[1:], len(share))[: len(runs)] - 1
    skip = (share.first[runs] + (0 if block else share.low[runs])) // step
    low = share.low[runs]
    high = (
        share.first[last] - share.first[runs] + share.high[last]
    )  # counted from the first row of the run's first block

    def read_run(shard: tf.Tensor, skip: tf.Tensor, low: tf.Tensor, high: tf.Tensor) -> tf.data.Dataset:
        zero = tf.constant(0, tf.int64)
        if not block:
            return read(shard, zero, skip, high - low)
        return (
            read(shard, zero, skip, -(-high // step))
            .enumerate()
            .map(lambda at, record: (record, tf.where(at == 0, low, 0), tf.minimum(high - at * step, step)))
        )

    pieces = tf.data.Dataset.from_tensor_slices((share.shard[runs], skip, low, high))
    if not mixed:
        return pieces.flat_map(read_run)
    return pieces.interleave(read_run, cycle_length=4, block_length=1, num_parallel_calls=_PARALLEL, deterministic=True)
