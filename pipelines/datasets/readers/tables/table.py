"""A table that was found, and what the readers of all formats share."""

import re
import urllib.parse
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.features.names import quoted
from emberline.features.validation.rows import FAULT, RAW, SOURCE
from emberline.pipelines.datasets.readers.tables.table_files import NO_VALUE, TableFile, TableFiles
from emberline.pipelines.datasets.readers.tables.table_format import TableFormat
from emberline.pipelines.runtime.progress import tell_once

AT_ONCE = 32
"""Files whose beginnings are read at a time."""

TOLD = 5
"""Names that a message lists."""


@dataclass(frozen=True)
class Table:
    """Rows of a table.

    Args:
        frame: Its columns, and `_raw` (the text of what is no record), `_source` and `_fault`.
        columns: Names of its own columns.
        left_out: Names of those that cannot be read, with the reason.
        typed: Whether values have types, and every row is one.
        parquet: Files that hold exactly these rows and columns, if Spark's own reader and Arrow's agree on them.
        types: Of the columns in those files.
    """

    frame: DataFrame
    columns: tuple[str, ...]
    left_out: Mapping[str, str]
    typed: bool = False
    parquet: Sequence[storage.FileEntry] = ()
    types: Mapping[str, pa.DataType] = field(default_factory=dict)

    def require(self, names: Collection[str]) -> None:
        """Refuses to go without a column that cannot be read.

        Raises:
            BadInputError: naming it, and the files.
        """
        for name in names:
            if name in self.left_out:
                raise BadInputError(f"Column {name!r} cannot be read: {self.left_out[name]}.")

    @property
    def rows(self) -> DataFrame:
        """Its own columns."""
        return self.frame.select(*(F.col(quoted(name)) for name in self.columns))

    @property
    def rows_with_origin(self) -> DataFrame:
        """Its own columns, `_raw`, `_source` and `_fault`."""
        return self.frame.select(*(F.col(quoted(name)) for name in self.columns), RAW, SOURCE, FAULT)


@dataclass(frozen=True)
class Opening:
    """A table on its way from files to rows.

    Args:
        spark: The session.
        source: A file or a folder.
        found: Its files.
        form: What is known of it.
        expected: Columns that it should have.
        numbers: Columns that hold numbers; None: those whose values all are.
    """

    spark: SparkSession
    source: str
    found: TableFiles
    form: TableFormat
    expected: Collection[str]
    numbers: Collection[str] | None

    def run(self, tasks: int, job: Callable, schema: pa.Schema) -> DataFrame:  # type: ignore[type-arg]
        """Returns the rows that `job` makes of the numbers of tasks, in executors."""
        numbers = self.spark.range(0, tasks, 1, max(1, tasks))
        return numbers.mapInArrow(job, from_arrow_schema(schema, prefer_timestamp_ntz=True))

    def tell_lacking(self, lacking: Mapping[str, str]) -> None:
        """Says which columns are null in some files: `lacking` has the first of these by column."""
        if lacking:
            listed = "; ".join(f"{name!r} ({file})" for name, file in list(lacking.items())[:TOLD])
            more = f" and {len(lacking) - TOLD:,} more" if len(lacking) > TOLD else ""
            tell_once("read", f"{self.source}: columns that some files lack are null there: {listed}{more}")


def literal(uri: str) -> str:
    """Returns a path that Spark's readers take as it is, whatever characters of patterns are in it."""
    return "".join(f"\\{mark}" if mark in "[]{}*?\\" else mark for mark in uri)


def some(names: Sequence[str]) -> str:
    """Returns some names for a message."""
    return ", ".join(map(repr, names[:TOLD])) + (f" and {len(names) - TOLD:,} more" if len(names) > TOLD else "")


def each(action: Callable, files: Sequence[TableFile]) -> list:  # type: ignore[type-arg]
    """Returns what an action gives of each file, several at a time."""
    with ThreadPoolExecutor(AT_ONCE, "emberline-tables") as threads:
        return list(threads.map(action, files))


def packed(parts: Sequence, bytes_of: Callable) -> list[list]:  # type: ignore[type-arg]
    """Returns parts by task: several small ones to each."""
    total = sum(map(bytes_of, parts))
    most = max(1 << 20, min(32 << 20, total // 8))
    tasks: list[list] = []  # type: ignore[type-arg]
    held = most
    for part in parts:
        size = bytes_of(part)
        if held + size > most:
            tasks.append([])
            held = 0
        tasks[-1].append(part)
        held += size
    return tasks


def folder_value(path: Column, name: str) -> Column:
    """Returns what the folder NAME=VALUE of a file's address says; both Hive and the address escape characters."""
    spelt = {name, urllib.parse.quote(name, safe=""), urllib.parse.quote(urllib.parse.quote(name, safe=""), safe="")}
    spelt |= {urllib.parse.quote(name)}
    pattern = "|".join(re.escape(one) for one in sorted(spelt))
    text = F.regexp_extract(path, rf"/(?:{pattern})=([^/]*)/", 1)
    for _ in range(2):
        text = F.url_decode(F.replace(text, F.lit("+"), F.lit("%2B")))
    return F.when(text != NO_VALUE, text)
