"""Predictions as Parquet files that tasks write themselves: none of their rows passes through the JVM.

Every attempt of a task writes files of its own, out of sight, and answers with their names. The driver takes in the
files that Spark got an answer about, those of one attempt of every task; what failed, late or lost attempts wrote is
left behind.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark import TaskContext
from pyspark.sql.pandas.types import to_arrow_type
from pyspark.sql.types import BooleanType, DataType, DateType, IntegralType, StringType, StructType

from emberline.features import storage
from emberline.features.tfrecord.spark.partitions import directory

WRITTEN = "file string, rows bigint"
"""What a task answers: the name of a file, and how many rows are in it."""

FILE_BYTES = 64 << 20
"""Predictions that a task gathers before it writes them."""


def names_folders(kind: DataType) -> bool:
    """Returns whether values of this type have the same text here as in Spark, so that a folder can be called after
    them.
    """
    return isinstance(kind, StringType | IntegralType | BooleanType | DateType)


def file_schema(spark_schema: StructType, spark_version: str) -> pa.Schema:
    """Returns the columns of the files, with what Spark itself notes in a file about its types."""
    columns = [(field.name, to_arrow_type(field.dataType, timezone="UTC")) for field in spark_schema.fields]
    noted = {
        "org.apache.spark.version": spark_version,
        "org.apache.spark.sql.parquet.row.metadata": spark_schema.json(),
    }
    return pa.schema(columns, noted)


@dataclass(frozen=True)
class FileWriter:
    """Runs in an executor: writes what is scored, and answers as `WRITTEN` says.

    Args:
        score: From what Spark sends to predictions.
        folder: URI of the folder for the files of all attempts.
        schema: Columns of the files: those of the predictions without `partition_by`, then those of `added`.
        added: Names and values of columns that are the same in every row.
        partition_by: Column whose values have a folder each.
    """

    score: Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]
    folder: str
    schema: pa.Schema
    added: tuple[tuple[str, Any], ...]
    partition_by: str | None = None

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        context = TaskContext.get()
        task = f"{context.partitionId():05d}-{context.taskAttemptId()}" if context else "00000-0"
        for number, rows in enumerate(_gathered(self.score(batches))):
            for place, part in self._divided(rows):
                name = storage.join(place, f"part-{task}-{number}.parquet")
                with storage.open_output(storage.join(self.folder, name)) as stream:
                    pq.write_table(self._whole(part), stream)
                yield pa.record_batch({"file": [name], "rows": pa.array([part.num_rows], pa.int64())})

    def _divided(self, rows: pa.Table) -> Iterator[tuple[str, pa.Table]]:
        """Yields the rows of every folder."""
        if self.partition_by is None:
            yield "", rows
            return
        encoded = rows.column(self.partition_by).combine_chunks().dictionary_encode(null_encoding="encode")
        folders = [directory([self.partition_by], [value]) for value in encoded.dictionary.to_pylist()]
        names, numbers = np.unique(folders, return_inverse=True)  # null and the empty text share one
        places = numbers[encoded.indices.to_numpy()]
        order = np.argsort(places, kind="stable")
        counts = np.bincount(places, minlength=len(names))
        divided = rows.take(pa.array(order)) if len(names) > 1 else rows
        for name, count, end in zip(names.tolist(), counts.tolist(), np.cumsum(counts).tolist(), strict=True):
            yield name, divided.slice(end - count, count)

    def _whole(self, rows: pa.Table) -> pa.Table:
        """Returns all columns of a file, in its types."""
        for name, value in self.added:
            rows = rows.append_column(name, pa.repeat(pa.scalar(value, self.schema.field(name).type), rows.num_rows))
        return rows.select(self.schema.names).cast(self.schema)


def _gathered(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    waiting: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        waiting.append(batch)
        size += batch.nbytes
        if size >= FILE_BYTES:
            yield pa.Table.from_batches(waiting)
            waiting, size = [], 0
    if waiting:
        yield pa.Table.from_batches(waiting)
