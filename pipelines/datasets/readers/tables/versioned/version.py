"""The version of a table that a run reads: decided once, at its start, and written down with what is made of it."""

from types import ModuleType

from pyspark.sql import SparkSession

from emberline.features.errors import BadInputError
from emberline.pipelines.datasets.raw_source import folders_read
from emberline.pipelines.datasets.readers.tables.table import Table
from emberline.pipelines.datasets.readers.tables.table_format import TableFormat
from emberline.pipelines.datasets.readers.tables.versioned import catalog_table, delta_table, iceberg_table
from emberline.pipelines.runtime.progress import tell_once
from emberline.pipelines.runtime.table_address import DELTA, ICEBERG, TABLE, TableAddress

READERS: dict[str, ModuleType] = {TABLE: catalog_table, DELTA: delta_table, ICEBERG: iceberg_table}


def pinned(spark: SparkSession, source: str) -> str:
    """Returns the address of the version that a table has now; of files, and of one version, as it is.

    Args:
        spark: The session.
        source: URI of files, or the address of a table.

    Raises:
        BadInputError: if there is no such table, or nothing that reads it.
    """
    address = TableAddress.parse(source)
    if address is None or address.version is not None:
        return source
    version = READERS[address.kind].current(spark, address)
    if version is None:
        tell_once("read", f"{source} has no versions: what is made of it cannot be made again once its rows changed")
    else:
        tell_once("read", f"{source}: version {version}")
    return str(address.at(version))


def read_version(spark: SparkSession, address: TableAddress, form: TableFormat) -> Table:
    """Returns the rows of one version.

    Args:
        spark: The session.
        address: As of `pinned`.
        form: What is said of files, which a table has not.

    Raises:
        BadInputError: if there is no such table or version, or something is said of files.
    """
    if form != TableFormat():
        raise BadInputError(f"{address} is a table, whose format is known: leave out --input-format and --option.")
    found: Table = READERS[address.kind].read(spark, address)
    return found


def places(spark: SparkSession, source: str) -> dict[str, str | None]:
    """Returns the URIs that are read, by what messages call them.

    Args:
        spark: The session.
        source: URI of files, or the address of a table.
    """
    address = TableAddress.parse(source)
    if address is None:
        return {"--input": source}
    if address.kind == TABLE:
        return folders_read(catalog_table.frame(spark, address))
    return {"--input": address.folder or None}
