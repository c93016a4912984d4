"""Where predictions go: staged out of sight, then published by renaming, whole or partition by partition."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from pyspark.sql import DataFrame, SparkSession

from emberline.features import storage
from emberline.features.errors import BadInputError

SUCCESS = "_SUCCESS"
"""As Spark marks a folder that is whole."""

LAYOUTS = ("parquet", "tfrecord", "delta")
REJECTED = "_rejected"
"""Beside the predictions, under a name that readers of the folder skip."""


@dataclass(frozen=True)
class Destination:
    """A folder of predictions that is about to be written.

    Args:
        spark: The session.
        uri: The folder.
        layout: One of `LAYOUTS`.
        partition_by: Column whose values have a folder each, `COLUMN=VALUE`; those that are written replace those of
            the same value, and all others stay. Without it, the whole folder is replaced.
    """

    spark: SparkSession
    uri: str
    layout: str = "parquet"
    partition_by: str | None = None

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise BadInputError(f"No layout {self.layout!r} of predictions. Expected one of {', '.join(LAYOUTS)}.")
        if self.layout == "delta" and "delta" not in str(self.spark.conf.get("spark.sql.extensions", "")).lower():
            raise BadInputError(
                "This session has no Delta Lake. Start it with Delta's package and spark.sql.extensions="
                "io.delta.sql.DeltaSparkSessionExtension, or write parquet or tfrecord."
            )

    @cached_property
    def staging(self) -> str:
        """Folder beside the final one, which nobody else uses."""
        return f"{self.uri.rstrip('/')}.staging-{uuid.uuid4().hex[:8]}"

    @property
    def side(self) -> str:
        """Folder for passing files."""
        return storage.join(self.staging, "side")

    def require_free(self, overwrite: bool) -> None:
        """Refuses to replace a whole folder unasked; partitions are meant to be replaced.

        Raises:
            BadInputError: if the folder is there.
        """
        if self.partition_by is None and not overwrite and storage.exists(self.uri):
            raise BadInputError(
                f"The output {self.uri!r} already exists. Pass --overwrite to replace it, or choose another."
            )

    @property
    def attempts(self) -> str:
        """Folder in which attempts of tasks write their files."""
        return storage.join(self.staging, "attempts")

    def stage_files(self, names: Iterable[str]) -> None:
        """Takes in files of `attempts`, or further ones; all others there are never seen."""

        def take_in(name: str) -> None:
            storage.move(storage.join(self.attempts, name), storage.join(self._staged, name))

        storage.each_at_once(take_in, names)
        storage.write_bytes_atomic(storage.join(self._staged, SUCCESS), b"")

    def stage(self, predictions: DataFrame) -> None:
        """Writes predictions, or further ones, out of sight."""
        if self.layout == "delta":
            predictions.write.mode("append").parquet(self._staged)  # Delta divides them when they are published
        else:
            self._write(predictions, self.layout, self._staged)

    def stage_rejected(self, rows: DataFrame) -> None:
        """Writes rejected rows, as Parquet whatever the layout."""
        self._write(rows, "parquet", storage.join(self._staged, REJECTED))

    def publish(self) -> None:
        """Makes what was staged visible, and what it replaces invisible."""
        if self.layout == "delta":
            self._publish_delta()
        elif self.partition_by is None:
            storage.replace_folder(self._staged, self.uri)
        else:
            names = self._partitions()
            storage.each_at_once(self._replace, [*names, *(storage.join(REJECTED, name) for name in names)])

    def discard(self) -> None:
        """Removes what is still out of sight."""
        storage.delete(self.staging)

    @property
    def _staged(self) -> str:
        return storage.join(self.staging, "predictions")

    def _write(self, frame: DataFrame, layout: str, uri: str) -> None:
        writer = frame.write.format(layout).mode("append")
        (writer.partitionBy(self.partition_by) if self.partition_by else writer).save(uri)

    def _partitions(self) -> list[str]:
        """Returns the names of the folders of all values, rejected rows among them."""
        found = set()
        for entry in storage.list_files(self._staged, recursive=True):
            path = entry.uri.removeprefix(storage.join(self._staged, "")).lstrip("/").removeprefix(f"{REJECTED}/")
            if path.startswith(f"{self.partition_by}="):
                found.add(path.partition("/")[0])
        return sorted(found)

    def _replace(self, name: str) -> None:
        """Puts one partition in the place of its predecessor; with nothing staged, the predecessor only goes."""
        staged, target = storage.join(self._staged, name), storage.join(self.uri, name)
        # A folder beside the target would be a partition of its own to readers.
        aside = storage.join(self.staging, "replaced", name)
        if storage.exists(staged):
            storage.replace_folder(staged, target, aside)
        elif storage.exists(target):
            storage.move(target, aside)

    def _publish_delta(self) -> None:
        """Publishes in one transaction of Delta; the rejected rows follow it."""
        writer = self.spark.read.parquet(self._staged).write.format("delta").mode("overwrite")
        if self.partition_by:
            writer = writer.partitionBy(self.partition_by).option("partitionOverwriteMode", "dynamic")
        writer.save(self.uri)
        rejected = storage.join(self._staged, REJECTED)
        target = storage.join(self.uri, REJECTED)
        if self.partition_by:
            storage.each_at_once(self._replace, [storage.join(REJECTED, name) for name in self._partitions()])
        elif storage.exists(rejected):
            storage.replace_folder(rejected, target)
        else:
            storage.delete(target)
