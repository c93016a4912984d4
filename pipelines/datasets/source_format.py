"""How the files of a source are written, where a run says so: what is declared of a table gives way."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame, SparkSession

from emberline.features.errors import BadInputError
from emberline.pipelines.datasets.readers.named_table import NamedTable
from emberline.pipelines.datasets.readers.tables.table_format import FORMATS, TableFormat

if TYPE_CHECKING:
    from emberline.pipelines.datasets.readers.raw_table import Dataset


def table_format(form: str, options: Mapping[str, str]) -> str | TableFormat:
    """Returns the format of rows to score: one of our formats with its options, or the name of one of Spark's.

    Raises:
        BadInputError: for options of another format.
    """
    return form if form and form not in FORMATS and not options else TableFormat(form, options)


def of_format(dataset: "Dataset", form: TableFormat | None) -> "Dataset":
    """Returns the data set, reading files of this format.

    Args:
        dataset: A data set.
        form: What a run says; None or empty for nothing.

    Raises:
        BadInputError: if something is said about a data set that reads a format of its own.
    """
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
    return of_format(dataset, form).read(spark, source["uri"], split)
