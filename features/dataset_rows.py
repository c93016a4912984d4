"""The rows of a dataset version as tables: for Spark, Arrow and pandas, without TensorFlow.

A version holds what a network reads: ids, numbers, pixels; beside them the label and the key. Its shards pack hundreds
of rows into a record, so reading them with `format("tfrecord")` gives blocks of bytes; this gives rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from emberline.features import storage
from emberline.features.dataset_version import DatasetVersion, open_version
from emberline.features.tfrecord.layouts import read_shard
from emberline.features.tfrecord.manifest import ShardSet

SPLIT = "split"


def read_version(spark: SparkSession, uri: str, split: str | None = None) -> DataFrame:
    """Returns the rows of a dataset version in Spark: a column per stored column, the label, the key, and `split`.

    Arrays are arrays; pixels, which are bytes, are one binary value per row.

    Args:
        spark: The session.
        uri: URI of a dataset version.
        split: `train` or `eval`; default: both.

    Raises:
        DatasetVersionError: if there is no complete version at `uri`, or it has no such split.
    """
    version = open_version(uri)
    frames = [_read_split(spark, version, name) for name in ([split] if split else version.manifest["splits"])]
    whole = frames[0]
    for frame in frames[1:]:
        whole = whole.unionByName(frame)
    return whole


def arrow_rows(version: DatasetVersion, split: str) -> pa.Table:
    """Returns the rows of one split, in the order of the shards, in this process's memory.

    Raises:
        DatasetVersionError: if there is no such split.
    """
    shards, folder = version.split(split), storage.join(version.uri, split)
    batches = [batch for shard in shards.shards for batch in read_shard(folder, shards, shard)]
    return pa.Table.from_batches(batches, shards.schema)


def _read_split(spark: SparkSession, version: DatasetVersion, split: str) -> DataFrame:
    shards = version.split(split)
    job = _ShardRows(storage.join(version.uri, split), shards)
    numbers = spark.range(0, len(shards.shards), 1, max(len(shards.shards), 1))
    rows = numbers.mapInArrow(job, from_arrow_schema(_as_spark_stores(shards.schema.empty_table()).schema))
    return rows.withColumn(SPLIT, F.lit(split))


@dataclass(frozen=True)
class _ShardRows:
    """Runs in an executor: numbers of shards in, their rows out."""

    folder: str
    shards: ShardSet

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for index in batch.column(0).to_pylist():
                for rows in read_shard(self.folder, self.shards, self.shards.shards[index]):
                    yield from _as_spark_stores(pa.Table.from_batches([rows])).to_batches()


def _as_spark_stores(table: pa.Table) -> pa.Table:
    """Spark knows no arrays of one length and no unsigned numbers: lists, and bytes."""
    for index, item in enumerate(table.schema):
        kind = item.type
        if not pa.types.is_fixed_size_list(kind) and not pa.types.is_list(kind):
            continue
        if kind.value_type == pa.uint8() and pa.types.is_fixed_size_list(kind):
            column = _bytes(table.column(index), kind.list_size)
        else:
            column = table.column(index).cast(pa.list_(kind.value_type))
        table = table.set_column(index, item.name, column)
    return table


def _bytes(column: pa.ChunkedArray, width: int) -> pa.ChunkedArray:
    chunks = []
    for chunk in column.chunks:
        values = np.ascontiguousarray(chunk.flatten().to_numpy(zero_copy_only=False))
        fixed = pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(chunk), [None, pa.py_buffer(values)])
        chunks.append(fixed.cast(pa.binary()))
    return pa.chunked_array(chunks, pa.binary())
