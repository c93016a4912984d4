"""Parquet and ORC files as one table: by Spark's own reader where all files agree, by Arrow in executors otherwise."""

from collections.abc import Sequence

import pyarrow as pa
from pyspark.sql import functions as F

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.features.names import quoted
from emberline.features.parquet import open_parquet
from emberline.features.validation.rows import FAULT, RAW, SOURCE
from emberline.pipelines.datasets.readers.tables.arrow_rows import (
    ArrowFile,
    ArrowRows,
    arrow_schema,
    parquet_schema,
)
from emberline.pipelines.datasets.readers.tables.column_types import Union, normal, union
from emberline.pipelines.datasets.readers.tables.table import Opening, Table, each, folder_value, literal, packed
from emberline.pipelines.datasets.readers.tables.table_files import TableFile, TableFiles, below


def arrow_table(opening: Opening) -> Table:
    """Returns the table of Parquet or ORC files."""
    source, found = opening.source, opening.found

    def look(file: TableFile) -> tuple[pa.Schema, int]:
        try:
            with storage.open_random(file.uri) as stream:
                if found.format == "orc":
                    from pyarrow.orc import ORCFile

                    orc = ORCFile(stream)
                    return orc.schema, orc.nstripes
                parquet = open_parquet(stream)
                return parquet_schema(parquet), parquet.num_row_groups
        except (pa.ArrowInvalid, OSError) as error:
            raise BadInputError(
                f"{below(source, file.uri)!r} is no {found.format} file: {str(error).splitlines()[0]}"
            ) from None

    looked = each(look, found.files)
    names = [below(source, file.uri) for file in found.files]
    schemas = [schema for schema, _ in looked]
    merged = union(list(zip(names, schemas, strict=True)))
    merged = _with_folders(merged, found)
    opening.tell_lacking(merged.lacking)
    if found.format == "parquet" and _spark_agrees(schemas):
        return _parquet(opening, merged, schemas[0])
    files = [ArrowFile(file, name, groups) for file, name, (_, groups) in zip(found.files, names, looked, strict=True)]
    parts = [(number, group) for number, file in enumerate(files) for group in range(file.groups)]
    tasks = packed(parts, lambda part: files[part[0]].file.size // max(1, files[part[0]].groups))
    job = ArrowRows(found.format, files, tasks, merged.types)
    frame = opening.run(len(tasks), job, arrow_schema(merged.types))
    return Table(frame, tuple(merged.types), merged.left_out)


def _with_folders(merged: Union, found: TableFiles) -> Union:
    """What the names of folders say is text: what it means, the schema says."""
    values = dict.fromkeys(found.value_names, pa.string())
    left_out = {name: reason for name, reason in merged.left_out.items() if name not in values}
    return Union({**merged.types, **values}, left_out, merged.lacking)


def _spark_agrees(schemas: Sequence[pa.Schema]) -> bool:
    """Whether all files have the same columns, of types that Spark's own reader understands as Arrow's does."""
    first = {field.name: field.type for field in schemas[0]}
    return all(map(_is_plain, first.values())) and all(
        len(schema) == len(first) and all(first.get(field.name) == field.type for field in schema) for schema in schemas
    )


def _is_plain(kind: pa.DataType) -> bool:
    types = pa.types
    if types.is_dictionary(kind):
        return _is_plain(kind.value_type)
    if types.is_list(kind) or types.is_large_list(kind):
        return _is_plain(kind.value_type) and not types.is_nested(kind.value_type)
    if types.is_uint64(kind) or types.is_float16(kind) or types.is_time(kind) or types.is_duration(kind):
        return False
    if types.is_null(kind) or types.is_interval(kind) or isinstance(kind, pa.BaseExtensionType):
        return False
    if types.is_fixed_size_binary(kind) or (types.is_timestamp(kind) and kind.unit == "ns"):
        return False
    return normal(kind) is not None and not types.is_nested(kind)


def _parquet(opening: Opening, merged: Union, schema: pa.Schema) -> Table:
    """By Spark's own reader, which sends no row through Python."""
    spark, found = opening.spark, opening.found
    table = spark.read.parquet(*(literal(file.uri) for file in found.files))
    path = F.col("_metadata.file_path")
    columns = {name: folder_value(path, name) for name in found.value_names}
    own = [F.col(quoted(name)) for name in table.columns if name not in columns]
    nothing = F.lit(None).cast("string")
    frame = table.select(
        *own,
        *(value.alias(name) for name, value in columns.items()),
        nothing.alias(RAW),
        path.alias(SOURCE),
        nothing.alias(FAULT),
    )
    kept = [name for name in table.columns if name not in columns]
    entries = () if columns else [storage.FileEntry(file.uri, file.size) for file in found.files]
    types = {item.name: item.type for item in schema}
    return Table(frame, (*kept, *columns), merged.left_out, True, entries, types)
