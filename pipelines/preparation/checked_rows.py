"""Checked rows of one split, staged as Parquet: read once from their source, then as often as needed by columns."""

from dataclasses import dataclass
from functools import cached_property

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from emberline.features import storage
from emberline.features.analysis.sources import StoredRows
from emberline.features.validation.rows import RAW, masked_reason, reason_of
from emberline.pipelines.runtime.session import settings

_GOOD = "_good"


@dataclass(frozen=True)
class CheckedRows:
    """A staged split.

    Args:
        spark: The session.
        uri: Its folder, on storage that all nodes share; good and bad rows have a folder each.
    """

    spark: SparkSession
    uri: str

    @classmethod
    def write(cls, rows: DataFrame, uri: str) -> "CheckedRows":
        """Stages the rows of `check_rows`; the raw text stays with bad rows only."""
        good = F.col(reason_of(rows.columns)).isNull()
        kept = rows.withColumn(RAW, F.when(~good, F.col(RAW))).withColumn(_GOOD, good)
        # For rows of many columns Spark would write a method too long for Java, fail to compile it, and go on without.
        with settings(rows.sparkSession, {"spark.sql.codegen.wholeStage": "false"}):
            kept.write.partitionBy(_GOOD).parquet(uri)
        return cls(rows.sparkSession, uri)

    @property
    def stored(self) -> StoredRows:
        """The good rows, for `emberline.features.analysis.analyze`; there must be some."""
        return StoredRows(self.spark, self._folder("true"))

    @property
    def good(self) -> DataFrame:
        """The good rows; there must be some."""
        return self.spark.read.parquet(self._folder("true"))

    @property
    def bad(self) -> DataFrame | None:
        """The bad rows, with their reasons."""
        folder = self._folder("false")
        return self.spark.read.parquet(folder) if storage.exists(folder) else None

    @cached_property
    def good_rows(self) -> int:
        """How many rows are good."""
        return self.good.count() if storage.exists(self._folder("true")) else 0

    @cached_property
    def reasons(self) -> dict[str, int]:
        """Bad rows by reason, values struck out."""
        if self.bad is None:
            return {}
        return {
            row[0]: int(row[1])
            for row in self.bad.groupBy(masked_reason(reason_of(self.bad.columns))).count().collect()
        }

    def _folder(self, good: str) -> str:
        return storage.join(self.uri, f"{_GOOD}={good}")
