"""Rows that a library hands out as batches of Arrow, in executors."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from emberline.pipelines.datasets.readers.tables.arrow_rows import arrow_schema
from emberline.pipelines.datasets.readers.tables.column_types import converted, leaves, picked, union
from emberline.pipelines.datasets.readers.tables.table import Table


@dataclass(frozen=True)
class ArrowStream:
    """Runs in executors: numbers of tasks in, rows out.

    Args:
        called: What `_source` says.
        types: Of the columns.
        batches: Gives the rows of a task, by its number; travels to the executors.
    """

    called: str
    types: Mapping[str, pa.DataType]
    batches: Callable[[int], Iterator[pa.RecordBatch]]

    def __call__(self, numbers: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for number in numbers:
            for task in number.column(0).to_pylist():
                yield from map(self._rows, self.batches(task))

    def _rows(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        own = {leaf.name: leaf for leaf in leaves(batch.schema)}
        columns = [converted(picked(batch, own[name]), kind) for name, kind in self.types.items()]
        nothing = pa.nulls(batch.num_rows, pa.string())
        columns += [nothing, pa.repeat(pa.scalar(self.called), batch.num_rows), nothing]
        return pa.RecordBatch.from_arrays(columns, schema=arrow_schema(self.types))


def stream_table(
    spark: SparkSession, called: str, schema: pa.Schema, tasks: int, batches: Callable[[int], Iterator[pa.RecordBatch]]
) -> Table:
    """Returns the table of batches with this schema.

    Args:
        spark: The session.
        called: What `_source` and messages say of it.
        schema: Of the batches.
        tasks: How many tasks read it.
        batches: As of `ArrowStream`.
    """
    found = union([(called, schema)])
    job = ArrowStream(called, found.types, batches)
    numbers = spark.range(0, tasks, 1, max(1, tasks))
    frame = numbers.mapInArrow(job, from_arrow_schema(arrow_schema(found.types), prefer_timestamp_ntz=True))
    return Table(frame, tuple(found.types), found.left_out, typed=True)
