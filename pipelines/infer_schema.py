"""A first look at new data: its schema, guessed, as the declaration that a dataset module starts from."""

import sys
from dataclasses import dataclass
from typing import Any

from pyspark.sql import SparkSession

from emberline.features.validation.schema_declaration import declaration
from emberline.features.validation.schema_inference import infer_schema
from emberline.pipelines.datasets.readers.table_formats import read_table


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
