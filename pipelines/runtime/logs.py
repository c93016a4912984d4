"""Lines for machines: with EMBERLINE_LOG=json, driver and executors write one JSON object a line to stderr.

Without it people read lines of `emberline.pipelines.runtime.progress`, and executors are silent. Every object has
`time` (UTC), `level`, `role`, `host`, `pid` and `message`; those of a step `run`, its MLflow run; those of a Spark task
`stage`, `partition` and `attempt`; those of a training process `rank`. Imports nothing heavy: executors write before
Spark is imported.
"""

import json
import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

SWITCH = "EMBERLINE_LOG"
"""The environment variable; `session` hands it on to executors."""

RUN = "emberline.run"
"""Spark's local property with the MLflow run of the step that a task works for."""

_facts: ContextVar[dict[str, Any] | None] = ContextVar("emberline_log_facts", default=None)


def as_json() -> bool:
    """Returns whether lines are for machines."""
    return os.environ.get(SWITCH, "").lower() == "json"


def start(**facts: Any) -> None:
    """Begins a process's log: warnings of all libraries, and what `tell` says.

    Args:
        facts: What every later line carries.
    """
    _facts.set((_facts.get() or {}) | facts)
    if as_json():
        handler = logging.StreamHandler()
        handler.setFormatter(_Lines())
        logging.basicConfig(level=logging.WARNING, handlers=[handler])
    else:
        logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")


@contextmanager
def about(**facts: Any) -> Iterator[None]:
    """Yields the lines of the block, in this thread and those that copy its context, carry these facts too."""
    token = _facts.set((_facts.get() or {}) | facts)
    try:
        yield
    finally:
        _facts.reset(token)


def tell(message: str, level: str = "info", **facts: Any) -> None:
    """Writes a line if lines are for machines."""
    if as_json():
        # With its end in one write: other processes write to the same place.
        sys.stderr.write(line(message, level, **facts) + "\n")
        sys.stderr.flush()


def line(message: str, level: str, **facts: Any) -> str:
    """Returns one JSON object."""
    known = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "level": level,
        "role": "driver",
        "host": socket.gethostname(),
        "pid": os.getpid(),
    }
    found = known | _of_task() | (_facts.get() or {}) | facts | {"message": message}
    return json.dumps({name: value for name, value in found.items() if value is not None}, default=str)


def _of_task() -> dict[str, Any]:
    """Returns what Spark knows of the task that runs in this process, if one does."""
    spark = sys.modules.get("pyspark")
    task = spark.TaskContext.get() if spark else None
    if task is None:
        return {}
    return {
        "role": "executor",
        "run": task.getLocalProperty(RUN),
        "stage": task.stageId(),
        "partition": task.partitionId(),
        "attempt": task.attemptNumber(),
    }


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        traceback = self.formatException(record.exc_info) if record.exc_info else None
        return line(record.getMessage(), record.levelname.lower(), logger=record.name, traceback=traceback)
