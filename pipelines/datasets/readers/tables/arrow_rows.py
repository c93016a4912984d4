"""Parts of Parquet and ORC files to rows of one type per column, in executors, by Arrow."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.features.parquet import open_parquet
from emberline.features.validation.rows import FAULT, RAW, SOURCE
from emberline.pipelines.datasets.readers.tables.column_types import Leaf, changed, converted, leaves, picked
from emberline.pipelines.datasets.readers.tables.table_files import TableFile

BATCH_ROWS = 16 << 10


def parquet_schema(file: pq.ParquetFile) -> pa.Schema:
    """Returns the columns of a file; times of 96 bits are instants, which Arrow does not say."""
    schema = file.schema_arrow
    columns = (file.schema.column(place) for place in range(len(file.schema)))
    instants = {column.path for column in columns if column.physical_type == "INT96"}
    for place, field in enumerate(schema):
        if field.name in instants and pa.types.is_timestamp(field.type):
            schema = schema.set(place, field.with_type(pa.timestamp("us", "UTC")))
    return schema


@dataclass(frozen=True)
class ArrowFile:
    """A Parquet or ORC file.

    Args:
        file: The file.
        name: As messages call it.
        groups: Its row groups, or stripes.
    """

    file: TableFile
    name: str
    groups: int


@dataclass(frozen=True)
class ArrowRows:
    """Runs in executors: numbers of tasks in, rows out.

    Args:
        form: `parquet` or `orc`.
        files: All files.
        tasks: Of each task, numbers of files and of their row groups.
        types: Of the columns.
    """

    form: str
    files: Sequence[ArrowFile]
    tasks: Sequence[Sequence[tuple[int, int]]]
    types: Mapping[str, pa.DataType]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for task in batch.column(0).to_pylist():
                for file, group in self.tasks[task]:
                    for part in self._read(self.files[file], group):
                        yield self._rows(self.files[file], part)

    def _read(self, found: ArrowFile, group: int) -> Iterator[pa.RecordBatch]:
        with storage.open_random(found.file.uri) as stream:
            if self.form == "orc":
                from pyarrow.orc import ORCFile

                orc = ORCFile(stream)
                wanted = [leaf.path[0] for leaf in leaves(orc.schema) if leaf.name in self.types]
                yield from pa.Table.from_batches(
                    [orc.read_stripe(group, columns=list(dict.fromkeys(wanted)))]
                ).to_batches(BATCH_ROWS)
            else:
                parquet = open_parquet(stream)
                wanted = [leaf.path[0] for leaf in leaves(parquet.schema_arrow) if leaf.name in self.types]
                yield from parquet.iter_batches(BATCH_ROWS, [group], list(dict.fromkeys(wanted)), use_threads=False)

    def _rows(self, found: ArrowFile, batch: pa.RecordBatch) -> pa.RecordBatch:
        own: dict[str, Leaf] = {leaf.name: leaf for leaf in leaves(batch.schema)}
        rows = batch.num_rows
        faults = pa.nulls(rows, pa.string())
        columns = []
        for name, kind in self.types.items():
            if name in found.file.values:
                value = found.file.values[name]
                columns.append(pa.nulls(rows, kind) if value is None else pa.repeat(pa.scalar(value, kind), rows))
            elif name not in own:
                columns.append(pa.nulls(rows, kind))
            else:
                given = picked(batch, own[name])
                try:
                    became = converted(given, kind)
                except pa.ArrowInvalid as error:
                    raise BadInputError(
                        f"Column {name!r} of {found.name} cannot be read as {kind}: {str(error).splitlines()[0]}"
                    ) from None
                other = changed(given, became)
                if other is not None:
                    said = pc.binary_join_element_wise(
                        f"{name}: '", given.cast(pa.string()), "' is a float in other files, and none is like it", ""
                    )
                    faults = pc.if_else(pc.fill_null(other, False), pc.coalesce(faults, said), faults)
                columns.append(became)
        columns += [pa.nulls(rows, pa.string()), pa.repeat(pa.scalar(found.name), rows), faults]
        return pa.RecordBatch.from_arrays(columns, schema=arrow_schema(self.types))


def arrow_schema(types: Mapping[str, pa.DataType]) -> pa.Schema:
    """Returns the schema of what `ArrowRows` yields."""
    return pa.schema([*types.items(), *((name, pa.string()) for name in (RAW, SOURCE, FAULT))])
