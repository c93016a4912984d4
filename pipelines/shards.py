"""The executors' part of the ETL: raw rows through the transform graph into a shard."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import asdict

import pyarrow as pa
from pyspark import TaskContext

from features import storage
from features.columns import Transformed
from features.schema import Schema
from features.statistics import Statistics
from features.tfrecord.layouts import write_shard
from pipelines.recipe import Preparation

SHARD_REPORT = "partition int, shard string"
"""What `ShardWriter` answers: the partition, and its `Shard` as JSON."""


class ShardWriter:
    """Turns raw Arrow batches of one partition into one shard in the staging folder; for `mapInArrow`.

    Args:
        schema: The raw fields.
        columns: What is stored of them.
        statistics: What Spark learned.
        stored_schema: Types of the stored columns; raw columns that pass through come last.
        preparation: Codec and block size.
        folder: URI of the staging folder.
    """

    def __init__(
        self,
        schema: Schema,
        columns: tuple[Transformed, ...],
        statistics: Statistics,
        stored_schema: pa.Schema,
        preparation: Preparation,
        folder: str,
    ) -> None:
        self.schema, self.columns, self.statistics = schema, columns, statistics
        self.stored_schema, self.folder = stored_schema, folder
        self.preparation = preparation
        self.codec = None if preparation.codec == "none" else preparation.codec

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        context = TaskContext.get()
        partition = context.partitionId() if context else 0
        # The attempt is in the name: a retried or speculative task never touches another's file, and the
        # driver publishes only the file whose name came back.
        name = f"attempt-{uuid.uuid4().hex}.tfrecord"
        shard = write_shard(
            storage.join(self.folder, name),
            self._transformed(batches),
            schema=self.stored_schema,
            layout="block",
            codec=self.codec,
            rows_per_block=self.preparation.rows_per_block,
        )
        yield pa.RecordBatch.from_pylist(
            [{"partition": partition, "shard": json.dumps(asdict(shard))}],
            schema=pa.schema([("partition", pa.int32()), ("shard", pa.string())]),
        )

    def _transformed(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import tensorflow as tf

        from features.batches import raw_tensors, stored_array
        from features.transform import TransformGraph

        graph = TransformGraph(self.schema, self.columns, self.statistics)
        transform = tf.function(graph.__call__, input_signature=[graph.raw_spec])
        for batch in batches:
            inputs = transform(raw_tensors(batch, graph.schema))
            arrays = [stored_array(inputs[column.name], column.stored_shape) for column in self.columns]
            arrays += [batch.column(name) for name in self.stored_schema.names[len(self.columns) :]]
            yield pa.RecordBatch.from_arrays(arrays, schema=self.stored_schema)
