"""UCI Adult, "census income": does a person earn more than 50,000 dollars a year?

Official format: no header, fields separated by a comma and a space, `?` for a missing value; the test file
opens with a comment line and ends its labels with a dot. Official split: 32,561 and 16,281 rows.
Source: Kohavi and Becker, "Adult", UCI Machine Learning Repository, 1996.
"""

from typing import ClassVar

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from emberline.features.schema import Field, Label, Schema
from emberline.features.validation.rows import RAW
from emberline.pipelines.datasets.generators import census as census_generator
from emberline.pipelines.datasets.readers.raw_table import read_split, split_lines
from emberline.pipelines.datasets.synthetic import Synthetic, read_facts

MISSING = ("?",)

SCHEMA = Schema(
    fields=(
        Field("age", "integer", MISSING, minimum=0, maximum=130),
        # The documented vocabularies count "?" as a value of its own; a missing text becomes it again.
        Field("workclass", "string", MISSING, default="?"),
        Field("fnlwgt", "integer", MISSING),
        Field("education", "string", MISSING, default="?"),
        Field("education_num", "integer", MISSING, minimum=0, maximum=30),
        Field("marital_status", "string", MISSING, default="?"),
        Field("occupation", "string", MISSING, default="?"),
        Field("relationship", "string", MISSING, default="?"),
        Field("race", "string", MISSING, default="?"),
        Field("gender", "string", MISSING, default="?"),
        Field("capital_gain", "integer", MISSING, minimum=0),
        Field("capital_loss", "integer", MISSING, minimum=0),
        Field("hours_per_week", "integer", MISSING, minimum=0, maximum=168),
        Field("native_country", "string", MISSING, default="?"),
    ),
    label=Label("income_bracket", classes=(("<=50K", "<=50K."), (">50K", ">50K."))),
    key="row",
)

FILES = {"train": "adult.data", "eval": "adult.test"}


class Census:
    """Reads the official files, or a Parquet table with the same column names."""

    name: ClassVar[str] = "census"
    schema: ClassVar[Schema] = SCHEMA

    def read(self, spark: SparkSession, uri: str, split: str | None = None) -> DataFrame:
        """Returns raw rows of one split, or of everything at `uri`.

        Args:
            spark: The session.
            uri: The folder of the official files (or, with no split, any file or folder of such rows).
            split: `train` or `eval`.

        Raises:
            BadInputError: if the path does not exist or holds nothing.
        """
        return read_split(spark, uri, split, FILES, SCHEMA, parse)

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Writes both official files with synthetic people; see `census_generator`."""
        return census_generator.generate(directory, seed=seed)

    def synthetic(self, uri: str) -> Synthetic | None:
        """Returns facts about generated data, None for real data."""
        return read_facts(uri)


DATASET = Census()


def parse(lines: DataFrame) -> DataFrame:
    """Splits lines of the official format into text columns.

    Args:
        lines: `_raw` (one line each) and `_source`.

    Returns:
        One text column per field, the label, the key, `_raw`, `_source`, and `_fault` when a line does not
        have its 15 fields (or 14, without the label). Comment lines and empty lines are not rows.
    """
    line = F.trim(F.col(RAW))
    return split_lines(lines.where((line != "") & ~line.startswith("|")), SCHEMA)
