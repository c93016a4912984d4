"""Where predictions go: staged out of sight, then published by renaming, whole or partition by partition."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession

from emberline.features import publishing, storage
from emberline.features.errors import BadInputError
from emberline.pipelines.datasets.readers.tables.versioned.packages import delta_advice, has_delta
from emberline.pipelines.runtime.claim import Claim
from emberline.pipelines.runtime.output_folder import (
    PREDICTIONS,
    claimed,
    keep_private,
    require_replaceable,
    staging_folder,
    staging_name,
)

SUCCESS = "_SUCCESS"
"""As Spark marks a folder that is whole."""

LAYOUTS = ("parquet", "tfrecord", "delta")
REJECTED = "_rejected"
"""Beside the predictions, under a name that readers of the folder skip."""
FORMAT = "emberline-predictions/1"
COLUMNS = ("model_version", "scored_at")
"""That every prediction has besides its own."""
WAIT_SECONDS = 600
"""For another job that is publishing partitions of the same folder: that takes renames, or copies."""


@dataclass(frozen=True)
class Destination:
    """A folder of predictions that is about to be written.

    Args:
        spark: The session.
        uri: The folder.
        layout: One of `LAYOUTS`.
        partition_by: Column whose values have a folder each, `COLUMN=VALUE`; those that are written replace those of
            the same value, and all others stay. Without it, the whole folder is replaced.
        overwrite: Whether a whole folder may be replaced.
    """

    spark: SparkSession
    uri: str
    layout: str = "parquet"
    partition_by: str | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise BadInputError(f"No layout {self.layout!r} of predictions. Expected one of {', '.join(LAYOUTS)}.")
        if self.layout == "delta" and not has_delta(self.spark):
            raise BadInputError(
                f"This session has no Delta Lake: write parquet or tfrecord. {delta_advice(self.spark)}"
            )

    @cached_property
    def staging(self) -> str:
        """Folder beside the final one, which nobody else uses."""
        return staging_name(self.uri)

    @property
    def side(self) -> str:
        """Folder for passing files."""
        return storage.join(self.staging, "side")

    def require_free(self) -> None:
        """Refuses to write into anything but predictions, and to replace a whole folder unasked.

        Raises:
            BadInputError: if something is there that stays.
        """
        if not self._is_foreign():
            if self.partition_by is None and not self.overwrite:
                require_replaceable(self.uri, PREDICTIONS, overwrite=False)
            return
        require_replaceable(self.uri, PREDICTIONS, overwrite=self.overwrite or self.partition_by is not None)

    @contextmanager
    def reserved(self) -> Iterator[Claim | None]:
        """Reserves the whole folder for the block, and removes all temporary files at its end.

        Jobs that write partitions may work side by side, and take turns to publish.

        Raises:
            BadInputError: as of `require_free`.
            OutputBusyError: if another process writes the folder.
        """
        self.require_free()
        with staging_folder(self.uri, self.staging):
            if self.partition_by is not None:
                yield None
                return
            with claimed(self.uri) as held:
                self.require_free()
                yield held

    def _is_foreign(self) -> bool:
        """Whether something else than predictions is there. Columns identify those of older versions."""
        if storage.exists(self.uri) and not storage.is_folder(self.uri):
            return True
        if not storage.list_names(self.uri) and not storage.exists(self.uri):
            return False
        if PREDICTIONS.is_at(self.uri) or (
            self.layout == "delta" and storage.exists(storage.join(self.uri, "_delta_log"))
        ):
            return False
        data = (file.uri for file in storage.list_files(self.uri, recursive=True))
        first = next(
            (uri for uri in data if uri.endswith((".parquet", ".tfrecord")) and f"/{REJECTED}/" not in uri), ""
        )
        if first.endswith(".parquet"):
            with storage.open_random(first) as file:
                return not set(COLUMNS) <= set(pq.read_schema(file).names)
        manifest = storage.join(first.rpartition("/")[0] if self.partition_by is None else self.uri, "manifest.json")
        return not first or not storage.exists(manifest) or COLUMNS[1].encode() not in storage.read_bytes(manifest)

    @property
    def attempts(self) -> str:
        """Folder in which attempts of tasks write their files."""
        return storage.join(self.staging, "attempts")

    def stage_files(self, names: Iterable[str]) -> None:
        """Moves files of `attempts` to the staged ones; may be called again. Other files there are never published."""

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

    def publish(self, held: Claim | None = None) -> None:
        """Makes what was staged visible, and what it replaces invisible.

        Args:
            held: What `reserved` gave.

        Raises:
            OutputBusyError: if another process has taken over, or publishes partitions for longer than one waits.
        """
        if held:
            held.require_held()
        keep_private(self._staged)  # before anybody sees it
        if self.layout == "delta":
            self._publish_delta()
        elif self.partition_by is None:
            self._mark(self._staged)
            self.require_free()
            publishing.replace_folder(self._staged, self.uri)
            return
        else:
            with claimed(self.uri, wait_seconds=WAIT_SECONDS):
                self.require_free()
                publishing.repair_within(self.uri)
                publishing.repair_within(storage.join(self.uri, REJECTED))
                names = self._partitions()
                storage.each_at_once(self._replace, [*names, *(storage.join(REJECTED, name) for name in names)])
        keep_private(self.uri)
        self.claim_folder()

    def claim_folder(self) -> None:
        """Marks the folder as one of predictions, which it may become partition by partition."""
        if not storage.exists(storage.join(self.uri, PREDICTIONS.file)):
            self._mark(self.uri)

    def _mark(self, folder: str) -> None:
        mark = {"format": FORMAT, "layout": self.layout, "partition_by": self.partition_by}
        storage.write_bytes_atomic(storage.join(folder, PREDICTIONS.file), json.dumps(mark).encode())

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
        if storage.exists(staged):
            publishing.replace_folder(staged, target)
        elif storage.exists(target):
            publishing.remove_folder(target)

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
            publishing.replace_folder(rejected, target)
        else:
            storage.delete(target)
