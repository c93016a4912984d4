"""Records of shards that TensorFlow cannot open (hdfs, s3, memory ...), read by `features/storage.py` for tf.data."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import tensorflow as tf

from emberline.features import storage
from emberline.features.tfrecord.codec.framing import RecordReader, Records, scan_buffer
from emberline.features.tfrecord.epoch_order import Share
from emberline.features.tfrecord.manifest import ShardSet

_READ_AHEAD = 4  # blocks requested at the same time
_OPEN_FILES = 256  # of thousands of shards: an open one may hold a connection
Piece = tuple[list[bytes], npt.NDArray[np.int64], npt.NDArray[np.int64]]


def remote_records(paths: list[str], shard_set: ShardSet, share: Share) -> tf.data.Dataset:
    """Returns serialized records in the order of the share: blocks as (record, first row, last row), rows alone."""
    read = _compressed if shard_set.codec else _blocks
    block = shard_set.layout == "block"
    records, rows = tf.TensorSpec([None], tf.string), tf.TensorSpec([None], tf.int64)

    def generate() -> Iterator[Any]:
        for piece in read(paths, shard_set, share):
            yield piece if block else piece[0]

    signature = (records, rows, rows) if block else records
    return tf.data.Dataset.from_generator(generate, output_signature=signature).unbatch()


def _piece(records: Records, low: int, high: int, block: bool) -> Piece:
    wanted = range(len(records)) if block else range(low, high)
    return [records[index] for index in wanted], np.array([low]), np.array([high])


def _blocks(paths: list[str], shard_set: ShardSet, share: Share) -> Iterator[Piece]:
    """Yields the byte ranges of uncompressed files, some of them requested ahead."""
    files: dict[int, pa.NativeFile] = {}
    block = shard_set.layout == "block"

    def fetch(index: int, file: pa.NativeFile) -> Piece:
        shard, offset, size, first, low, high = (int(column[index]) for column in vars(share).values())
        data: Any = file.read_at(size, offset)
        number = first // shard_set.rows_per_block if block else first
        return _piece(scan_buffer(data, uri=paths[shard], first_record=number, offset=offset), low, high, block)

    try:
        with ThreadPoolExecutor(_READ_AHEAD) as pool:
            waiting: deque[Any] = deque()
            for index in range(len(share)):
                shard = int(share.shard[index])
                file = files[shard] = files.pop(shard, None) or storage.open_random(paths[shard])
                waiting.append(pool.submit(fetch, index, file))
                if len(waiting) > _READ_AHEAD:
                    yield waiting.popleft().result()
                if len(files) > max(_OPEN_FILES, len(waiting)):
                    files.pop(next(iter(files))).close()  # the longest unused: nobody waits for it any more
            while waiting:
                yield waiting.popleft().result()
    finally:
        for file in files.values():
            file.close()


def _compressed(paths: list[str], shard_set: ShardSet, share: Share) -> Iterator[Piece]:
    """Yields compressed files, one after the other from their beginning."""
    block = shard_set.layout == "block"
    runs = np.flatnonzero(np.diff(share.shard, prepend=-1)).tolist()
    for start, stop in zip(runs, [*runs[1:], len(share)], strict=False):  # no run, no stop
        rows = _singles(RecordReader(paths[int(share.shard[start])], shard_set.codec))
        if block:
            first = int(share.first[start]) // shard_set.rows_per_block
            for index, record in zip(range(start, stop), islice(rows, first, None), strict=False):
                yield [record], share.low[index : index + 1], share.high[index : index + 1]
        else:
            low = int(share.first[start] + share.low[start])
            high = int(share.first[stop - 1] + share.high[stop - 1])
            chosen = islice(rows, low, high)
            while some := list(islice(chosen, shard_set.rows_per_block)):
                yield some, share.low[:0], share.high[:0]


def _singles(reader: RecordReader) -> Iterator[bytes]:
    for batch in reader:
        for index in range(len(batch)):
            yield batch[index]
