"""Tables whose columns are called as the fields are: Parquet, ORC, CSV or TSV with a header, JSON lines, TFRecord.

A data set of your own is a module in this folder with a schema, which `emberline infer-schema` prints to begin with,
and one line: `DATASET = NamedTable("visits", SCHEMA)`.
"""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from emberline.features.errors import BadInputError
from emberline.features.schema import Schema
from emberline.pipelines.datasets.readers.raw_table import named_rows
from emberline.pipelines.datasets.readers.table_formats import read_table
from emberline.pipelines.datasets.splits import rows_of
from emberline.pipelines.datasets.synthetic import Synthetic, read_facts


class NamedTable:
    """Reads a table.

    Args:
        name: Of the data set: that of its module.
        schema: Of its columns; there may be more.
    """

    def __init__(self, name: str, schema: Schema) -> None:
        self.name, self.schema = name, schema

    def read(self, spark: SparkSession, uri: str, split: str | None = None) -> DataFrame:
        """Raw rows of one split, or of the whole table; rows without a key of their own get a hash of the row.

        Args:
            spark: The session.
            uri: The table.
            split: `train` or `eval`: rows with this text in a column `split`, if there is one, else a tenth of the
                rows is held out, by a hash of their keys.

        Raises:
            BadInputError: if there is no table, or its format is not known.
        """
        rows = named_rows(read_table(spark, uri), self.schema, F.lit(uri))
        return rows_of(split, rows, F.col(f"`{self.schema.key}`"))

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """There is no stand-in for a table of your own.

        Raises:
            BadInputError: always.
        """
        raise BadInputError(f"The data set {self.name!r} has no synthetic stand-in: give its table with --input.")

    def synthetic(self, uri: str) -> Synthetic | None:
        """Facts about generated data, None for real data."""
        return read_facts(uri)
