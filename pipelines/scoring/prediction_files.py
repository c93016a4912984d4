"""Predictions as Parquet files that tasks write themselves: none of their rows passes through the JVM.

Every attempt of a task writes a file of its own, out of sight, and answers with its name. The driver takes in the files
that Spark got an answer about, one attempt of every task; what failed, late or lost attempts wrote is left behind.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark import TaskContext
from pyspark.sql.pandas.types import to_arrow_type
from pyspark.sql.types import StructType

from features import storage

WRITTEN = "file string, rows bigint"
"""What a task answers: the name of its file, and how many rows are in it."""

ROW_GROUP_BYTES = 32 << 20


def file_schema(spark_schema: StructType, spark_version: str) -> pa.Schema:
    """Columns of the files, with what Spark itself notes in a file about its types."""
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
        schema: Columns of the files: those of the predictions, then those that are added.
        added: The values of the latter, the same in every row.
    """

    score: Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]
    folder: str
    schema: pa.Schema
    added: tuple[Any, ...]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        context = TaskContext.get()
        partition, attempt = (context.partitionId(), context.taskAttemptId()) if context else (0, 0)
        name, rows = f"part-{partition:05d}-{attempt}.parquet", 0
        groups = self._row_groups(self.score(batches))
        first = next(groups, None)
        if first is None:
            return
        with (
            storage.open_output(storage.join(self.folder, name)) as stream,
            pq.ParquetWriter(stream, self.schema) as writer,
        ):
            while first is not None:
                rows += first.num_rows
                writer.write_table(first, row_group_size=first.num_rows)
                first = next(groups, None)
        yield pa.record_batch({"file": [name], "rows": pa.array([rows], pa.int64())})

    def _row_groups(self, scored: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
        waiting: list[pa.RecordBatch] = []
        size = 0
        for batch in scored:
            waiting.append(self._whole(batch))
            size += waiting[-1].nbytes
            if size >= ROW_GROUP_BYTES:
                yield pa.Table.from_batches(waiting)
                waiting, size = [], 0
        if waiting:
            yield pa.Table.from_batches(waiting)

    def _whole(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        constant = [
            pa.repeat(pa.scalar(value, field.type), batch.num_rows)
            for value, field in zip(self.added, list(self.schema)[batch.num_columns :], strict=True)
        ]
        columns = zip([*batch.columns, *constant], self.schema, strict=True)
        return pa.RecordBatch.from_arrays(
            [column if column.type == field.type else column.cast(field.type) for column, field in columns],
            schema=self.schema,
        )
