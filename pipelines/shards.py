"""The executors' part of the ETL: raw rows through the transform graph into a shard."""

import json
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from math import prod

import pyarrow as pa
from pyspark import TaskContext

from features import storage
from features.columns import Transformed
from features.tfrecord.layouts import write_shard
from pipelines.recipe import Preparation
from pipelines.row_transform import RowTransform

BLOCK_BYTES = 4 << 20
"""A reader holds the blocks of some windows in memory."""

SHARD_REPORT = "partition int, shard string"
"""What `ShardWriter` answers: the partition, and its `Shard` as JSON."""


def fitted(preparation: Preparation, columns: Iterable[Transformed]) -> Preparation:
    """The same with blocks of at most `BLOCK_BYTES`: some rows of images fill one."""
    pixels = sum(prod(size or 0 for size in item.stored_shape) for item in columns if item.stored_type == "uint8")
    if not pixels:
        return preparation
    return replace(preparation, rows_per_block=min(preparation.rows_per_block, max(1, BLOCK_BYTES // pixels)))


class ShardWriter:
    """Turns raw Arrow batches of one partition into one shard in the staging folder; for `mapInArrow`.

    Args:
        transform: Raw rows to stored columns.
        preparation: Codec and block size.
        folder: URI of the staging folder.
    """

    def __init__(self, transform: RowTransform, preparation: Preparation, folder: str) -> None:
        self.transform, self.preparation, self.folder = transform, preparation, folder
        self.codec = None if preparation.codec == "none" else preparation.codec

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        context = TaskContext.get()
        partition = context.partitionId() if context else 0
        # The attempt is in the name: a retried or speculative task never touches another's file, and the
        # driver publishes only the file whose name came back.
        name = f"attempt-{uuid.uuid4().hex}.tfrecord"
        shard = write_shard(
            storage.join(self.folder, name),
            self.transform(batches),
            schema=self.transform.stored_schema,
            layout="block",
            codec=self.codec,
            rows_per_block=self.preparation.rows_per_block,
        )
        yield pa.RecordBatch.from_pylist(
            [{"partition": partition, "shard": json.dumps(asdict(shard))}],
            schema=pa.schema([("partition", pa.int32()), ("shard", pa.string())]),
        )
