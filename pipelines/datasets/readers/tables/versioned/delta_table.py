"""Folders of Delta Lake: by the session's own Delta where it has one, else by delta-rs in one task, which needs no jar.

delta-rs takes column mapping, deletion vectors and columns added later into account, and refuses features of a table
that it does not know.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.pipelines.datasets.readers.tables.table import Table
from emberline.pipelines.datasets.readers.tables.versioned.arrow_stream import stream_table
from emberline.pipelines.datasets.readers.tables.versioned.catalog_table import explained, proved
from emberline.pipelines.datasets.readers.tables.versioned.frame_table import frame_table
from emberline.pipelines.datasets.readers.tables.versioned.packages import delta_advice, has_delta
from emberline.pipelines.runtime.table_address import TableAddress


def current(spark: SparkSession, address: TableAddress) -> int | None:
    """Returns the version that a table has now.

    Raises:
        BadInputError: if there is no such table, or nothing that reads it.
    """
    if not has_delta(spark):
        return int(_opened(spark, address).version())
    try:
        where = address.name.replace("`", "``")
        return int(spark.sql(f"DESCRIBE HISTORY delta.`{where}` LIMIT 1").collect()[0]["version"])
    except (PySparkException, Py4JJavaError) as error:
        raise explained(spark, address, error) from None


def read(spark: SparkSession, address: TableAddress) -> Table:
    """Returns the table at its version.

    Raises:
        BadInputError: if there is no such table or version, or nothing that reads it.
    """
    if has_delta(spark):
        try:
            rows = spark.read.format("delta").option("versionAsOf", str(address.version)).load(address.name)
            return frame_table(proved(rows, address), str(address))
        except (PySparkException, Py4JJavaError) as error:
            raise explained(spark, address, error) from None
    schema = pa.schema(_opened(spark, address).schema().to_arrow())
    return stream_table(spark, str(address), schema, 1, DeltaRows(address))


@dataclass(frozen=True)
class DeltaRows:
    """Runs in an executor: the rows of a table by delta-rs.

    Args:
        address: Of one version.
    """

    address: TableAddress

    def __call__(self, task: int) -> Iterator[pa.RecordBatch]:
        from deltalake import DeltaTable

        table = DeltaTable(_place(self.address), version=self.address.version)
        yield from pa.RecordBatchReader.from_stream(table.scan())


def _opened(spark: SparkSession, address: TableAddress) -> Any:
    try:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError
    except ImportError:
        raise BadInputError(
            f"The session has no Delta Lake, and Python no deltalake: {address} cannot be read. Install "
            f"emberline[delta] where the driver and the executors run. {delta_advice(spark)}"
        ) from None
    try:
        return DeltaTable(_place(address), version=address.version)
    except (DeltaError, OSError, ValueError) as error:
        raise BadInputError(
            f"{address} cannot be read by delta-rs: {str(error).splitlines()[0][:300]}. Give the folder of a Delta "
            "table, and a version that is still kept."
        ) from None


def _place(address: TableAddress) -> str:
    return storage.local_path(address.name) if storage.is_local(address.name) else address.name
