"""Messages of a topic to predictions, as they come: into files exactly once, into another topic at least once."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.runtime.claim import claim
from emberline.pipelines.runtime.output_folder import PREDICTIONS, require_apart
from emberline.pipelines.runtime.progress import QUIET_SECONDS, Progress
from emberline.pipelines.scoring.destination import REJECTED, Destination
from emberline.pipelines.scoring.model import ScoringModel, open_model
from emberline.pipelines.scoring.raw_rows import Messages
from emberline.pipelines.scoring.score_rows import score_with
from emberline.pipelines.scoring.stream import BATCH
from emberline.pipelines.scoring.streaming.kafka import (
    EARLIEST,
    SCHEME,
    Kafka,
    lost_messages,
    starting_offsets,
    topic_of,
)
from emberline.pipelines.scoring.streaming.query import Batches
from emberline.pipelines.tracking import Run, Tracker

MOST = 500_000
"""Messages of a batch: some seconds of work on two cores, so that a stop or a repetition is not long."""

COMPARE_SECONDS = 60
"""Between two comparisons with the training rows, each of which takes half a second."""

STREAM = "_stream.json"
"""In the checkpoint and in a folder of predictions: what belongs together."""

REJECTED_TOPIC = ".rejected"
"""What is added to the name of a topic of predictions for that of the messages that could not be scored."""


@dataclass(frozen=True)
class Stream:
    """Which messages, and how they come.

    Args:
        kafka: The brokers.
        source: `kafka:TOPIC`.
        checkpoint: URI of the folder that knows how far the stream has come.
        starting: Where a stream without a checkpoint begins: `earliest`, `latest`, or an offset per partition as JSON.
        most: Messages of a batch.
        every: Seconds from the beginning of a batch to that of the next at least.
        available_now: End with the last message that is there, instead of waiting for more.
    """

    kafka: Kafka
    source: str
    checkpoint: str
    starting: str = EARLIEST
    most: int = MOST
    every: float = 0.0
    available_now: bool = False


@dataclass(frozen=True)
class StreamResult:
    """What was scored until the stream ended.

    Args:
        predictions: URI of a folder, or `kafka:TOPIC`.
        batches: How many, of this process.
        rows_read: Messages.
        rows_scored: Predictions written.
        rows_rejected: Messages put aside, with a reason each.
        model: Registered model.
        version: Its version, the same from the first batch to the last.
        seconds: From the first batch on.
        stopped_by: The signal that ended it; empty where all that was there is scored.
    """

    predictions: str
    batches: int
    rows_read: int
    rows_scored: int
    rows_rejected: int
    model: str
    version: int
    seconds: float
    stopped_by: str


def score_topic(
    spark: SparkSession,
    recipe: Recipe | None,
    model: str,
    stream: Stream,
    output: str,
    tracker: Tracker,
    *,
    layout: str = "parquet",
    keys: Sequence[str] = (),
    batch_rows: int | None = None,
) -> StreamResult:
    """Scores the messages of a topic until a signal says stop.

    A message is a JSON object with the fields' names. Every prediction has the topic, partition and offset of its
    message. Into a folder, every batch becomes the partition `batch=NUMBER`, and a batch that is repeated after a crash
    replaces what it left. Into a topic, a repeated batch is written again: consumers tell by partition and offset.

    Args:
        spark: The session, with Spark's Kafka package.
        recipe: What is expected of the rows; see `score`.
        model: As of `score`. An alias is looked up once.
        stream: Where messages come from.
        output: URI of a folder, or `kafka:TOPIC`; then messages that cannot be scored go to `TOPIC.rejected`.
        tracker: The registry; the stream has one run.
        layout: As of `score`.
        keys: As of `score`.
        batch_rows: As of `score`.

    Raises:
        BadInputError: if the session has no Kafka, there is no such topic or model, or the checkpoint or the output is
            of another stream.
        NoBrokerError: if no broker answers.
        OutputBusyError: if another process runs this stream.
    """
    topic, target = topic_of(stream.source), topic_of(output)
    if not topic:
        raise BadInputError(f"A stream reads a topic: --input {SCHEME}TOPIC; got {stream.source!r}.")
    if stream.most < 1:
        raise BadInputError(f"A batch has one message at least, got {stream.most}.")
    if not 0 <= stream.every < math.inf:
        raise BadInputError(f"Batches begin every 0 seconds or more, got {stream.every}.")
    if target is not None and layout != "parquet":
        raise BadInputError(f"A topic of predictions has no layout, got {layout!r}. Leave --layout out.")
    starting = starting_offsets(stream.starting, topic)
    if target is None:
        require_apart(output, {"--checkpoint": stream.checkpoint})
    elif target == topic:
        raise BadInputError(f"Predictions would go into {stream.source}, which is read. Choose another topic.")
    targets = [target, target + REJECTED_TOPIC] if target else []
    stream.kafka.require(spark, [topic, *targets])
    opened = open_model(spark, tracker, model)
    rows = stream.kafka.read(spark, topic, starting, stream.most, spark.sparkContext.defaultParallelism)
    name = recipe.name if recipe else opened.version.name
    given = {
        "model": model, "source": stream.source, "output": output, "layout": layout, "brokers": stream.kafka.brokers,
        "starting": stream.starting, "most": stream.most, "checkpoint": stream.checkpoint,
    }  # fmt: skip
    tags = {
        "emberline.source": stream.source,
        "emberline.model": f"{opened.version.name}/{opened.version.version}",
        "emberline.training_run": opened.version.run_id,
        "emberline.predictions": output,
    }
    keep = f"{stream.checkpoint.rstrip('/')}.undelivered"
    with claim(stream.checkpoint):
        _require_own(spark, stream, output, layout)
        with tracker.step(name, "score", spark=spark, keep=keep, params=given, tags=tags) as run:
            said = f"{stream.source} with {opened.called} into {output}, batches of {stream.most:,} messages at most"
            Progress("score").say(said)
            work = _Work(recipe, opened, stream, output, layout, keys, batch_rows, run)
            batches = Batches(work.score)
            try:
                batches.run(rows, stream.checkpoint, stream.every, stream.available_now, work.tell)
            except (StreamingQueryException, Py4JJavaError) as error:
                if reason := lost_messages(str(error)):
                    raise BadInputError(
                        f"Messages of {stream.source} are gone that were not scored: {reason} What was scored stays. "
                        "Begin anew with another --checkpoint and another --output."
                    ) from None
                raise
            return work.result(batches.stopped_by)


def _require_own(spark: SparkSession, stream: Stream, output: str, layout: str) -> None:
    """Refuses a checkpoint or a folder of another stream: batches are numbered, and would replace each other."""
    mark = {"input": stream.source, "output": output.rstrip("/"), "checkpoint": stream.checkpoint.rstrip("/")}
    noted = storage.join(stream.checkpoint, STREAM)
    if storage.exists(noted):
        known = json.loads(storage.read_bytes(noted))
        if (known["input"], known["output"]) != (mark["input"], mark["output"]):
            raise BadInputError(
                f"The checkpoint {stream.checkpoint!r} is of the stream from {known['input']} into {known['output']}, "
                f"not of that from {stream.source} into {output}. Give each stream a checkpoint of its own."
            )
    elif storage.list_names(stream.checkpoint):
        raise BadInputError(
            f"The folder {stream.checkpoint!r} holds something else than a stream's checkpoint. Choose an empty one."
        )
    text, target = json.dumps(mark), topic_of(output)
    folder = storage.join(output, STREAM)
    if target is None:
        known = json.loads(storage.read_bytes(folder)) if storage.exists(folder) else {}
        # Marks alone are of a process that ended as it began.
        holds = set(storage.list_names(output)) - {STREAM, PREDICTIONS.file}
        if (known and known != mark) or (holds and not (known and storage.exists(noted))):
            whose = f"of the stream with the checkpoint {known['checkpoint']}" if known else "of no stream"
            raise BadInputError(
                f"The output {output!r} holds something {whose}. A new stream numbers its batches from 0 and would "
                "replace them: choose another output, or continue with that checkpoint."
            )
    storage.write_text_atomic(noted, text)
    if target is None:
        Destination(spark, output, layout, BATCH).claim_folder()
        storage.write_text_atomic(folder, text)


class _Work:
    """What a stream does with its batches, and what it tells."""

    def __init__(
        self,
        recipe: Recipe | None,
        opened: ScoringModel,
        stream: Stream,
        output: str,
        layout: str,
        keys: Sequence[str],
        batch_rows: int | None,
        run: Run,
    ) -> None:
        self._recipe, self._opened, self._stream, self._run = recipe, opened, stream, run
        self._target = topic_of(output)
        # What goes into a topic is staged as whole files first: a batch that fails then has sent nothing.
        self._folder = output if self._target is None else storage.join(stream.checkpoint, "_outbox")
        self._output, self._layout, self._keys, self._batch_rows = output, layout, keys, batch_rows
        self._progress = Progress("score")
        self._read = self._scored = self._batches = self._number = 0
        self._begun = self._compared = self._told = 0.0
        self._drift: set[str] = set()

    def score(self, messages: DataFrame, number: int) -> None:
        """Scores a batch and makes its predictions visible."""
        now = time.monotonic()
        self._begun = self._begun or now
        compare = not self._compared or now - self._compared > COMPARE_SECONDS
        self._compared = now if compare else self._compared
        spark = messages.sparkSession
        numbered = messages.withColumn(BATCH, F.lit(f"{number:09d}"))
        result = score_with(
            spark, self._recipe, self._opened, Messages(numbered),
            Destination(spark, self._folder, self._layout, BATCH), keys=self._keys, batch_rows=self._batch_rows,
            allow_none=True, compare=compare, quiet=True,
        )  # fmt: skip
        if self._target is not None:
            self._send(spark, f"{BATCH}={number:09d}", self._target)
        self._batches += 1
        self._number = number
        self._read += result.rows_read
        self._scored += result.rows_scored
        self._drift.update(result.drift)

    def _send(self, spark: SparkSession, batch: str, target: str) -> None:
        """Writes a batch into the topics, and removes its files."""
        key = self._keys[0] if self._keys else self._opened.schema.key
        places = {batch: (key, target), f"{REJECTED}/{batch}": (None, target + REJECTED_TOPIC)}
        for place, (column, topic) in places.items():
            uri = storage.join(self._folder, place)
            if storage.list_names(uri):
                self._stream.kafka.write(spark.read.parquet(uri), column, topic)
        for place in places:
            storage.delete(storage.join(self._folder, place))

    def tell(self, report: Mapping[str, Any]) -> None:
        """Says and notes how far the stream is, now and then."""
        now = time.monotonic()
        if now - self._told < QUIET_SECONDS:
            return
        self._told = now
        counts = self._counts()
        behind = messages_behind(report)
        speed = self._read / max(now - self._begun, 1e-9)
        waits = "" if behind is None else f", {behind:,} more are waiting"
        self._progress.say(
            f"batch {report['batchId']}: {counts['rows_scored']:,} predictions so far, {counts['rows_rejected']:,} "
            f"messages rejected, {speed:,.0f} messages/s{waits}"
        )
        metrics: dict[str, float] = dict(counts) | {"messages_per_second": speed}
        self._run.log_metrics(metrics | ({} if behind is None else {"messages_waiting": behind}), report["batchId"])

    def result(self, stopped_by: str) -> StreamResult:
        """Returns what was done, and notes it."""
        counts = self._counts()
        seconds = time.monotonic() - self._begun if self._begun else 0.0
        last = counts | {"batches": self._batches, "drifted_fields": len(self._drift)}
        self._run.log_metrics(last, self._number)
        self._run.log_tags({"emberline.drift": ", ".join(sorted(self._drift)), "emberline.stopped_by": stopped_by})
        self._progress.say(
            f"{'stopped by ' + stopped_by if stopped_by else 'all that was there is scored'}: "
            f"{counts['rows_scored']:,} predictions at {self._output}, {counts['rows_rejected']:,} messages rejected"
        )
        version = self._opened.version
        return StreamResult(
            predictions=self._output, batches=self._batches, model=version.name, version=version.version,
            seconds=round(seconds, 3), stopped_by=stopped_by, **counts,
        )  # fmt: skip

    def _counts(self) -> dict[str, int]:
        return {"rows_read": self._read, "rows_scored": self._scored, "rows_rejected": self._read - self._scored}


def messages_behind(report: Mapping[str, Any]) -> int | None:
    """Returns how many messages were waiting behind a batch; None where Spark does not know it, as after a restart."""
    waiting = 0
    for source in report["sources"]:
        ends, latest = (_offsets(source.get(name)) for name in ("endOffset", "latestOffset"))
        if ends is None or latest is None:
            return None
        waiting += sum(
            max(0, offset - ends.get(topic, {}).get(partition, 0))
            for topic, partitions in latest.items()
            for partition, offset in partitions.items()
        )
    return waiting


def _offsets(value: Any) -> dict[str, dict[str, int]] | None:
    """Offsets by topic and partition, which reports hold as JSON or read already."""
    read = json.loads(value) if isinstance(value, str) and value else value
    return read if isinstance(read, dict) else None
