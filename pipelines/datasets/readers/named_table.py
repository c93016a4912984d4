"""Tables whose columns are called as the fields are: Parquet, ORC, CSV or TSV, JSON, TFRecord.

A data set of your own is a module in this folder with a schema, which `emberline infer-schema` prints to begin with,
and one line: `DATASET = NamedTable("visits", SCHEMA)`.
"""

import copy
from collections.abc import Mapping

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from emberline.features.errors import BadInputError
from emberline.features.names import quoted
from emberline.features.schema import Schema
from emberline.pipelines.datasets.readers.raw_table import keyed_rows
from emberline.pipelines.datasets.readers.tables.table_format import TableFormat
from emberline.pipelines.datasets.readers.tables.table_reader import open_table
from emberline.pipelines.datasets.splits import SPLIT, rows_of
from emberline.pipelines.datasets.synthetic import Synthetic, read_facts
from emberline.pipelines.runtime.table_address import TableAddress


class NamedTable:
    """Reads a table.

    Args:
        name: Of the data set: that of its module.
        schema: Of its columns; there may be more.
        format: What its files are, where their names do not say it: `parquet`, `orc`, `csv`, `json` or `tfrecord`.
        options: How its CSV files are written, as far as the reader should not find out: `sep`, `quote`, `decimal`,
            `thousands`, `encoding`, `header` (yes or no), `names`, `comment`, `skip` and `skip_rows`.

    Raises:
        BadInputError: for a format or an option that does not exist.
    """

    def __init__(
        self, name: str, schema: Schema, *, format: str = "", options: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.schema = schema
        self.form = TableFormat(format, dict(options or {}))

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash((self.name, self.schema))

    def of_format(self, form: TableFormat) -> "NamedTable":
        """Returns the same table, read in another format.

        Args:
            form: Replaces what the declaration says.
        """
        other = copy.copy(self)
        other.form = self.form.overridden(form)
        return other

    def read(self, spark: SparkSession, uri: str, split: str | None = None) -> DataFrame:
        """Returns raw rows of one split, or of the whole table; rows without a key of their own get a hash of the row.

        Args:
            spark: The session.
            uri: Its files, or the address of a table.
            split: `train` or `eval`: what a column `split` says, in the words of `splits.NAMES`, if there is one that
                is no field, else a tenth of the rows is held out, by a hash of their keys.

        Raises:
            BadInputError: if there is no table, its format is not known, or a column cannot be read.
        """
        schema = self.schema
        numbers = [field.name for field in schema.fields if field.kind in ("integer", "float")]
        numbers += [label.name for label in schema.labels if not label.classes]
        table = open_table(spark, uri, self.form, schema.names, numbers)
        table.require(schema.names)
        rows = keyed_rows(table.rows_with_origin, schema)
        by_column = SPLIT not in {field.name for field in schema.fields}
        return rows_of(split, rows, F.col(quoted(schema.key)), by_column=by_column)

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Raises an error: there is no stand-in for a table of your own.

        Raises:
            BadInputError: always.
        """
        raise BadInputError(f"The data set {self.name!r} has no synthetic stand-in: give its table with --input.")

    def synthetic(self, uri: str) -> Synthetic | None:
        """Returns facts about generated data, None for real data."""
        return None if TableAddress.parse(uri) else read_facts(uri)
