"""The executors' part of the ETL: raw rows through the transform graph into a shard."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import asdict

import pyarrow as pa
from pyspark import TaskContext

from features import storage
from features.tfrecord.layouts import write_shard
from pipelines.recipe import Preparation
from pipelines.row_transform import RowTransform

SHARD_REPORT = "partition int, shard string"
"""What `ShardWriter` answers: the partition, and its `Shard` as JSON."""


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
