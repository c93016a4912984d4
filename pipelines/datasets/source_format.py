"""How a source is read: the format of its files, where a run says so, or the table that it is."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame, SparkSession

from emberline.features.errors import BadInputError
from emberline.pipelines.datasets.readers.named_table import NamedTable
from emberline.pipelines.datasets.readers.tables.table_format import FORMATS, TableFormat
from emberline.pipelines.runtime.table_address import DELTA, ICEBERG, TableAddress

if TYPE_CHECKING:
    from emberline.pipelines.datasets.readers.raw_table import Dataset


def table_format(form: str, options: Mapping[str, str]) -> str | TableFormat:
    """Returns the format of rows to score: one of our formats with its options, or the name of one of Spark's.

    Raises:
        BadInputError: for options of another format, or a table that has an address of its own.
    """
    if form.lower() in (DELTA, ICEBERG):
        raise BadInputError(
            f"--input-format {form} does not say which version of the table is read. Give --input delta:URI, "
            "--input iceberg:CATALOG.NAMESPACE.TABLE, or --table NAME."
        )
    return form if form and form not in FORMATS and not options else TableFormat(form, options)


def of_source(dataset: "Dataset", source: str, form: TableFormat | None) -> "Dataset":
    """Returns the data set, reading this source: of a table, the columns that are called as its fields are.

    Args:
        dataset: A data set.
        source: URI of files, or the address of a table.
        form: What a run says; None or empty for nothing.

    Raises:
        BadInputError: if something is said about a data set that reads a format of its own.
    """
    if TableAddress.parse(source):
        table = NamedTable(dataset.name, dataset.schema)
        return table if form is None else table.of_format(form)
    if form is None or form == TableFormat():
        return dataset
    if not isinstance(dataset, NamedTable):
        raise BadInputError(
            f"The data set {dataset.name!r} reads files of its own format: leave out --input-format and --option."
        )
    return dataset.of_format(form)


def read_source(
    spark: SparkSession, dataset: "Dataset", source: Mapping[str, Any], split: str | None = None
) -> DataFrame:
    """Returns the raw rows that a dataset version was made of.

    Args:
        spark: The session.
        dataset: Their data set.
        source: What the version's manifest says of them.
        split: As of `Dataset.read`.
    """
    form = TableFormat(**source["format"]) if source.get("format") else None
    return of_source(dataset, source["uri"], form).read(spark, source["uri"], split)
