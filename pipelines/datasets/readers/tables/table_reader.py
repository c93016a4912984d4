"""The one place that turns a folder or a file that somebody has into rows: by column name, each column of one type.

Files say by their names what they are, and by their content how they are written; both can be said instead. What is
left out of a table is logged with the reason; a column that cannot be read stops only who asks for it.
"""

import functools
import re
import urllib.parse
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import ArrayType, DataType, MapType, StringType, StructField, StructType

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.features.names import quoted
from emberline.features.validation.rows import FAULT, OTHER_REASON, RAW, SOURCE
from emberline.features.validation.schema_inference import MISSING_MARKS
from emberline.pipelines.datasets.readers.tables.arrow_rows import (
    ArrowFile,
    ArrowRows,
    arrow_schema,
    opened_parquet,
    parquet_schema,
)
from emberline.pipelines.datasets.readers.tables.column_types import Union, normal, union
from emberline.pipelines.datasets.readers.tables.csv_dialect import SAMPLE_BYTES, sniff
from emberline.pipelines.datasets.readers.tables.csv_rows import CsvFile, CsvRows, open_plain, text_schema, unclosed
from emberline.pipelines.datasets.readers.tables.csv_splits import (
    CsvPart,
    Quotes,
    chained,
    count_quotes,
    cut,
    never_closed,
    part_bytes,
)
from emberline.pipelines.datasets.readers.tables.json_documents import DOCUMENT, LINES, json_kind
from emberline.pipelines.datasets.readers.tables.table_files import (
    ENDINGS,
    NO_VALUE,
    TableFile,
    TableFiles,
    below,
    table_files,
)
from emberline.pipelines.datasets.readers.tables.table_format import TableFormat
from emberline.pipelines.runtime.progress import Progress

UNKNOWN = TableFormat()
"""Nothing is said about the table: its files tell."""

AT_ONCE = 32
"""Files whose beginnings are read at a time."""

RESERVED = (RAW, SOURCE, FAULT, OTHER_REASON, "_good")
"""Names that raw rows need for themselves."""

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
) -> Table:
    """Finds the files of a table, and how they are to be read.

    Args:
        spark: The session.
        source: A file or a folder; the path is taken literally.
        form: What is known of it.
        expected: Columns that it should have: in a CSV file, they tell a header from a row.
        numbers: Columns that hold numbers, whose decimal commas become points; None: those whose values all are.

    Raises:
        BadInputError: if there is no table, or it cannot be read as one.
    """
    found = table_files(source, form.format)
    if form.options and found.format != "csv":
        raise BadInputError(f"{source!r} is {found.format}, and --option is for CSV. Give --input-format csv, or none.")
    if found.others:
        _tell(f"{source}: {len(found.others):,} files are not of the table: {_some(found.others)}")
    read = {"csv": _csv, "json": _json, "parquet": _arrow, "orc": _arrow, "tfrecord": _tfrecord}[found.format]
    table: Table = read(spark, source, found, form, expected, numbers)
    reserved = {
        name: "the name is one that raw rows need: call it otherwise" for name in table.columns if name in RESERVED
    }
    left_out = {**table.left_out, **reserved}
    if left_out:
        told = [f"{name!r}: {reason}" for name, reason in left_out.items() if name not in expected]
        if told:
            _tell(f"{source}: columns left out: {'; '.join(told[:TOLD])}")
    return replace(table, left_out=left_out, columns=tuple(name for name in table.columns if name not in reserved))


def literal(uri: str) -> str:
    """Returns a path that Spark's readers take as it is, whatever characters of patterns are in it."""
    return "".join(f"\\{mark}" if mark in "[]{}*?\\" else mark for mark in uri)


@functools.lru_cache(1024)
def _tell(text: str) -> None:
    """Says it once, however often the table is opened."""
    Progress("read").say(text)


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:TOLD])) + (f" and {len(names) - TOLD:,} more" if len(names) > TOLD else "")


def _each(action: Callable, files: Sequence[TableFile]) -> list:  # type: ignore[type-arg]
    with ThreadPoolExecutor(AT_ONCE, "emberline-tables") as threads:
        return list(threads.map(action, files))


# -- CSV


def _csv(
    spark: SparkSession,
    source: str,
    found: TableFiles,
    form: TableFormat,
    expected: Collection[str],
    numbers: Collection[str] | None,
) -> Table:
    def look(file: TableFile) -> CsvFile:
        with open_plain(file) as stream:
            sample = bytes(stream.read(SAMPLE_BYTES + 1))
        name = below(source, file.uri)
        complete = len(sample) <= SAMPLE_BYTES
        prefer = {"tsv": "\t", "tab": "\t", "psv": "|"}.get(file.ending, ",")
        return CsvFile(file, name, sniff(sample, complete, form.csv, expected, repr(name), prefer))

    files: list[CsvFile] = _each(look, found.files)
    headless = [file.name for file in files if not file.dialect.header]
    if headless and len(headless) < len(files):
        headed = next(file.name for file in files if file.dialect.header)
        raise BadInputError(
            f"{headless[0]!r} has no header, and {headed!r} has one: columns are matched by their names. Give every "
            "file a header, or none and --option header=no."
        )
    for evidence in dict.fromkeys(said for file in files for said in file.dialect.evidence):
        named = [file.name for file in files if evidence in file.dialect.evidence]
        _tell(f"{source}: {evidence} ({_some(named)})" if len(named) < len(files) else f"{source}: {evidence}")
    own = [[*(name for name in file.dialect.names if name), *file.file.values] for file in files]
    columns = tuple(dict.fromkeys(name for names in own for name in names))
    _tell_lacking(
        source,
        {name: file.name for file, names in zip(files, own, strict=True) for name in columns if name not in names},
    )
    parts = _csv_parts(spark, files)
    tasks = _packed(parts, lambda part: files[part.file].file.size if part.stop < 0 else part.stop - part.start)

    def frame(converted: Collection[str]) -> DataFrame:
        job = CsvRows(files, tasks, columns, frozenset(converted))
        return _run(spark, len(tasks), job, text_schema(columns))

    commas = any(file.dialect.decimal == "," or file.dialect.thousands for file in files)
    if not commas:
        return Table(frame(()), columns, {})
    if numbers is None:
        numbers = _numbers(frame(columns), columns)
    return Table(frame(numbers), columns, {})


def _csv_parts(spark: SparkSession, files: Sequence[CsvFile]) -> list[CsvPart]:
    wanted = part_bytes(sum(file.file.size for file in files), spark.sparkContext.defaultParallelism)
    parts: list[CsvPart] = []
    large: list[tuple[int, list[tuple[int, int]]]] = []
    for number, found in enumerate(files):
        if found.dialect.whole or found.file.compression:
            parts.append(CsvPart(number, 0, -1))
            continue
        ranges = cut(found.dialect.start, found.file.size, wanted)
        if len(ranges) == 1:
            parts.append(CsvPart(number, found.dialect.start, found.file.size))
        else:
            large.append((number, ranges))
    if large:
        asked = [(number, start, stop) for number, ranges in large for start, stop in ranges]
        counted = _counted(spark, files, asked)
        for number, ranges in large:
            quotes, counted = counted[: len(ranges)], counted[len(ranges) :]
            if never_closed(quotes):
                raise BadInputError(unclosed(files[number].name))
            parts += chained(number, ranges, quotes) or [CsvPart(number, 0, -1)]
    return parts


def _counted(spark: SparkSession, files: Sequence[CsvFile], ranges: Sequence[tuple[int, int, int]]) -> list[Quotes]:
    """The quotes of every range, in order."""
    about = [
        (files[number].file.uri, start, stop, files[number].dialect.sep, files[number].dialect.quote)
        for number, start, stop in ranges
    ]
    found = spark.sparkContext.parallelize(about, len(about)).map(lambda one: count_quotes(*one)).collect()
    return list(found)


def _numbers(frame: DataFrame, columns: Sequence[str]) -> list[str]:
    """Columns whose values all are numbers."""
    measures = []
    for place, name in enumerate(columns):
        text = F.trim(F.col(quoted(name)))
        value = F.when(~text.isin("", *MISSING_MARKS), text)
        measures += [F.count(value).alias(f"v{place}"), F.count(value.try_cast("double")).alias(f"n{place}")]
    row = frame.where(F.col(FAULT).isNull()).agg(*measures).first()
    return [name for place, name in enumerate(columns) if row and 0 < row[f"n{place}"] == row[f"v{place}"]]


# -- Parquet and ORC


def _arrow(
    spark: SparkSession,
    source: str,
    found: TableFiles,
    form: TableFormat,
    expected: Collection[str],
    numbers: Collection[str] | None,
) -> Table:
    def look(file: TableFile) -> tuple[pa.Schema, int]:
        try:
            with storage.open_random(file.uri) as stream:
                if found.format == "orc":
                    from pyarrow.orc import ORCFile

                    orc = ORCFile(stream)
                    return orc.schema, orc.nstripes
                parquet = opened_parquet(stream)
                return parquet_schema(parquet), parquet.num_row_groups
        except (pa.ArrowInvalid, OSError) as error:
            raise BadInputError(
                f"{below(source, file.uri)!r} is no {found.format} file: {str(error).splitlines()[0]}"
            ) from None

    looked = _each(look, found.files)
    names = [below(source, file.uri) for file in found.files]
    schemas = [schema for schema, _ in looked]
    merged = union(list(zip(names, schemas, strict=True)))
    merged = _with_folders(merged, found)
    _tell_lacking(source, merged.lacking)
    if found.format == "parquet" and _spark_agrees(schemas):
        return _parquet(spark, source, found, merged, schemas[0])
    files = [ArrowFile(file, name, groups) for file, name, (_, groups) in zip(found.files, names, looked, strict=True)]
    parts = [(number, group) for number, file in enumerate(files) for group in range(file.groups)]
    tasks = _packed(parts, lambda part: files[part[0]].file.size // max(1, files[part[0]].groups))
    job = ArrowRows(found.format, files, tasks, merged.types)
    frame = _run(spark, len(tasks), job, arrow_schema(merged.types))
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


def _parquet(spark: SparkSession, source: str, found: TableFiles, merged: Union, schema: pa.Schema) -> Table:
    """By Spark's own reader, which sends no row through Python."""
    table = spark.read.parquet(*(literal(file.uri) for file in found.files))
    path = F.col("_metadata.file_path")
    columns = {name: _folder_value(path, name) for name in found.value_names}
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


def _folder_value(path: Column, name: str) -> Column:
    """What the folder NAME=VALUE of a file's address says; both Hive and the address escape characters."""
    spelt = {name, urllib.parse.quote(name, safe=""), urllib.parse.quote(urllib.parse.quote(name, safe=""), safe="")}
    spelt |= {urllib.parse.quote(name)}
    pattern = "|".join(re.escape(one) for one in sorted(spelt))
    text = F.regexp_extract(path, rf"/(?:{pattern})=([^/]*)/", 1)
    for _ in range(2):
        text = F.url_decode(F.replace(text, F.lit("+"), F.lit("%2B")))
    return F.when(text != NO_VALUE, text)


# -- JSON and TFRecord


def _json(
    spark: SparkSession,
    source: str,
    found: TableFiles,
    form: TableFormat,
    expected: Collection[str],
    numbers: Collection[str] | None,
) -> Table:
    kinds = _each(lambda file: json_kind(file, below(source, file.uri)), found.files)
    if len(set(kinds)) > 1:
        names = {kind: below(source, file.uri) for kind, file in zip(kinds, found.files, strict=True)}
        raise BadInputError(
            f"{names[DOCUMENT]!r} is one JSON document, and {names[LINES]!r} holds JSON lines: give files of one kind."
        )
    corrupt = "_corrupt_record"
    reader = spark.read.option("multiLine", str(kinds[0] == DOCUMENT).lower())
    reader = reader.option("columnNameOfCorruptRecord", corrupt)
    table = reader.json([literal(file.uri) for file in found.files])
    path = F.col("_metadata.file_path")
    values = {name: _folder_value(path, name) for name in found.value_names}
    columns, left_out = {}, {}
    for name, column, kind in _spark_leaves(table.schema):
        if name == corrupt or name in values:
            continue
        if name in columns:
            left_out[name] = "a structure has a field of the same name: call one otherwise"
        elif isinstance(kind, MapType) or (
            isinstance(kind, ArrayType) and isinstance(kind.elementType, StructType | ArrayType | MapType)
        ):
            left_out[name] = f"it is of type {kind.simpleString()}: write single values, or lists of them"
        else:
            columns[name] = column
    columns = {name: column for name, column in columns.items() if name not in left_out} | values
    nothing = F.lit(None).cast("string")
    broken = F.col(corrupt) if corrupt in table.columns else nothing
    fault = F.when(broken.isNotNull(), F.lit("is not JSON"))
    frame = table.select(
        *(column.alias(name) for name, column in columns.items()),
        broken.alias(RAW),
        path.alias(SOURCE),
        fault.alias(FAULT),
    )
    return Table(frame, tuple(columns), left_out)


def _spark_leaves(
    schema: StructType, above: str = "", column: Column | None = None
) -> list[tuple[str, Column, DataType]]:
    """Columns, structures taken apart: name, column and type."""
    found = []
    for item in schema.fields:
        own = F.col(quoted(item.name)) if column is None else column.getField(item.name)
        name = f"{above}.{item.name}" if above else item.name
        if isinstance(item.dataType, StructType):
            found += _spark_leaves(item.dataType, name, own)
        else:
            found.append((name, own, item.dataType))
    return found


def _tfrecord(
    spark: SparkSession,
    source: str,
    found: TableFiles,
    form: TableFormat,
    expected: Collection[str],
    numbers: Collection[str] | None,
) -> Table:
    reader = spark.read.format("tfrecord")
    if all(file.ending in ENDINGS["tfrecord"] for file in found.files):
        reader = reader.option("pathGlobFilter", f"*.{{{','.join(ENDINGS['tfrecord'])}}}*")
    if found.value_names:  # of folders: text, whatever it looks like
        types = reader.load(source).schema
        texts = [StructField(item.name, StringType()) if item.name in found.value_names else item for item in types]
        reader = reader.schema(StructType(texts))
    elif storage.is_folder(source):
        reader = reader.option("recursiveFileLookup", "true")
    table = reader.load(source)
    nothing = F.lit(None).cast("string")
    frame = table.select("*", nothing.alias(RAW), F.lit(source).alias(SOURCE), nothing.alias(FAULT))
    return Table(frame, tuple(table.columns), {})


# -- tasks


def _packed(parts: Sequence, bytes_of: Callable) -> list[list]:  # type: ignore[type-arg]
    """Parts of small files, several to a task."""
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


def _run(spark: SparkSession, tasks: int, job: Callable, schema: pa.Schema) -> DataFrame:  # type: ignore[type-arg]
    numbers = spark.range(0, tasks, 1, max(1, tasks))
    return numbers.mapInArrow(job, from_arrow_schema(schema, prefer_timestamp_ntz=True))


def _tell_lacking(source: str, lacking: Mapping[str, str]) -> None:
    if lacking:
        listed = "; ".join(f"{name!r} ({file})" for name, file in list(lacking.items())[:TOLD])
        more = f" and {len(lacking) - TOLD:,} more" if len(lacking) > TOLD else ""
        _tell(f"{source}: columns that some files lack are null there: {listed}{more}")
