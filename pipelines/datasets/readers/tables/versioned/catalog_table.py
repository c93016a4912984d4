"""Tables that the session's catalogs know, whatever is behind: Hive's metastore, Iceberg, Delta Lake, JDBC.

Delta Lake and Iceberg have versions, and one of them is read. All others are read as they are at that moment.
"""

import re

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from emberline.features.errors import BadInputError
from emberline.features.names import quoted
from emberline.pipelines.datasets.readers.tables.table import Table
from emberline.pipelines.datasets.readers.tables.versioned.frame_table import frame_table
from emberline.pipelines.datasets.readers.tables.versioned.packages import (
    POSTGRESQL_PACKAGE,
    delta_advice,
    iceberg_advice,
)
from emberline.pipelines.runtime.table_address import TableAddress

PART = re.compile(r"`((?:[^`]|``)+)`|([^.`\s]+)")

UNKNOWN = ("table_or_view_not_found", "schema_not_found", "catalog_not_found", "requires_single_part_namespace")
"""Words of Spark's errors about a name; the last is for a first part that is no catalog."""

UNFIT = (
    "classnotfound", "cannot find catalog plugin", "data_source_not_found", "incompatibleclasschange", "nosuchmethod",
    "noclassdeffound", "abstractmethod",
)  # fmt: skip
"""What Java says, in small letters, of a package that is absent or made for another version of Spark."""


def current(spark: SparkSession, address: TableAddress) -> int | None:
    """Returns the version that a table has now; None for one that has none.

    Raises:
        BadInputError: if there is no such table, or nothing was ever written to it.
    """
    name = in_sql(address.name)
    try:
        provider = provider_of(spark, address.name)
        if provider == "delta":
            return int(spark.sql(f"DESCRIBE HISTORY {name} LIMIT 1").collect()[0]["version"])
        if provider == "iceberg":
            found = spark.sql(f"SELECT snapshot_id FROM {name}.refs WHERE name = 'main'").collect()
            if not found:
                raise BadInputError(f"The table {address.name} has no snapshot: nothing was ever written to it.")
            return int(found[0][0])
    except (PySparkException, Py4JJavaError) as error:
        raise explained(spark, address, error) from None
    return None


def read(spark: SparkSession, address: TableAddress) -> Table:
    """Returns the table at its version.

    Raises:
        BadInputError: if there is no such table or version.
    """
    return frame_table(frame(spark, address), str(address))


def frame(spark: SparkSession, address: TableAddress) -> DataFrame:
    """Returns the rows as Spark has them.

    Raises:
        BadInputError: as of `read`.
    """
    at = "" if address.version is None else f" VERSION AS OF {address.version}"
    try:
        if at and current(spark, address) is None:
            raise BadInputError(
                f"The table {address.name} has no versions, got @v{address.version}: tables of Delta Lake and Iceberg "
                f"have some. Give --table {address.name}, which reads it as it is."
            )
        return proved(spark.sql(f"SELECT * FROM {in_sql(address.name)}{at}"), address)
    except (PySparkException, Py4JJavaError) as error:
        raise explained(spark, address, error) from None


def proved(rows: DataFrame, address: TableAddress) -> DataFrame:
    """Returns rows of one version, of which one was read: a connector for another Spark fails only then."""
    if address.version is not None:
        rows.limit(1).collect()
    return rows


def provider_of(spark: SparkSession, name: str) -> str:
    """Returns what keeps a table, such as `delta`; empty for a view, or where its catalog does not say."""
    about = {row[0]: row[1] for row in spark.sql(f"DESCRIBE TABLE EXTENDED {in_sql(name)}").collect()}
    return str(about.get("Provider", "")).lower()


def in_sql(name: str) -> str:
    """Returns a name with all its parts quoted.

    Raises:
        BadInputError: if it is none.
    """
    return ".".join(map(quoted, name_parts(name)))


def name_parts(name: str) -> list[str]:
    """Returns the parts of a name, those in backticks without them.

    Raises:
        BadInputError: if it is none.
    """
    parts, at = [], 0
    while found := PART.match(name, at):
        parts.append(found[1].replace("``", "`") if found[1] else found[2])
        at = found.end() + 1
        if found.end() == len(name):
            return parts
        if name[found.end()] != ".":
            break
    raise BadInputError(
        f"{name!r} is no name of a table. Expected CATALOG.DATABASE.TABLE, parts with other characters in backticks."
    )


def explained(spark: SparkSession, address: TableAddress, error: Exception) -> BadInputError:
    """Returns what a person must change where Spark cannot read a table."""
    text = str(error)
    first = next((line for line in text.splitlines() if line.strip()), type(error).__name__)[:300]
    lower = text.lower()
    unfit = any(mark in lower for mark in UNFIT)
    if unfit and "iceberg" in lower:
        reason = f"the session has no Iceberg that fits. {iceberg_advice(spark)}"
    elif unfit and "delta" in lower:
        reason = f"the session has no Delta Lake that fits. {delta_advice(spark)}"
    elif "no suitable driver" in lower or ("classnotfound" in lower and "driver" in lower):
        reason = f"the session has no driver of its database. PostgreSQL's comes by --packages {POSTGRESQL_PACKAGE}."
    elif any(mark in lower for mark in UNKNOWN):
        known = ", ".join(sorted(row.name for row in spark.catalog.listCatalogs()))
        reason = f"no catalog of the session knows it, of {known}. Another is set by spark.sql.catalog.NAME."
    else:
        reason = first
    return BadInputError(f"Table {address.name} cannot be read: {reason}")
