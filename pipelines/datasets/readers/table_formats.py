"""Formats of tables with column names, told apart by the endings of their files."""

from pyspark.sql import DataFrame, SparkSession

from emberline.features.dataset_version import MANIFEST
from emberline.features.errors import BadInputError
from emberline.pipelines.datasets.readers.raw_table import file_name, require_input

FORMATS = {
    "parquet": ("parquet", {}),
    "orc": ("orc", {}),
    "json": ("json", {}),
    "jsonl": ("json", {}),
    "csv": ("csv", {"header": "true"}),
    "tsv": ("csv", {"header": "true", "sep": "\t"}),
    "tfrecord": ("tfrecord", {}),
}
"""Reader and options by the ending of a file's name, compression aside."""

COMPRESSED = ("gz", "bz2", "zst", "snappy")


def read_table(spark: SparkSession, source: str) -> DataFrame:
    """A table whose files say by their names what they are.

    Raises:
        BadInputError: if there is nothing, or the format is none of `FORMATS`.
    """
    # Beside the shards of a TFRecord folder lies its manifest, which is JSON.
    endings = [_ending(uri) for uri in require_input(source) if file_name(uri) != MANIFEST]
    ending = endings[0] if endings else ""
    if ending not in FORMATS:
        raise BadInputError(
            f"{source!r} holds files ending in {ending!r}. Give a table with column names: {', '.join(FORMATS)}."
        )
    reader, options = FORMATS[ending]
    return spark.read.format(reader).options(**options).load(source)


def _ending(uri: str) -> str:
    """The last ending of a file's name that says what is in it."""
    parts = file_name(uri).lower().split(".")[1:]
    return next((part for part in reversed(parts) if part not in COMPRESSED), "")
