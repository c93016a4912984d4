"""Tables of Iceberg by PyIceberg, which needs no jar: the driver asks the catalog, executors read the files.

PyIceberg matches columns by their ids, and applies position deletes and deletion vectors. It refuses equality deletes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession

from emberline.features.errors import BadInputError
from emberline.pipelines.datasets.readers.tables.table import Table
from emberline.pipelines.datasets.readers.tables.versioned.arrow_stream import stream_table
from emberline.pipelines.datasets.readers.tables.versioned.packages import iceberg_advice
from emberline.pipelines.runtime.table_address import TableAddress


def current(spark: SparkSession, address: TableAddress) -> int | None:
    """Returns the snapshot that a table has now.

    Raises:
        BadInputError: if there is no such table, nothing was ever written to it, or nothing reads it.
    """
    snapshot = _loaded(spark, address).current_snapshot()
    if snapshot is None:
        raise BadInputError(f"The table {address.name} has no snapshot: nothing was ever written to it.")
    return int(snapshot.snapshot_id)


def read(spark: SparkSession, address: TableAddress) -> Table:
    """Returns the table at its snapshot.

    Raises:
        BadInputError: if there is no such table or snapshot, if its deletes cannot be read, or nothing reads it.
    """
    table = _loaded(spark, address)
    if table.snapshot_by_id(address.version) is None:
        raise BadInputError(
            f"{address} cannot be read: the table has no snapshot {address.version}, or keeps it no longer. "
            f"It has {', '.join(str(one.snapshot_id) for one in table.snapshots()[-5:])}."
        )
    rows = IcebergRows(table.metadata_location, int(address.version or 0), 1, dict(table.io.properties))
    scan = rows.scan()
    try:
        files = len(list(scan.plan_files()))
    except (ValueError, NotImplementedError) as error:
        raise BadInputError(f"{address} cannot be read by PyIceberg: {error}. {iceberg_advice(spark)}") from None
    tasks = max(1, min(files, spark.sparkContext.defaultParallelism))
    rows = IcebergRows(rows.metadata, rows.snapshot, tasks, rows.properties)
    return stream_table(spark, str(address), scan.projection().as_arrow(), tasks, rows)


@dataclass(frozen=True)
class IcebergRows:
    """Runs in executors: the files of a snapshot, dealt out among tasks.

    Args:
        metadata: URI of the metadata file that was the newest when the table was opened.
        snapshot: The snapshot.
        tasks: How many tasks there are.
        properties: How the catalog opens files.
    """

    metadata: str
    snapshot: int
    tasks: int
    properties: Mapping[str, Any] = field(repr=False)

    def scan(self) -> Any:
        """Returns PyIceberg's plan to read the snapshot."""
        from pyiceberg.table import StaticTable

        table = StaticTable.from_metadata(self.metadata, dict(self.properties))
        return table.scan(snapshot_id=self.snapshot)

    def __call__(self, task: int) -> Iterator[pa.RecordBatch]:
        from pyiceberg.io.pyarrow import ArrowScan

        scan = self.scan()
        files = sorted(scan.plan_files(), key=lambda one: str(one.file.file_path))[task :: self.tasks]
        reader = ArrowScan(scan.table_metadata, scan.io, scan.projection(), scan.row_filter, scan.case_sensitive)
        yield from reader.to_record_batches(files)


def _loaded(spark: SparkSession, address: TableAddress) -> Any:
    catalog, _, name = address.name.partition(".")
    try:
        from pyiceberg.catalog import load_catalog
        from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError
    except ImportError:
        raise BadInputError(
            f"Python has no pyiceberg: {address} cannot be read. Install emberline[iceberg] where the driver and the "
            f"executors run. With Spark's own Iceberg it is read by --table {address.name}. {iceberg_advice(spark)}"
        ) from None
    try:
        return load_catalog(catalog).load_table(name)
    except (NoSuchTableError, NoSuchNamespaceError, ValueError) as error:
        raise BadInputError(
            f"{address} cannot be read: {str(error).splitlines()[0]}. Expected iceberg:CATALOG.NAMESPACE.TABLE, with "
            f"the catalog described in ~/.pyiceberg.yaml or by PYICEBERG_CATALOG__{catalog.upper()}__URI."
        ) from None
