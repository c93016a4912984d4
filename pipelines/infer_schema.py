"""A first look at new data: its schema, guessed, as the declaration that a dataset module starts from."""

import sys
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from features.dataset_version import MANIFEST
from features.errors import BadInputError
from features.validation.schema_declaration import declaration
from features.validation.schema_inference import infer_schema
from pipelines.datasets.raw_table import file_name, require_input

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


@dataclass(frozen=True)
class InferredSchema:
    """What was found.

    Args:
        rows: Rows looked at.
        schema: The schema as plain values.
        declaration: The same as Python code.
    """

    rows: int
    schema: dict[str, Any]
    declaration: str


def infer(spark: SparkSession, source: str, label: str, key: str | None = None) -> InferredSchema:
    """Guesses the schema of the table at `source` and prints its declaration for people.

    Args:
        spark: The session.
        source: URI of a file or folder: Parquet, ORC, JSON lines, CSV or TSV with a header line, or TFRecord.
        label: The column that is the label.
        key: The column that identifies a row.

    Raises:
        BadInputError: for a path, a format or a column that does not work.
    """
    table = read_table(spark, source)
    schema = infer_schema(table, label, key)
    code = declaration(schema)
    print(code, file=sys.stderr)
    return InferredSchema(table.count(), schema.to_json(), code)


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
