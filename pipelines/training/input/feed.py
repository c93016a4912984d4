"""The driver's end of the feed: a Spark job per epoch (or one streaming query), started when all ranks wait for it."""

import re
import secrets
import tempfile
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from emberline.features.columns import arrow_schema
from emberline.features.dataset_version import DatasetVersion
from emberline.features.named_columns import map_in_arrow
from emberline.features.validation.rows import reason_beside
from emberline.pipelines.preparation.row_transform import RowTransform
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.training.input import wire
from emberline.pipelines.training.input.feed_rows import RowsOfEpoch
from emberline.pipelines.training.input.feeder import FEED_REPORT, Addresses, Feeder

CANCEL_SECONDS = 30
"""How long a cancelled job may take to end."""

LAST_WORDS_SECONDS = 5
"""When feeders break off, a lost rank is the likeliest cause, and the driver hears of it with a better reason."""

REASON_LENGTH = 4_000
"""Characters of a failed job's error that are sent to the ranks."""

PASSING = re.compile(r"FeedLostError|RepeatedError|ExecutorLostFailure|FetchFailed")
"""Texts in the error of a job whose rows another attempt may deliver."""

NONE = -1
"""The number of no epoch."""


@dataclass
class _Epoch:
    """One job, from the moment the first rank asks for it."""

    number: int
    ranks: dict[int, tuple[str, int]] = field(default_factory=dict)
    thread: threading.Thread | None = None
    query: Any = None
    ended: threading.Event = field(default_factory=threading.Event)
    rows: int = 0
    rejected: int = 0

    @property
    def addresses(self) -> Addresses:
        return tuple(self.ranks[rank] for rank in sorted(self.ranks))


class Feed:
    """Starts a job when every rank has asked for the rows of an epoch, and tells them when it is over or has failed.

    Args:
        spark: The session.
        rows: Checked raw rows of an epoch; a streaming frame's are fed batch after batch, until it ends.
        recipe: What is trained.
        version: The dataset version, whose statistics transform the rows.
        trigger: Of a streaming frame, as `DataStreamWriter.trigger` takes it.
        say: Shows a line to people.
        ranks: How many share the rows.

    Attributes:
        secret: What the ranks' inboxes and the feeders share.
    """

    def __init__(
        self,
        spark: SparkSession,
        rows: RowsOfEpoch,
        recipe: Recipe,
        version: DatasetVersion,
        trigger: Mapping[str, Any],
        say: Callable[[str], None],
        *,
        ranks: int,
    ) -> None:
        self.secret = secrets.token_hex(32)
        columns = recipe.stored_columns
        schema = version.schema
        stored_schema = arrow_schema(columns)
        for label in version.labels:
            stored_schema = stored_schema.append(pa.field(label, pa.float32()))
        self._transform = RowTransform(schema, columns, version.statistics, stored_schema)
        names = [*(item.name for item in schema.fields), *version.labels]
        self._columns = [*names, reason_beside([*names, schema.key])]
        self._spark = spark
        self._rows = rows
        self._trigger = dict(trigger)
        self._say = say
        self._ranks = ranks
        self._tag = f"emberline-feed-{uuid.uuid4().hex}"
        self._epoch = _Epoch(NONE)

    def on_event(self, rank: int, event: Mapping[str, Any]) -> None:
        """Handles an event of the cluster; everything that is not about the feed is ignored."""
        match event["event"]:
            case "restart" | "exporting":
                self._begin(NONE)  # the ranks that asked for rows are gone, or want no more
            case "feed":
                if event["epoch"] != self._epoch.number:
                    self._begin(event["epoch"])
                self._epoch.ranks[rank] = (event["host"], event["port"])
                if len(self._epoch.ranks) == self._ranks:
                    self._epoch.thread = threading.Thread(target=self._run, args=(self._epoch,), daemon=True)
                    self._epoch.thread.start()
            case "fed" if rank == 0:
                self._say(
                    f"epoch {event['epoch'] + 1}: {self._epoch.rows:,} rows fed, {event['left_out']:,} of them left "
                    f"out as less than a global batch, {self._epoch.rejected:,} rejected"
                )

    def _begin(self, number: int) -> None:
        self.stop()
        self._epoch = _Epoch(number)

    def stop(self) -> None:
        """Ends the job that is running, if one is."""
        epoch = self._epoch
        epoch.ended.set()
        if epoch.query is not None:
            epoch.query.stop()
        if epoch.thread and epoch.thread.is_alive():
            self._spark.interruptTag(self._tag)
            epoch.thread.join(CANCEL_SECONDS)

    def _run(self, epoch: _Epoch) -> None:
        try:
            rows = self._rows(epoch.number)
            if rows.isStreaming:
                self._stream(rows, epoch)
            else:
                self._send(rows, epoch, str(epoch.number))
        except Exception as error:  # whatever it is, the ranks wait for rows that will not come
            passing = bool(PASSING.search(str(error)))
            if not epoch.ended.wait(LAST_WORDS_SECONDS if passing else 0):
                reason = f"The job that feeds epoch {epoch.number + 1} failed: {error}"[:REASON_LENGTH]
                self._tell(epoch, wire.FAILED, {"reason": reason, "transient": passing})
        else:
            if not epoch.ended.is_set():
                self._tell(epoch, wire.OVER, {"ranks": epoch.addresses})

    def _send(self, rows: DataFrame, epoch: _Epoch, job: str) -> None:
        feeder = Feeder(self._transform, epoch.addresses, self.secret, job)
        self._spark.addTag(self._tag)
        try:
            reports = map_in_arrow(rows, self._columns, feeder, FEED_REPORT).collect()
        finally:
            self._spark.removeTag(self._tag)
        epoch.rows += sum(report["rows"] for report in reports)
        epoch.rejected += sum(report["rejected"] for report in reports)

    def _stream(self, rows: DataFrame, epoch: _Epoch) -> None:
        def feed(batch: DataFrame, number: int) -> None:
            self._send(batch, epoch, f"{epoch.number}.{number}")

        # A new attempt begins the stream again, so nothing of an old attempt's position may be left.
        with tempfile.TemporaryDirectory(prefix="emberline-feed-", ignore_cleanup_errors=True) as positions:
            writer = rows.writeStream.foreachBatch(feed).option("checkpointLocation", positions)
            epoch.query = writer.trigger(**self._trigger).start()
            epoch.query.awaitTermination()

    def _tell(self, epoch: _Epoch, kind: bytes, message: dict[str, Any]) -> None:
        for address in epoch.addresses:
            try:
                with wire.connect(address, self.secret, "driver") as connection:
                    wire.send_json(connection, kind, message)
            except OSError:
                continue  # that rank is gone, which the control channel reports
