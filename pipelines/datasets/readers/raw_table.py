"""Raw tables: what every dataset hands to validation, and the reader of tables that carry column names."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import BinaryType

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.features.names import quoted
from emberline.features.schema import Schema
from emberline.features.validation.rows import FAULT, RAW, SOURCE
from emberline.pipelines.datasets.readers.long_lines import LONGEST_ROW, long_lines, rejected_lines, short_lines
from emberline.pipelines.datasets.synthetic import Synthetic

PARTS = "_parts"
"""The fields of a line, as they are between reading and naming."""

KEY_LENGTH = 16
"""Hexadecimal digits of the row key: 64 bits of the SHA-256 of the row as it came."""


class Dataset(Protocol):
    """A source of raw rows in its official file format."""

    name: str
    schema: Schema

    def read(self, spark: SparkSession, uri: str, split: str | None = None) -> DataFrame:
        """Returns raw rows: a column per field, the label if the files have it, key, `_raw`, `_source`, `_fault`."""

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Writes a synthetic stand-in in the official format."""

    def synthetic(self, uri: str) -> Synthetic | None:
        """Returns facts about the data at `uri` if it was generated, otherwise None."""


def read_split(
    spark: SparkSession,
    uri: str,
    split: str | None,
    files: Mapping[str, str],
    schema: Schema,
    parse: Callable[[DataFrame], DataFrame],
) -> DataFrame:
    """Returns the raw rows of one split, or of everything at `uri`, where each split is a text file of its own.

    Args:
        spark: The session.
        uri: The folder of the official files (or, with no split, any file or folder of such rows).
        split: A key of `files`, or None.
        files: Name of the official file by split. A Parquet table in a file's place is read by its column names.
        schema: Names those columns.
        parse: Lines (`_raw` and `_source`) to raw rows.

    Raises:
        BadInputError: if the path does not exist or holds nothing.
    """
    path = storage.join(uri, files[split]) if split else uri
    found = input_files(path)
    if any(file.uri.endswith(".parquet") for file in found):
        return read_named(spark, path, schema)
    if not split and any(file_name(file.uri) in files.values() for file in found):
        found = [file for file in found if file_name(file.uri) in files.values()]
    return text_rows(spark, found, schema.key, parse)


def text_rows(
    spark: SparkSession, files: Sequence[storage.FileEntry], key: str, parse: Callable[[DataFrame], DataFrame]
) -> DataFrame:
    """Returns the raw rows of text files, compressed or not; lines that are too long for one are rows with a fault.

    Args:
        spark: The session.
        files: The files.
        key: Column of the key.
        parse: Lines (`_raw` and `_source`) to raw rows.
    """
    found = long_lines(spark, files, LONGEST_ROW)
    having = {line.uri for line in found}
    if not having:
        return parse(text_lines(spark, [file.uri for file in files]))
    name = F.element_at(F.split(SOURCE, "/"), -1)
    lines = short_lines(spark, sorted(having), LONGEST_ROW).withColumn(SOURCE, name)
    if others := [file.uri for file in files if file.uri not in having]:
        lines = lines.unionByName(text_lines(spark, others))
    rejected = rejected_lines(spark, found).withColumn(key, row_key(F.col(RAW)))
    return parse(lines).unionByName(rejected, allowMissingColumns=True)


def text_lines(spark: SparkSession, files: list[str]) -> DataFrame:
    """Returns the lines of text files, compressed or not, as `_raw`, with the name of their file as `_source`."""
    return spark.read.text(files).select(F.col("value").alias(RAW), F.col("_metadata.file_name").alias(SOURCE))


def split_lines(lines: DataFrame, schema: Schema) -> DataFrame:
    """Splits lines at their commas into text columns: the fields in order, then the label, which may be left out.

    Args:
        lines: `_raw` (one row each) and `_source`.
        schema: Names the fields, the label and the key.

    Returns:
        One text column per field, the label, the key, `_raw`, `_source`, and `_fault` when a line has another
        number of fields.
    """
    line = F.trim(F.col(RAW))
    names = [*(field.name for field in schema.fields), schema.label.name]
    parts = F.col(PARTS)
    size = F.size(parts)
    fault = F.when(
        ~size.isin(len(names), len(names) - 1),
        F.concat(F.lit(f"expected {len(names)} comma-separated fields, got "), size.cast("string")),
    )
    # A column of its own: inside each of the others, Spark would split the line once per field.
    return lines.withColumn(PARTS, F.split(line, r"\s*,\s*")).select(
        row_key(line).alias(schema.key),
        *(F.get(parts, F.lit(index)).alias(name) for index, name in enumerate(names)),
        F.col(RAW),
        F.col(SOURCE),
        fault.alias(FAULT),
    )


def require_input(uri: str) -> list[str]:
    """Returns the data files under `uri`.

    Raises:
        BadInputError: if nothing is there, or everything there is empty.
    """
    return [entry.uri for entry in input_files(uri)]


def input_files(uri: str) -> list[storage.FileEntry]:
    """Returns the data files under `uri`, with their sizes.

    Raises:
        BadInputError: if nothing is there, or everything there is empty.
    """
    return data_files(uri, all_files(uri))


def all_files(uri: str) -> list[storage.FileEntry]:
    """Returns the files under `uri`, or itself, hidden and empty ones too; none if nothing is there."""
    if storage.is_folder(uri):
        return storage.list_files(uri, recursive=True)
    return [file_entry(uri)] if storage.exists(uri) else []


def data_files(uri: str, files: Sequence[storage.FileEntry]) -> list[storage.FileEntry]:
    """Returns the files under `uri` that Spark reads and that are not empty.

    Raises:
        BadInputError: if there is none, or they are a table of Delta Lake, Iceberg or Hudi.
    """
    if not files and not storage.exists(uri):
        raise BadInputError(f"No input at {uri!r}: the path does not exist. Give a folder or a file that does.")
    folder = storage.join(uri, "").rstrip("/") + "/"
    _require_plain(folder, files)
    below = {file.uri: file.uri.removeprefix(folder) for file in files}
    found = [file for file in files if file.size > 0 and (file.uri == uri or not hidden(below[file.uri]))]
    if not found:
        raise BadInputError(f"No input at {uri!r}: it holds no file with anything in it.")
    return found


def _require_plain(folder: str, files: Sequence[storage.FileEntry]) -> None:
    """Refuses the files of a table that says in other files which of them count, and which of their rows."""
    for file in files:
        path = file.uri.removeprefix(folder)
        if found := re.match(r"(|.*/)_delta_log/", path):
            where = (folder + found[1]).rstrip("/")
            raise BadInputError(
                f"{where!r} is a table of Delta Lake: read as plain files, rows that were deleted or replaced would be "
                f"among its rows. Give --input delta:{where}, or --table with its name in a catalog."
            )
        if found := re.match(r"(|.*/)metadata/[^/]+\.metadata\.json$", path):
            raise BadInputError(
                f"{(folder + found[1]).rstrip('/')!r} is a table of Iceberg: read as plain files, rows that were "
                "deleted or replaced would be among its rows. Give --input iceberg:CATALOG.NAMESPACE.TABLE, or --table "
                "with its name in a catalog."
            )
        if found := re.match(r"(|.*/)\.hoodie/", path):
            raise BadInputError(
                f"{(folder + found[1]).rstrip('/')!r} is a table of Hudi: read as plain files, rows that were replaced "
                "would be among its rows. Give --table with its name in a catalog of a session that has Hudi."
            )


def file_entry(uri: str) -> storage.FileEntry:
    """Returns the listing entry of a single file."""
    return storage.FileEntry(uri, storage.file_size(uri))


def hidden(path: str) -> bool:
    """Returns whether Spark skips a file: its name, or that of a folder above it, starts with a dot or an underscore.

    Args:
        path: Below the folder that was given. A folder `_NAME=VALUE` is one of a table's.
    """
    return any(part.startswith(".") or (part.startswith("_") and "=" not in part) for part in path.split("/"))


def file_name(uri: str) -> str:
    """Returns the last component of a URI."""
    return uri.rstrip("/").rpartition("/")[2]


def read_named(spark: SparkSession, uri: str, schema: Schema) -> DataFrame:
    """Returns the rows of a Parquet table whose columns carry the schema's names.

    Args:
        spark: The session.
        uri: A Parquet file or folder.
        schema: Names the key; a table without it gets the hash of the row as key.
    """
    from emberline.pipelines.datasets.readers.tables.table_format import TableFormat
    from emberline.pipelines.datasets.readers.tables.table_reader import open_table

    table = open_table(spark, uri, TableFormat("parquet"), schema.names)
    table.require(schema.names)
    return keyed_rows(table.rows_with_origin, schema)


def named_rows(table: DataFrame, schema: Schema, source: Column) -> DataFrame:
    """Returns the raw rows of any table whose columns carry the schema's names.

    Args:
        table: The table.
        schema: Names the key; a table without it gets the hash of the row as key.
        source: Where a row came from.
    """
    nothing = F.lit(None).cast("string")
    return keyed_rows(table.withColumns({RAW: nothing, SOURCE: source, FAULT: nothing}), schema)


def keyed_rows(rows: DataFrame, schema: Schema) -> DataFrame:
    """Returns raw rows with the text of each, and a key.

    Args:
        rows: Columns of a table, and `_raw`, which is null or the text of what is no row, `_source` and `_fault`.
        schema: Names the key; a table without it gets the hash of the row as key.
    """
    table = rows.drop(RAW, SOURCE, FAULT)
    rows = rows.withColumn(RAW, F.coalesce(F.col(RAW), raw_text(table)))
    return rows if schema.key in table.columns else rows.withColumn(schema.key, row_key(F.col(RAW)))


def raw_text(table: DataFrame) -> Column:
    """Returns a row as JSON; of bytes, which may be many, their SHA-256."""
    columns = [
        F.sha2(F.col(quoted(item.name)), 256).alias(item.name)
        if isinstance(item.dataType, BinaryType)
        else F.col(quoted(item.name))
        for item in table.schema.fields
    ]
    return F.to_json(F.struct(*columns))


def row_key(raw: Column) -> Column:
    """Returns the key of a row that has none of its own: equal rows share it, and any program can compute it."""
    return F.substring(F.sha2(raw, 256), 1, KEY_LENGTH)
