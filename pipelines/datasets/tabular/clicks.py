"""Criteo display advertising: does a person click on this advertisement?

Official format, without header: fields separated by tabs: the label (0 or 1; not in the files whose name starts with
`test`), 13 integers, 26 categories as 8 hexadecimal digits; an empty field is a missing value. What the fields mean
is not published. Files: `train.txt` and `test.txt` of the Kaggle competition, or `day_0` … `day_23` of the terabyte
logs, compressed or not.
Source: Criteo Labs, "Display Advertising Challenge", 2014, and "Terabyte Click Logs", 2015.
"""

from typing import ClassVar

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.features.validation.rows import FAULT, RAW, SOURCE
from emberline.pipelines.datasets.generators import clicks as clicks_generator
from emberline.pipelines.datasets.readers.raw_table import (
    PARTS,
    file_name,
    input_files,
    read_named,
    row_key,
    text_rows,
)
from emberline.pipelines.datasets.splits import rows_of
from emberline.pipelines.datasets.synthetic import Synthetic, read_facts

SCHEMA = Schema(
    fields=(
        # Not integers: some counts are -1, which an integer field takes for "missing".
        *(Field(f"I{index}", "float") for index in range(1, 14)),
        *(Field(f"C{index}", "string") for index in range(1, 27)),
    ),
    label=Label("clicked", classes=(("0",), ("1",))),
    key="row",
)

NAMES = ("train", "test", "day_")
"""How the official files' names begin; in a folder, others are not read."""


class Clicks:
    """Reads the official files, or a Parquet table with the same column names."""

    name: ClassVar[str] = "clicks"
    schema: ClassVar[Schema] = SCHEMA

    def read(self, spark: SparkSession, uri: str, split: str | None = None) -> DataFrame:
        """Returns raw rows of one split, or of everything at `uri`.

        Args:
            spark: The session.
            uri: A file, or a folder of files.
            split: `train` or `eval`. Of several days, the last is held out; of anything else, a tenth of the rows,
                chosen by a hash of the row, so that equal rows stay together. Files called `test…` have no labels
                and belong to neither.

        Raises:
            BadInputError: if the path does not exist or holds nothing.
        """
        files = input_files(uri)
        if any(file.uri.endswith(".parquet") for file in files):
            return _share(read_named(spark, uri, SCHEMA), split)
        if len(files) > 1:
            files = [file for file in files if file_name(file.uri).startswith(NAMES)]
        if split is None and files:
            return text_rows(spark, files, SCHEMA.key, parse)
        labelled = [file for file in files if not file_name(file.uri).startswith("test")]
        if not labelled:
            raise BadInputError(f"{uri!r} holds no rows with labels. Expected train.txt, or day_0, day_1, …")
        days = [file for file in labelled if file_name(file.uri).startswith("day_")]
        days.sort(key=lambda file: _day(file.uri))
        if len(days) > 1:
            return text_rows(spark, days[:-1] if split == "train" else days[-1:], SCHEMA.key, parse)
        return _share(text_rows(spark, labelled, SCHEMA.key, parse), split)

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Writes `train.txt` and `test.txt` with synthetic rows; see `clicks_generator`."""
        return clicks_generator.generate(directory, seed=seed)

    def synthetic(self, uri: str) -> Synthetic | None:
        """Returns facts about generated data, None for real data."""
        return read_facts(uri)


DATASET = Clicks()


def parse(lines: DataFrame) -> DataFrame:
    """Splits lines of the official format into text columns.

    Args:
        lines: `_raw` (one line each) and `_source`.

    Returns:
        One text column per field, the label (null where a line has none), the key, `_raw`, `_source`, and `_fault`
        when a line does not have its 40 fields (or 39, without the label). Empty lines are not rows.
    """
    names = [field.name for field in SCHEMA.fields]
    parts = F.col(PARTS)
    size = F.size(parts)
    labelled = size == len(names) + 1
    first = F.when(labelled, 1).otherwise(0)
    fault = F.when(
        ~labelled & (size != len(names)),
        F.concat(F.lit(f"expected {len(names) + 1} tab-separated fields, got "), size.cast("string")),
    )
    # A column of its own: inside each of the others, Spark would split the line once per field.
    return (
        lines.where(F.trim(RAW) != "")
        .withColumn(PARTS, F.split(F.col(RAW), "\t"))
        .select(
            row_key(F.col(RAW)).alias(SCHEMA.key),
            F.when(labelled, F.get(parts, F.lit(0))).alias(SCHEMA.label.name),
            *(F.get(parts, first + index).alias(name) for index, name in enumerate(names)),
            F.col(RAW),
            F.col(SOURCE),
            fault.alias(FAULT),
        )
    )


def _share(rows: DataFrame, split: str | None) -> DataFrame:
    return rows_of(split, rows, F.col(SCHEMA.key), by_column=False)


def _day(uri: str) -> int:
    number = file_name(uri).removeprefix("day_").partition(".")[0]
    if not number.isdigit():
        raise BadInputError(f"{uri!r} is not called like a day of the logs. Expected day_0, day_1, …")
    return int(number)
