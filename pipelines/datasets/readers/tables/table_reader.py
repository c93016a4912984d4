"""The one place that turns a folder or a file that somebody has into rows: by column name, each column of one type.

Files say by their names what they are, and by their content how they are written; both can be said instead. What is
left out of a table is logged with the reason; a column that cannot be read stops only who asks for it.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

from pyspark.sql import DataFrame, SparkSession

from emberline.features.errors import BadInputError
from emberline.features.storage import FileEntry
from emberline.features.validation.rows import FAULT, OTHER_REASON, RAW, SOURCE
from emberline.pipelines.datasets.readers.tables.arrow_table import arrow_table
from emberline.pipelines.datasets.readers.tables.csv_table import csv_table
from emberline.pipelines.datasets.readers.tables.json_table import json_table
from emberline.pipelines.datasets.readers.tables.table import TOLD, Opening, Table, some
from emberline.pipelines.datasets.readers.tables.table_files import table_files
from emberline.pipelines.datasets.readers.tables.table_format import TableFormat
from emberline.pipelines.datasets.readers.tables.tfrecord_table import tfrecord_table
from emberline.pipelines.datasets.readers.tables.versioned.version import read_version
from emberline.pipelines.runtime.progress import tell_once
from emberline.pipelines.runtime.table_address import TableAddress

UNKNOWN = TableFormat()
"""Nothing is said about the table: its files tell."""

RESERVED = (RAW, SOURCE, FAULT, OTHER_REASON, "_good")
"""Names that raw rows need for themselves."""

READERS = {
    "csv": csv_table, "json": json_table, "parquet": arrow_table, "orc": arrow_table, "tfrecord": tfrecord_table,
}  # fmt: skip


def read_table(
    spark: SparkSession, source: str, form: TableFormat = UNKNOWN, expected: Collection[str] = ()
) -> DataFrame:
    """Returns the columns of a table, as of `open_table`."""
    table = open_table(spark, source, form, expected)
    table.require(expected)
    return table.rows


def open_table(
    spark: SparkSession,
    source: str,
    form: TableFormat = UNKNOWN,
    expected: Collection[str] = (),
    numbers: Collection[str] | None = None,
    entries: Sequence[FileEntry] | None = None,
) -> Table:
    """Finds the files of a table, and how they are to be read.

    Args:
        spark: The session.
        source: A file or a folder, whose path is taken literally; or the address of a table.
        form: What is known of it.
        expected: Columns that it should have: in a CSV file, they tell a header from a row.
        numbers: Columns that hold numbers, whose decimal commas become points; None: those whose values all are.
        entries: The files at `source`, where somebody listed them already.

    Raises:
        BadInputError: if there is no table, or it cannot be read as one.
    """
    table = _opened(spark, source, form, expected, numbers, entries)
    reserved = {
        name: "the name is one that raw rows need: call it otherwise" for name in table.columns if name in RESERVED
    }
    left_out = {**table.left_out, **reserved}
    if left_out:
        told = [f"{name!r}: {reason}" for name, reason in left_out.items() if name not in expected]
        if told:
            tell_once("read", f"{source}: columns left out: {'; '.join(told[:TOLD])}")
    return replace(table, left_out=left_out, columns=tuple(name for name in table.columns if name not in reserved))


def _opened(
    spark: SparkSession,
    source: str,
    form: TableFormat,
    expected: Collection[str],
    numbers: Collection[str] | None,
    entries: Sequence[FileEntry] | None,
) -> Table:
    if address := TableAddress.parse(source):
        return read_version(spark, address, form)
    found = table_files(source, form.format, entries)
    if form.options and found.format != "csv":
        raise BadInputError(f"{source!r} is {found.format}, and --option is for CSV. Give --input-format csv, or none.")
    if found.others:
        tell_once("read", f"{source}: {len(found.others):,} files are not of the table: {some(found.others)}")
    return READERS[found.format](Opening(spark, source, found, form, expected, numbers))
