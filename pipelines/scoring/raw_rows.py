"""Rows to score, from wherever Spark reads them, and the quickest way to get at them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_type
from pyspark.sql.types import DataType, IntegralType, StringType

from emberline.features import storage
from emberline.features.analysis.sources import ByteRange, file_splits
from emberline.features.errors import BadInputError, nearest
from emberline.features.schema import Schema
from emberline.features.validation.rows import FAULT, RAW, SOURCE
from emberline.pipelines.datasets.raw_source import RawSource
from emberline.pipelines.datasets.readers.raw_table import hidden, named_rows, raw_text
from emberline.pipelines.scoring.arrow_checks import fits

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
    """

    frame: DataFrame
    columns: tuple[str, ...]
    typed: bool
    splits: Sequence[tuple[ByteRange, ...]] = ()

    def types(self, names: Sequence[str]) -> list[DataType]:
        """Spark's types of some columns."""
        by_name = {field.name: field.dataType for field in self.frame.schema.fields}
        return [by_name[name] for name in names]


def read_rows(
    spark: SparkSession,
    source: RawSource | DataFrame,
    schema: Schema,
    carried: Sequence[str],
    dataset: "Dataset | None",
    source_format: str | None,
) -> RawRows:
    """Opens rows to score.

    Args:
        spark: The session.
        source: A DataFrame, or files: of `source_format` if that is given, else of Parquet files or of the data set's
            official format.
        schema: Fields that a model asks for, and the key; rows without a key of their own get a hash of the row.
        carried: Columns to keep, the key first.
        dataset: Reads its official format.
        source_format: A format of Spark's, such as `orc`.

    Raises:
        BadInputError: if there is nothing to read, or a column to keep is not there.
    """
    if isinstance(source, DataFrame):
        return _table(source, schema, carried, F.lit(None).cast("string"))
    if source_format:
        return _table(spark.read.format(source_format).load(source.uri), schema, carried, F.lit(source.uri))
    files = source.data_files()
    tables = [file.uri.endswith(".parquet") for file in files]
    # Files of both kinds are a format of the data set's own, such as lists of captions beside vectors.
    if not all(tables) and (dataset is not None or not any(tables)):
        if dataset is None:
            raise BadInputError(
                f"{source.uri!r} holds no Parquet files. Name its format, or a recipe whose data set it is."
            )
        frame = dataset.read(spark, source.uri)
        _require(carried, frame)
        public = [name for name in frame.columns if name not in (RAW, SOURCE, FAULT)]
        return RawRows(frame, tuple(public), typed=False)
    rows = _table(spark.read.parquet(source.uri), schema, carried, F.col("_metadata.file_path"))
    return RawRows(rows.frame, rows.columns, rows.typed, _splits(spark, source.uri, files, rows, schema, carried))


def set_aside(frame: DataFrame, schema: Schema) -> RawRows:
    """Rows that `arrow_checks` was in doubt about, on their way to `check_rows`."""
    came_from = F.col(SOURCE) if SOURCE in frame.columns else F.lit(None).cast("string")
    own = frame.drop(SOURCE)
    rows = named_rows(frame, schema, came_from).withColumn(RAW, raw_text(own))
    return RawRows(rows, tuple(own.columns), typed=False)


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
    spark: SparkSession,
    uri: str,
    files: Sequence[storage.FileEntry],
    rows: RawRows,
    schema: Schema,
    carried: Sequence[str],
) -> Sequence[tuple[ByteRange, ...]]:
    """Parts of the files, if each of them has all columns in itself, of types that Arrow and Spark read alike."""
    below = [file.uri.removeprefix(storage.join(uri, "")) for file in files]
    if not rows.typed or any("=" in path or any(map(hidden, path.split("/")[:-1])) for path in below):
        return ()  # values in the names of folders; files that Spark skips
    with storage.open_random(files[0].uri) as stream:
        inside = {item.name: item.type for item in pq.ParquetFile(stream).schema_arrow}
    if not set(inside).issuperset([*carried, *(field.name for field in schema.fields)]):
        return ()
    # Arrow's own types that Spark knows as others: a duration is a whole number to it.
    if not fits(schema, inside):
        return ()
    return file_splits(files, spark.sparkContext.defaultParallelism)
