"""From records of the three layouts to tables of rows, and from batches of rows to columns: what a tf.data graph does.

Rows travel as few tensors: those of blocks as one matrix per element type, those of other layouts as their records.
They are picked, shuffled and batched so, and become columns last.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

from emberline.features.tfrecord.layouts import Group, Groups
from emberline.features.tfrecord.manifest import ShardSet

Tensors = dict[str, tf.Tensor]

Order = Callable[[tf.Tensor], tf.Tensor]
"""Numbers of rows in the order of the files; which of them to take, in which order."""

_TYPES = {"int64": tf.int64, "float32": tf.float32, "uint8": tf.uint8}


def block_window(shard_set: ShardSet, wanted: Sequence[str]) -> Callable[..., Tensors]:
    """Parses the blocks of one window and brings their rows into order, as one matrix per element type."""
    groups = Groups.of(shard_set.schema)
    numbers = [(item, _TYPES[item], group) for item, group in groups.numbers]
    numbers = [item for item in numbers if any(name in wanted for name, _, _ in item[2].columns)]
    # A list travels as the string of its bytes: rows are then picked, shuffled and batched like any others.
    widths = {name: 1 for name in groups.strings} | {name: _TYPES[leaf].size for name, leaf in groups.lists}
    strings = [name for name in widths if name in wanted]
    features = {"rows": tf.io.FixedLenFeature([], tf.int64)}
    for name in [item[0] for item in numbers] + [f"{s}/{part}" for s in strings for part in ("lengths", "data")]:
        features[name] = tf.io.FixedLenFeature([], tf.string)

    def prepare(order: Order, records: tf.Tensor, low: tf.Tensor, high: tf.Tensor) -> Tensors:
        parsed = tf.io.parse_example(records, features)
        counts = parsed["rows"]
        starts = tf.cumsum(counts, exclusive=True)
        rows = order(tf.ragged.range(starts + low, starts + tf.minimum(high, counts)).flat_values)
        even = tf.reduce_all(counts == counts[0])
        result = {}
        for name, kind, group in numbers:
            parts = parsed[name]
            # blocks of one size are decoded together; others are joined first
            values = tf.cond(
                even,
                lambda parts=parts, kind=kind: tf.reshape(tf.io.decode_raw(parts, kind), [-1]),
                lambda parts=parts, kind=kind: tf.io.decode_raw(tf.strings.reduce_join(parts), kind),
            )
            result[name] = tf.gather(tf.reshape(values, [-1, group.width]), rows)
        for name in strings:
            lengths = tf.io.decode_raw(tf.strings.reduce_join(parsed[f"{name}/lengths"]), tf.int32)
            data = tf.strings.reduce_join(parsed[f"{name}/data"])
            total = tf.reduce_sum(tf.cast(lengths, tf.int64)) * widths[name]
            fits = tf.reduce_all(lengths >= 0) & (total == tf.cast(tf.strings.length(data), tf.int64))
            with tf.control_dependencies([tf.debugging.Assert(fits, [f"lengths of {name} do not fit their data"])]):
                lengths = lengths * widths[name]
            begins = tf.cumsum(lengths, exclusive=True)
            result[f"/{name}"] = tf.strings.substr(data, tf.gather(begins, rows), tf.gather(lengths, rows))
        return result

    return prepare


def row_window(order: Order, records: tf.Tensor) -> Tensors:
    """Returns the records of one window, a row each, in order."""
    return {"records": tf.gather(records, order(tf.range(tf.size(records))))}


def row_lengths(shard_set: ShardSet, column: str) -> Callable[[Tensors], tf.Tensor]:
    """Returns a function from a table to the lengths of its rows in a list column: int64 `[rows]`."""
    groups = Groups.of(shard_set.schema)
    size = _TYPES[dict(groups.lists)[column]].size
    feature = {column: _ragged_features(groups)[column]}

    def lengths(table: Tensors) -> tf.Tensor:
        if shard_set.layout == "block":
            return tf.cast(tf.strings.length(table[f"/{column}"]) // size, tf.int64)
        return tf.io.parse_example(table["records"], feature)[column].row_lengths()

    return lengths


def split_columns(shard_set: ShardSet, wanted: Sequence[str]) -> Callable[[Tensors], Tensors]:
    """Cuts the matrices of a batch into the columns."""
    groups = Groups.of(shard_set.schema)

    def finish(batch: Tensors) -> Tensors:
        columns = {name: batch[f"/{name}"] for name in groups.strings if name in wanted}
        columns |= {name: _ragged(batch[f"/{name}"], leaf) for name, leaf in groups.lists if name in wanted}
        for name, group in groups.numbers:
            if name in batch:
                columns |= _columns_of(batch[name], group)
        return {name: columns[name] for name in wanted}

    return finish


def _ragged(rows: tf.Tensor | tf.RaggedTensor, leaf: str) -> tf.RaggedTensor:
    """The elements behind the strings of bytes of a list column."""
    if isinstance(rows, tf.RaggedTensor):
        return rows
    elements = tf.io.decode_raw(tf.strings.reduce_join(rows), _TYPES[leaf])
    lengths = tf.cast(tf.strings.length(rows), tf.int64) // _TYPES[leaf].size
    return tf.RaggedTensor.from_row_lengths(elements, lengths, validate=False)


def _columns_of(matrix: tf.Tensor, group: Group) -> Tensors:
    if all(scalar for _, _, scalar in group.columns):
        return dict(zip((name for name, _, _ in group.columns), tf.unstack(matrix, axis=1), strict=True))
    parts = tf.split(matrix, [size for _, size, _ in group.columns], axis=1)
    return {name: part[:, 0] if scalar else part for (name, _, scalar), part in zip(group.columns, parts, strict=True)}


def parse_plain(shard_set: ShardSet, wanted: Sequence[str]) -> Callable[[Tensors], Tensors]:
    """Parses a batch of records with a feature per column."""
    groups = Groups.of(shard_set.schema)
    pixels = {name: size for name, size, _ in groups.uint8.columns if name in wanted}
    features = {name: tf.io.FixedLenFeature([], tf.string) for name in (*groups.strings, *pixels)}
    for kind, group in ((tf.int64, groups.int64), (tf.float32, groups.float32)):
        features |= {n: tf.io.FixedLenFeature([] if scalar else [size], kind) for n, size, scalar in group.columns}
    features |= _ragged_features(groups)
    features = {name: features[name] for name in wanted}

    def finish(batch: Tensors) -> Tensors:
        parsed: Tensors = tf.io.parse_example(batch["records"], features)
        parsed |= {
            name: tf.ensure_shape(tf.io.decode_raw(parsed[name], tf.uint8), [None, size])
            for name, size in pixels.items()
        }
        return {name: parsed[name] for name in wanted}

    return finish


def parse_packed(shard_set: ShardSet, wanted: Sequence[str]) -> Callable[[Tensors], Tensors]:
    """Parses a batch of records with a feature per element type, and cuts it into the columns."""
    groups = Groups.of(shard_set.schema)
    features = {}
    if groups.int64.width:
        features["int64"] = tf.io.FixedLenFeature([groups.int64.width], tf.int64)
    if groups.float32.width:
        features["float32"] = tf.io.FixedLenFeature([groups.float32.width], tf.float32)
    if groups.uint8.width:
        features["uint8"] = tf.io.FixedLenFeature([], tf.string)
    if groups.strings:
        features["bytes"] = tf.io.FixedLenFeature([len(groups.strings)], tf.string)
    features |= {name: feature for name, feature in _ragged_features(groups).items() if name in wanted}
    split = split_columns(shard_set, wanted)

    def finish(batch: Tensors) -> Tensors:
        parsed = tf.io.parse_example(batch["records"], features)
        for position, name in enumerate(groups.strings):
            parsed[f"/{name}"] = parsed["bytes"][:, position]
        if groups.uint8.width:
            parsed["uint8"] = tf.ensure_shape(tf.io.decode_raw(parsed["uint8"], tf.uint8), [None, groups.uint8.width])
        return split(parsed | {f"/{name}": parsed[name] for name, _ in groups.lists if name in wanted})

    return finish


def _ragged_features(groups: Groups) -> dict[str, tf.io.RaggedFeature]:
    return {name: tf.io.RaggedFeature(_TYPES[leaf], row_splits_dtype=tf.int64) for name, leaf in groups.lists}
