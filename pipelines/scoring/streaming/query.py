"""A query that hands on batch after batch until a signal comes, and then ends behind a whole batch."""

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from py4j.protocol import Py4JError
from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

LOOK_SECONDS = 1
"""Between two looks at the query; a signal is heard at once."""

_LOUD = "org.apache.spark.sql.execution.streaming.runtime.MicroBatchExecution"
"""Logs the whole trace of a failure that the job reports anyway, and of our way to stop."""


class _StoppedError(Exception):
    """Ends a query whose last batch is whole, in the place of a further one."""


class Batches:
    """Runs a query over messages.

    Args:
        each: Takes a batch and its number; a batch that fails comes again under its number.
    """

    def __init__(self, each: Callable[[DataFrame, int], None]) -> None:
        self._each = each
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self.stopped_by = ""
        """Name of the signal that ended it."""

    def run(
        self,
        rows: DataFrame,
        checkpoint: str,
        every: float,
        available_now: bool,
        tell: Callable[[dict[str, Any]], None],
    ) -> None:
        """Returns when the query has ended: at a signal, or with the messages that were there if that is asked for.

        SIGTERM and SIGINT let the present batch end; a second one interrupts it.

        Args:
            rows: The stream.
            checkpoint: URI of the folder in which Spark notes how far it has come.
            every: Seconds between the beginnings of two batches at least.
            available_now: End with the last message that is there.
            tell: Takes Spark's report of every batch that is done, as it is shown to people.

        Raises:
            Exception: what `each` raised.
            StreamingQueryException: if the query failed otherwise.
        """
        _silence(rows.sparkSession)
        writer = rows.writeStream.foreachBatch(self._batch).option("checkpointLocation", checkpoint)
        with self._signals():
            trigger = {"availableNow": True} if available_now else {"processingTime": f"{every:g} seconds"}
            query = writer.trigger(**trigger).start()  # type: ignore[arg-type]
            try:
                self._watch(query, tell)
            except BaseException:
                with suppress(Py4JError):
                    query.stop()
                raise

    def _watch(self, query: StreamingQuery, tell: Callable[[dict[str, Any]], None]) -> None:
        told = -1
        while True:
            try:
                ended = query.awaitTermination(LOOK_SECONDS)
            except StreamingQueryException:
                if self._failure is not None:
                    raise self._failure from None
                if not self._stop.is_set():
                    raise
                ended = True
            for report in query.recentProgress:
                if report["batchId"] > told and report["numInputRows"]:
                    told = report["batchId"]
                    tell(report)
            if ended:
                return
            if self._stop.is_set() and not query.status["isTriggerActive"]:
                query.stop()

    def _batch(self, rows: DataFrame, number: int) -> None:
        if self._stop.is_set():  # the one before is whole, and noted as such
            raise _StoppedError
        try:
            self._each(rows, number)
        except BaseException as error:
            self._failure = error
            raise

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Takes the signals for the block; of another thread they are not ours."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before: dict[int, Any] = {}

        def stop(number: int, frame: Any) -> None:
            self.stopped_by = signal.Signals(number).name
            self._stop.set()
            signal.signal(number, before[number])

        for each in (signal.SIGTERM, signal.SIGINT):
            before[each] = signal.signal(each, stop)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _silence(spark: SparkSession) -> None:
    """Leaves it to the job's last line to say why a batch failed; others would print the trace of each side."""
    logging.getLogger("py4j.clientserver").setLevel(logging.CRITICAL)
    machine: Any = spark._jvm
    log4j = machine.org.apache.logging.log4j
    with suppress(Py4JError, TypeError):  # a platform may log with something else
        log4j.core.config.Configurator.setLevel(_LOUD, log4j.Level.OFF)
