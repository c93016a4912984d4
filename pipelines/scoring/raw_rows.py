"""Rows to score, from wherever Spark reads them, and the quickest way to get at them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_type
from pyspark.sql.types import ArrayType, BinaryType, DataType, IntegralType, StringType, StructField, StructType

from emberline.features.analysis.sources import ByteRange, file_splits
from emberline.features.errors import BadInputError, nearest
from emberline.features.schema import Field, Schema
from emberline.features.validation.rows import FAULT, RAW, SOURCE
from emberline.pipelines.datasets.raw_source import RawSource
from emberline.pipelines.datasets.readers.named_table import NamedTable
from emberline.pipelines.datasets.readers.raw_table import keyed_rows, named_rows, raw_text
from emberline.pipelines.datasets.readers.tables.table import Table
from emberline.pipelines.datasets.readers.tables.table_format import FORMATS, TableFormat
from emberline.pipelines.datasets.readers.tables.table_reader import open_table
from emberline.pipelines.datasets.source_format import of_source
from emberline.pipelines.runtime.table_address import TableAddress
from emberline.pipelines.scoring.arrow_checks import fits
from emberline.pipelines.scoring.streaming.messages import MESSAGE, ORIGIN, MessageReader

if TYPE_CHECKING:
    from emberline.pipelines.datasets.readers.raw_table import Dataset


@dataclass(frozen=True)
class RawRows:
    """Rows to score.

    Args:
        frame: As a reader leaves them: a column per field, the key, `_raw`, `_source`, `_fault`.
        columns: What the source itself has.
        typed: Whether values are typed already, so that `arrow_checks` can judge them.
        splits: Parts of Parquet files that hold exactly these rows, for executors to read themselves; empty if there
            is no such thing.
        messages: Reads the rows out of the frame's messages; None where it has rows.
        again: Prepares typed rows that `arrow_checks` was in doubt about for `check_rows`; default: `set_aside`.
    """

    frame: DataFrame
    columns: tuple[str, ...]
    typed: bool
    splits: Sequence[tuple[ByteRange, ...]] = ()
    messages: MessageReader | None = None
    again: "Callable[[DataFrame, Schema], RawRows] | None" = None

    def types(self, names: Sequence[str]) -> list[DataType]:
        """Returns Spark's types of some columns."""
        by_name = {field.name: field.dataType for field in self.frame.schema.fields}
        return [by_name[name] for name in names]


@dataclass(frozen=True)
class Messages:
    """Messages to score.

    Args:
        frame: `MESSAGE`, the columns of `ORIGIN`, and what else goes with predictions.
    """

    frame: DataFrame


def read_rows(
    spark: SparkSession,
    source: RawSource | DataFrame | Messages,
    schema: Schema,
    carried: Sequence[str],
    dataset: "Dataset | None",
    form: str | TableFormat | None = None,
) -> RawRows:
    """Opens rows to score.

    Args:
        spark: The session.
        source: A DataFrame, messages, the address of a table, or files: a table whose columns are called as the
            fields are, or the data set's official format.
        schema: Fields that a model asks for, and the key; rows without a key of their own get a hash of the row.
        carried: Columns to keep, the key first.
        dataset: Reads its official format.
        form: How the files are written, where the data set does not say it, or a format of Spark's, such as `avro`.

    Raises:
        BadInputError: if there is nothing to read, or a column to keep is not there.
    """
    if isinstance(source, Messages):
        return _messages(source.frame, schema, carried)
    if isinstance(source, DataFrame):
        return _table(source, schema, carried, F.lit(None).cast("string"))
    if isinstance(form, str) and form not in FORMATS:
        return _table(spark.read.format(form).load(source.uri), schema, carried, F.lit(source.uri))
    said = TableFormat(form) if isinstance(form, str) else form or TableFormat()
    table_address = TableAddress.parse(source.uri)
    if table_address:
        dataset = None
    elif isinstance(dataset, NamedTable):
        said = dataset.form.overridden(said)
    elif dataset is not None and not said.format and not _all_parquet(source):
        frame = of_source(dataset, source.uri, said).read(spark, source.uri)
        _require(carried, frame)
        public = [name for name in frame.columns if name not in (RAW, SOURCE, FAULT)]
        return RawRows(frame, tuple(public), typed=False)
    fields = [field.name for field in schema.fields]
    numbers = [field.name for field in schema.fields if field.kind in ("integer", "float")]
    entries = None if table_address else source.data_files()
    table = open_table(spark, source.uri, said, [*fields, *carried], numbers, entries)
    table.require([*fields, *carried])
    frame = keyed_rows(table.rows_with_origin, schema)
    _require(carried, frame)
    rows = RawRows(frame, table.columns, typed=table.typed and _typed(table.rows, schema))
    return replace(rows, splits=_splits(spark, table, rows, schema, carried))


def _all_parquet(source: RawSource) -> bool:
    """Files of both kinds are a format of the data set's own, such as lists of captions beside vectors."""
    return all(file.uri.endswith(".parquet") for file in source.data_files())


def set_aside(frame: DataFrame, schema: Schema) -> RawRows:
    """Returns the rows that `arrow_checks` was in doubt about, prepared for `check_rows`."""
    came_from = F.col(SOURCE) if SOURCE in frame.columns else F.lit(None).cast("string")
    own = frame.drop(SOURCE)
    rows = named_rows(frame, schema, came_from).withColumn(RAW, raw_text(own))
    return RawRows(rows, tuple(own.columns), typed=False)


def _messages(frame: DataFrame, schema: Schema, carried: Sequence[str]) -> RawRows:
    fields = {field.name: field for field in schema.fields}
    if taken := sorted({*ORIGIN, MESSAGE} & {*fields, schema.key}):
        raise BadInputError(
            f"The model has a field {taken[0]!r}, which says where a message was. Rename it, or score files."
        )
    kept = tuple(name for name in carried if name not in frame.columns and name not in fields and name != schema.key)
    reader = MessageReader(schema.fields, schema.key, kept)
    # In the messages, not beside them: here their types alone count.
    inside = {name: fields[name].spark_type if name in fields else "string" for name in carried}
    absent = {name: F.lit(None).cast(kind) for name, kind in inside.items() if name not in frame.columns}
    held = frame.withColumns(absent)
    if not fits(schema, reader.types):
        return _one_by_one(held, reader)
    return RawRows(held, (*fields,), True, messages=reader, again=lambda rows, _: _one_by_one(rows, reader))


def _one_by_one(frame: DataFrame, reader: MessageReader) -> RawRows:
    """Returns messages as columns of texts, prepared for `check_rows`."""
    fields = {field.name: field for field in reader.fields}
    inside = [reader.key, *reader.kept]
    others = [item for item in frame.schema.fields if item.name not in (*fields, *inside, MESSAGE)]
    columns = [
        *others,
        *(StructField(name, StringType()) for name in dict.fromkeys(inside) if name not in fields),
        *(StructField(name, _text_type(field)) for name, field in fields.items()),
        *(StructField(name, StringType()) for name in (RAW, SOURCE, FAULT)),
    ]
    named = [f"c{index}" for index in range(len(columns))]
    given = [f"c{index}" for index in range(len(frame.columns))]
    step = _Texts(tuple(frame.columns), reader, tuple(item.name for item in columns), tuple(named))
    answer = StructType([StructField(name, item.dataType) for name, item in zip(named, columns, strict=True)])
    read = frame.toDF(*given).mapInArrow(step, answer).toDF(*step.answers)
    return RawRows(read, tuple(fields), typed=False)


@dataclass(frozen=True)
class _Texts:
    """Runs in an executor; columns have no names of their own there, as for `scorer.OfBatches`."""

    columns: tuple[str, ...]
    reader: MessageReader
    answers: tuple[str, ...]
    named: tuple[str, ...]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for read in self.reader.texts(batch.rename_columns(list(self.columns)) for batch in batches):
            yield read.select(list(self.answers)).rename_columns(list(self.named))


def _text_type(field: Field) -> DataType:
    if field.is_file:
        return BinaryType()
    return ArrayType(StringType()) if field.array else StringType()


def _table(table: DataFrame, schema: Schema, carried: Sequence[str], source: Column) -> RawRows:
    if {RAW, SOURCE, FAULT} <= set(table.columns):  # a data set's reader made it
        frame, public = table, [name for name in table.columns if name not in (RAW, SOURCE, FAULT)]
        typed = False
    else:
        frame, public = named_rows(table, schema, source), table.columns
        typed = _typed(table, schema)
    _require(carried, frame)
    return RawRows(frame, tuple(public), typed)


def _require(carried: Sequence[str], frame: DataFrame) -> None:
    for name in carried:
        if name not in frame.columns:
            raise BadInputError(f"The rows have no column {name!r}. {nearest(name, frame.columns)}")


def _typed(table: DataFrame, schema: Schema) -> bool:
    """Whether no value has to be converted from text."""
    types: dict[str, pa.DataType] = {}
    wanted = {field.name for field in schema.fields}
    for column in table.schema.fields:
        if column.name == schema.key and not isinstance(column.dataType, StringType | IntegralType):
            return False
        if column.name in wanted:
            try:
                types[column.name] = to_arrow_type(column.dataType)
            except (TypeError, ValueError, NotImplementedError, AnalysisException):
                return False
    return fits(schema, types)


def _splits(
    spark: SparkSession, table: Table, rows: RawRows, schema: Schema, carried: Sequence[str]
) -> Sequence[tuple[ByteRange, ...]]:
    """Parts of the files, if each of them has all columns in itself, of types that Arrow and Spark read alike."""
    wanted = {*carried, *(field.name for field in schema.fields)}
    if not rows.typed or not table.parquet or not wanted <= set(rows.columns) or not fits(schema, table.types):
        return ()
    return file_splits(table.parquet, spark.sparkContext.defaultParallelism)
