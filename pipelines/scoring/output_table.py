"""Predictions as a table of the session's catalogs: replaced whole, or by partition, once all of them are there.

Delta Lake and Iceberg replace in a transaction. Tables of Hive and of databases are written under another name and take
the place of the older one by renaming, between two statements.
"""

import uuid

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from emberline.features.errors import BadInputError
from emberline.features.names import quoted
from emberline.pipelines.datasets.readers.tables.versioned.catalog_table import explained, name_parts, provider_of
from emberline.pipelines.runtime.table_address import TABLE, TableAddress
from emberline.pipelines.scoring.destination import COLUMNS

TRANSACTIONAL = ("delta", "iceberg")


def require_writable(spark: SparkSession, name: str, partition_by: str | None, overwrite: bool) -> None:
    """Refuses to replace a table unasked, or another than one of predictions.

    Args:
        spark: The session.
        name: Of the table.
        partition_by: Column whose values that come are replaced.
        overwrite: Whether the whole table may be replaced.

    Raises:
        BadInputError: if the table is there and stays, or cannot be replaced by partition.
    """
    try:
        if not spark.catalog.tableExists(_quoted(name)):
            return
        columns, provider = spark.table(_quoted(name)).columns, provider_of(spark, name)
    except (PySparkException, Py4JJavaError) as error:
        raise explained(spark, TableAddress(TABLE, name), error) from None
    if not set(COLUMNS) <= set(columns):
        raise BadInputError(
            f"The table {name} is not of predictions: it has no columns {' and '.join(COLUMNS)}. Choose another name."
        )
    if partition_by is None and not overwrite:
        raise BadInputError(f"The table {name} already exists. Pass --overwrite to replace it, or choose another.")
    if partition_by is not None and provider not in TRANSACTIONAL:
        raise BadInputError(
            f"The table {name} is of {provider or 'a database'}, and --partition-by replaces partitions of "
            f"{' and '.join(TRANSACTIONAL)} alone. Leave it out, or choose another table."
        )


def write_table(spark: SparkSession, predictions: DataFrame, name: str, partition_by: str | None) -> None:
    """Writes predictions; `require_writable` has said that it may.

    Args:
        spark: The session.
        predictions: All of them.
        name: Of the table.
        partition_by: Column whose values that come are replaced.
    """
    target = _quoted(name)
    if not spark.catalog.tableExists(target):
        writer = predictions.writeTo(target)
        (writer.partitionedBy(F.col(quoted(partition_by))) if partition_by else writer).create()
        return
    provider = provider_of(spark, name)
    if partition_by:
        predictions.writeTo(target).overwritePartitions()
    elif provider in TRANSACTIONAL:
        predictions.writeTo(target).using(provider).createOrReplace()
    else:
        _replace(spark, predictions, name)


def _replace(spark: SparkSession, predictions: DataFrame, name: str) -> None:
    """Puts a new table in the place of an older one, whose rows stay until the new ones are whole."""
    *above, own = name_parts(name)
    mark = uuid.uuid4().hex[:8]
    staged, older = ([*above, f"{own}_{what}_{mark}"] for what in ("staged", "replaced"))
    try:
        predictions.writeTo(_joined(staged)).create()
        _rename(spark, [*above, own], older)
        try:
            _rename(spark, staged, [*above, own])
        except (PySparkException, Py4JJavaError):
            _rename(spark, older, [*above, own])
            raise
    except BaseException:
        spark.sql(f"DROP TABLE IF EXISTS {_joined(staged)}")
        raise
    spark.sql(f"DROP TABLE {_joined(older)}")


def _rename(spark: SparkSession, one: list[str], other: list[str]) -> None:
    catalogs = {row.name for row in spark.catalog.listCatalogs()}
    within = other[1:] if len(other) > 1 and other[0] in catalogs and other[0] != "spark_catalog" else other
    spark.sql(f"ALTER TABLE {_joined(one)} RENAME TO {_joined(within)}")


def _quoted(name: str) -> str:
    return _joined(name_parts(name))


def _joined(parts: list[str]) -> str:
    return ".".join(map(quoted, parts))
