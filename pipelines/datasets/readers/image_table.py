"""Tables of images: a column `image` with URLs or paths, which executors fetch, or with bytes; and a column `label`.

The table is Parquet, ORC, CSV with a header, or JSON lines. Addresses are `http:` and `https:` URLs, or paths of any
storage that emberline reads, relative ones from the table's folder. What cannot be fetched is a rejected row.

A data set of your own is a module in this folder with one line: `DATASET = ImageTable("pets", ("cat", "dog"))`.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import BinaryType

from emberline.features import storage
from emberline.features.errors import BadInputError, nearest
from emberline.features.schema import Purpose
from emberline.features.validation.rows import FAULT, RAW, SOURCE
from emberline.pipelines.datasets.readers.image_folder import image_schema
from emberline.pipelines.datasets.readers.limited_connections import limited_pools, time_limit
from emberline.pipelines.datasets.readers.named_table import NamedTable
from emberline.pipelines.datasets.readers.raw_table import named_rows
from emberline.pipelines.datasets.readers.tables.table_reader import read_table
from emberline.pipelines.datasets.splits import rows_of

MOST_BYTES = 64 << 20
"""More than this is not waited for."""

THREADS, ROWS = 16, 64
"""Images that a task fetches at a time, and that it hands on at a time."""

CONNECT_SECONDS, READ_SECONDS, RETRIES = 5.0, 20.0, 3
ADDRESS_SECONDS = 60.0
"""For one address in all, retries and redirects included: a server that sends a byte now and then is not waited for.
How long it asks to be left alone (`Retry-After`) is not obeyed either."""


class ImageTable(NamedTable):
    """Reads a table and fetches its images.

    Args:
        name: Of the data set: that of its module.
        classes: By class id, the texts of the column `label`.
        purpose: Of models, where they do not predict the class; as of `Label`.
    """

    def __init__(self, name: str, classes: tuple[str, ...], purpose: Purpose = "") -> None:
        super().__init__(name, image_schema(classes, purpose))

    def read(self, spark: SparkSession, uri: str, split: str | None = None) -> DataFrame:
        """Returns raw rows of one split, or of the whole table; the key is the address, or a hash of the row.

        Args:
            spark: The session.
            uri: The table.
            split: `train` or `eval`: rows with this text in a column `split`, if there is one, else a tenth of the
                rows is held out, by a hash of their keys.

        Raises:
            BadInputError: if there is no table, or it has no column `image`.
        """
        table = read_table(spark, uri, self.form, ("image",))
        if "image" not in table.columns:
            raise BadInputError(f"{uri!r} has no column 'image'. {nearest('image', table.columns)}")
        if isinstance(table.schema["image"].dataType, BinaryType):
            rows = named_rows(table, self.schema, F.lit(uri))
            return rows_of(split, rows, F.col(self.schema.key))
        address = F.col("image").cast("string")
        table = rows_of(split, table, address)
        label = F.col("label").cast("string") if "label" in table.columns else F.lit(None).cast("string")
        # A table is one file, and fetching is what takes time.
        tasks = table.select(address.alias("path"), label.alias("label")).repartition(_tasks(spark))
        folder = uri if storage.is_folder(uri) else uri.rpartition("/")[0]
        answer = f"path string, image binary, label string, {RAW} string, {SOURCE} string, {FAULT} string"
        return tasks.mapInArrow(Fetch(folder), answer)


def _tasks(spark: SparkSession) -> int:
    return 2 * int(spark.sparkContext.defaultParallelism)


@dataclass(frozen=True)
class Fetch:
    """Runs in executors: addresses in, bytes out.

    Args:
        folder: Where relative paths begin.
    """

    folder: str

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with ThreadPoolExecutor(THREADS) as threads:
            for batch in batches:
                for start in range(0, batch.num_rows, ROWS):
                    piece = batch.slice(start, ROWS)
                    paths = piece.column(0).to_pylist()
                    found = list(threads.map(self.fetch, paths))
                    columns = (
                        pa.array(paths, pa.string()),
                        pa.array([content for content, _ in found], pa.binary()),
                        piece.column(1).cast(pa.string()),
                        pa.array(paths, pa.string()),
                        pa.array(paths, pa.string()),
                        pa.array([fault for _, fault in found], pa.string()),
                    )
                    yield pa.RecordBatch.from_arrays(
                        list(columns), names=["path", "image", "label", RAW, SOURCE, FAULT]
                    )

    def fetch(self, address: str | None) -> tuple[bytes | None, str | None]:
        """Returns the bytes at an address, and the reason if they cannot be read; one of the two is None."""
        if not address:
            return None, "no address"
        try:
            if address.startswith(("http://", "https://")):
                return self._answer(address)
            place = address if ":" in address.partition("/")[0] or address.startswith("/") else ""
            uri = place or storage.join(self.folder, address)
            if (size := storage.file_size(uri)) > MOST_BYTES:
                return None, f"the file has '{size:,}' bytes, more than {MOST_BYTES:,}"
            return storage.read_bytes(uri), None
        except (OSError, ValueError) as error:
            return None, f"cannot be fetched: '{_short(error)}'"

    def _answer(self, address: str) -> tuple[bytes | None, str | None]:
        from urllib3.exceptions import HTTPError

        try:
            with time_limit(ADDRESS_SECONDS):
                response = self._pool.request("GET", address, preload_content=False)
                try:
                    if response.status != 200:
                        return None, f"cannot be fetched: the server answered {response.status}"
                    content = response.read(MOST_BYTES + 1)
                    if len(content) > MOST_BYTES:
                        return None, f"the server sends more than {MOST_BYTES:,} bytes"
                    return content, None
                finally:
                    response.release_conn()
        except (HTTPError, OSError) as error:
            return None, f"cannot be fetched: '{_short(error)}'"

    @cached_property
    def _pool(self) -> Any:
        """Connections that stay open between images of one host."""
        import urllib3

        retries = urllib3.Retry(
            RETRIES,
            backoff_factor=0.3,
            status_forcelist=(429, 500, 502, 503, 504),
            raise_on_status=False,
            respect_retry_after_header=False,
        )
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
        pool = urllib3.PoolManager(num_pools=THREADS, maxsize=THREADS, retries=retries, timeout=timeout)
        pool.pool_classes_by_scheme = limited_pools()
        return pool


def _short(error: Exception) -> str:
    said = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {said[0]}".replace("'", "’").replace(";", ",")[:160]
