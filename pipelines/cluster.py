"""A training on a cluster: ranks started together, followed through the control channel, started anew together.

Spark must never retry one rank alone, and a lost or hung rank blocks the others inside a collective. So the driver
listens to all of them; at the first failure, loss or silence it ends the whole gang and, if another attempt may do
better, starts all ranks again from the last checkpoint.
"""

import queue
import re
import time
from collections.abc import Callable
from typing import Any

from pyspark.sql import SparkSession

from features.errors import BadInputError
from pipelines.launchers import Launcher, LaunchError, Node, launch
from pipelines.training.assignment import Assignment
from pipelines.training.control import ControlServer

HEARTBEAT_LIMIT_SECONDS = 25
"""A rank sends a sign of life every five seconds; one that sends none for so long is hung or cut off."""

LAST_WORDS_SECONDS = 3
"""How long a lost worker's own account of its failure is waited for."""

DRIVER = -1
"""The rank under which `on_event` hears of the gang as a whole."""

Event = dict[str, Any]


class ClusterError(RuntimeError):
    """Training did not end well; the message carries the first failing worker's words. A re-run resumes.

    Args:
        message: What happened.
        transient: Whether another attempt may do better.
    """

    def __init__(self, message: str, *, transient: bool = True) -> None:
        super().__init__(message)
        self.transient = transient


class ClusterSizeError(BadInputError):
    """The cluster cannot hold the training, however often it is tried."""


def train_on_cluster(
    spark: SparkSession,
    assignment: Assignment,
    *,
    launcher: Launcher,
    workers: int,
    stall_seconds: int,
    max_restarts: int,
    on_event: Callable[[int, Event], None],
) -> None:
    """Runs one training on `workers` executors and returns when all ranks are done.

    Args:
        spark: The session.
        assignment: What to train.
        launcher: How ranks are started.
        workers: Executors to use, one rank each.
        stall_seconds: Time without progress on any rank after which an attempt is given up.
        max_restarts: How often all ranks are started again after a loss, a hang, or a failure that may pass.
        on_event: Called in this thread with rank and event; with `DRIVER` before each further attempt.

    Raises:
        ClusterSizeError: if the cluster cannot hold that many ranks.
        ClusterError: if a rank fails for good, or more often than `max_restarts` allows.
    """
    require_slots(spark, workers)
    for attempt in range(max_restarts + 1):
        try:
            _attempt(spark, assignment, launcher, workers, stall_seconds, on_event)
            return
        except ClusterError as error:
            if not error.transient or not max_restarts:
                raise
            if attempt == max_restarts:
                raise ClusterError(f"Given up after {max_restarts} restarts. {error}") from error
            on_event(DRIVER, {"event": "restart", "attempt": attempt + 1, "reason": str(error)})


def _attempt(
    spark: SparkSession,
    assignment: Assignment,
    launcher: Launcher,
    workers: int,
    stall_seconds: int,
    on_event: Callable[[int, Event], None],
) -> None:
    host = spark.conf.get("spark.driver.host", "localhost") or "localhost"
    server = ControlServer(host, workers)

    def on_failure(reason: str) -> None:
        server.events.put((DRIVER, {"event": "failed", "reason": reason}))

    launched = None
    try:
        node = Node(assignment.to_json(), server.address, server.secret)
        try:
            launched = launch(launcher, spark, workers, node, on_failure)
        except LaunchError as error:
            raise _first_failure(server) or ClusterError(str(error), transient=error.transient) from error
        _follow(server, workers, stall_seconds, on_event)
    except BaseException:
        server.stop_workers()
        if launched:
            launched.cancel()
        raise
    finally:
        server.close()
    try:
        launched.wait()
    except LaunchError as error:
        raise ClusterError(str(error)) from error


def _follow(server: ControlServer, workers: int, stall_seconds: int, on_event: Callable[[int, Event], None]) -> None:
    trained: set[int] = set()
    finished: set[int] = set()
    heard: dict[int, float] = {}
    progress = time.monotonic()
    while len(finished) < workers:
        now = time.monotonic()
        silent = [rank for rank, last in heard.items() if rank not in finished and now - last > HEARTBEAT_LIMIT_SECONDS]
        if silent:
            raise ClusterError(
                f"Worker {silent[0]} hangs: no sign of life for {HEARTBEAT_LIMIT_SECONDS} s. Its process was killed."
            )
        if now - progress > stall_seconds:
            raise ClusterError(
                f"No worker has made progress for {stall_seconds} s (training.stall_seconds); "
                f"{workers - len(finished)} of {workers} had not finished."
            )
        try:
            rank, event = server.events.get(timeout=1)
        except queue.Empty:
            continue
        if event["event"] == "ready" or rank in heard:  # before that it imports, which may take as long as it takes
            heard[rank] = time.monotonic()
        if event["event"] != "alive":
            progress = time.monotonic()
        match event["event"]:
            case "alive":
                continue
            case "trained":
                trained.add(rank)
                if len(trained) == workers:
                    server.finish_workers()
            case "finished":
                finished.add(rank)
            case "failed" if rank == DRIVER:
                raise _first_failure(server) or ClusterError(f"The workers' tasks failed: {event['reason']}")
            case "failed" | "error":
                raise _failure(rank, event)
            case "lost" if rank not in finished:
                raise _first_failure(server) or ClusterError(f"Worker {rank} was lost: its executor is gone.")
            case "lost":
                continue
            case _:
                on_event(rank, event)


def _first_failure(server: ControlServer) -> ClusterError | None:
    """What the first failing worker said, if any word arrives in time."""
    deadline = time.monotonic() + LAST_WORDS_SECONDS
    while (left := deadline - time.monotonic()) > 0:
        try:
            rank, event = server.events.get(timeout=left)
        except queue.Empty:
            return None
        if event["event"] in ("failed", "error") and rank != DRIVER:
            return _failure(rank, event)
    return None


def _failure(rank: int, event: Event) -> ClusterError:
    said = str(event.get("traceback") or event.get("reason")).strip()
    return ClusterError(f"Worker {rank} failed: {said}", transient=bool(event.get("transient", True)))


def require_slots(spark: SparkSession, workers: int) -> None:
    """Refuses a cluster that cannot hold the ranks, before anything starts.

    Raises:
        ClusterSizeError: with the arithmetic.
    """
    if spark.conf.get("spark.dynamicAllocation.enabled", "false") == "true":
        raise ClusterSizeError("Training holds its executors: set spark.dynamicAllocation.enabled=false.")
    master = str(spark.conf.get("spark.master", ""))
    if cluster := re.fullmatch(r"local-cluster\[\s*(\d+)\s*,.*\]", master):
        executors = int(cluster[1])
    elif master.startswith("local"):
        executors = 1
    else:
        return  # executors may still be registering; the launcher waits for them
    if executors < workers:
        raise ClusterSizeError(
            f"Training needs {workers} executors, one per worker, and {master} has {executors}. "
            f"Use --master 'local-cluster[{workers},1,2048]', a cluster, or --set training.workers={executors}."
        )
