"""Which rows are fed: those of the data set behind a dataset version, or those of a frame that the caller has."""

from collections.abc import Callable

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from emberline.features.dataset_version import DatasetVersion
from emberline.features.names import quoted
from emberline.features.schema import Schema
from emberline.features.validation.rows import FAULT, RAW, SOURCE, check_rows
from emberline.pipelines.datasets import load_dataset
from emberline.pipelines.datasets.readers.raw_table import raw_text, row_key
from emberline.pipelines.datasets.source_format import read_source
from emberline.pipelines.recipe import Recipe

RowsOfEpoch = Callable[[int], DataFrame]
"""Checked rows, by epoch counted from 0."""


def source_rows(spark: SparkSession, recipe: Recipe, version: DatasetVersion) -> RowsOfEpoch:
    """Returns the training split of the files that the version was made of, in another order in every epoch.

    Args:
        spark: The session.
        recipe: Names the data set.
        version: Names the files, and the fields that are read.
    """
    schema, seed = version.schema, recipe.training.seed
    read = read_source(spark, load_dataset(recipe.dataset), version.manifest["source"], "train")
    checked = check_rows(read, schema, labelled=True)

    def rows(epoch: int) -> DataFrame:
        order = F.xxhash64(F.col(quoted(schema.key)), F.lit(seed), F.lit(epoch))
        return checked.repartition(recipe.preparation.shards, order).sortWithinPartitions(order, quoted(schema.key))

    return rows


def given_rows(rows: DataFrame, schema: Schema, held_out: DataFrame | None = None) -> RowsOfEpoch:
    """Returns the same rows in every epoch, in Spark's order and partitions.

    Args:
        rows: Raw columns by name, those of the fields and the label; batch or streaming.
        schema: What a good row looks like.
        held_out: Keys of rows that must not be trained on, in a column called as the schema's key; rows without a key
            are known by the hash that `etl` gave them.

    Raises:
        BadInputError: if a column is missing.
    """
    nothing = F.lit(None).cast("string")
    beside = {name: nothing for name in (RAW, SOURCE, FAULT)}
    if held_out is not None and schema.key not in rows.columns:
        beside[schema.key] = row_key(raw_text(rows))
    elif schema.key not in rows.columns:
        beside[schema.key] = F.lit("")  # only evaluations and predictions need to tell rows apart
    keyed = rows.withColumns(beside)
    if held_out is not None:  # few and small: sent to every task, so that rows stay in their order and partitions
        keyed = keyed.join(F.broadcast(held_out), schema.key, "left_anti")
    checked = check_rows(keyed, schema, labelled=True)
    return lambda _: checked
