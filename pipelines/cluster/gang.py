"""A training on a cluster: ranks started together, followed through the control channel, started anew together.

Spark must never retry one rank alone, and a lost or hung rank blocks the others inside a collective. So the driver
listens to all of them; at the first failure, loss or silence it ends the whole gang and, if another attempt may do
better, starts all ranks again from the last checkpoint. Workers of mode `async` are the exception: while one is left,
the others go on.
"""

import queue
import socket
import time
from collections.abc import Callable
from typing import Any, ClassVar, Protocol

from pyspark.sql import SparkSession, is_remote

from emberline.features.errors import BadInputError
from emberline.pipelines.cluster.control import ControlServer
from emberline.pipelines.cluster.launchers import LaunchError, Node, launch
from emberline.pipelines.cluster.roles import Gang, Role

HEARTBEAT_LIMIT_SECONDS = 25
"""A rank sends a sign of life every five seconds; one that sends none for so long is hung or cut off."""

LAST_WORDS_SECONDS = 3
"""How long a lost worker's own account of its failure is waited for."""

DRIVER = -1
"""The rank under which `on_event` hears of the gang as a whole."""

Event = dict[str, Any]


class Work(Protocol):
    """What a gang does, each rank in a process of its own."""

    module: ClassVar[str]
    """Each rank is `python -m` this module, which calls `emberline.pipelines.cluster.rank_process.run_rank`."""

    def to_json(self) -> str:
        """Returns the assignment of each rank, as one line of text."""


class ClusterError(RuntimeError):
    """Training did not end well; the message carries the first failing worker's words. A re-run resumes.

    Args:
        message: What happened.
        transient: Whether another attempt may do better.
    """

    def __init__(self, message: str, *, transient: bool = True) -> None:
        super().__init__(message)
        self.transient = transient


class WorkerInputError(ClusterError, BadInputError):
    """A worker met arguments or data that cannot work however often they are tried."""


def train_on_cluster(
    spark: SparkSession,
    work: Work,
    *,
    gang: Gang,
    on_event: Callable[[int, Event], None],
) -> None:
    """Runs one training, each rank in a process of its own, and returns when all are done.

    Args:
        spark: The session.
        work: What each rank does.
        gang: Who takes part, how they are started, and what is done when they fail.
        on_event: Called in this thread with rank and event; with `DRIVER` before each further attempt, and when a
            worker was lost that the others do without.

    Raises:
        ClusterError: if a rank fails permanently, or more often than `max_restarts` allows.
    """
    training = gang.training
    for attempt in range(training.max_restarts + 1):
        try:
            _attempt(spark, work, gang, on_event)
            return
        except ClusterError as error:
            if not error.transient or not training.max_restarts:
                raise
            if attempt == training.max_restarts:
                raise ClusterError(f"Given up after {training.max_restarts} restarts. {error}") from error
            on_event(DRIVER, {"event": "restart", "attempt": attempt + 1, "reason": str(error)})


def _attempt(
    spark: SparkSession,
    work: Work,
    gang: Gang,
    on_event: Callable[[int, Event], None],
) -> None:
    training = gang.training
    local = training.mode == "local"
    server = ControlServer("127.0.0.1" if local else _own_host(spark), len(gang))

    def on_failure(reason: str) -> None:
        server.events.put((DRIVER, {"event": "failed", "reason": reason}))

    launched = None
    try:
        dispensable: Role | None = "worker" if training.mode == "async" else None
        node = Node(work.module, work.to_json(), server.address, server.secret, gang.roles, dispensable)
        try:
            launched = launch("local" if local else training.launcher, spark, node, on_failure)
        except LaunchError as error:
            raise _first_failure(server) or ClusterError(str(error), transient=error.transient) from error
        complete = _Attempt(server, node, training.stall_seconds, on_event).follow()
    except BaseException:
        server.stop_workers()
        if launched:
            launched.cancel()
        raise
    finally:
        server.close()
    if not complete:
        launched.cancel()  # the task of a worker that was cut off may never end by itself
        return
    try:
        launched.wait()
    except LaunchError as error:
        raise ClusterError(str(error)) from error


def _own_host(spark: SparkSession) -> str:
    """The address of this process for executors."""
    if not is_remote():
        return str(spark.conf.get("spark.driver.host", "localhost"))
    # Spark Connect: the driver is elsewhere. Towards it this machine speaks from the address that is asked for.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((spark.client.host, 9))  # sends nothing
        return str(probe.getsockname()[0])


class _Attempt:
    """The ranks of one attempt, as their events tell."""

    def __init__(
        self, server: ControlServer, node: Node, stall_seconds: int, on_event: Callable[[int, Event], None]
    ) -> None:
        self._server = server
        self._stall_seconds = stall_seconds
        self._on_event = on_event
        self._ranks = set(range(len(node.roles)))
        self._dispensable = {rank for rank in self._ranks if node.roles[rank] == node.dispensable}
        # With workers to spare the chief alone knows the end; otherwise each rank has a share of the work to finish.
        self._training_ranks = {0} if self._dispensable else self._ranks
        self._trained: set[int] = set()
        self._finished: set[int] = set()
        self._lost: set[int] = set()
        self._heard: dict[int, float] = {}
        self._started = False

    def follow(self) -> bool:
        """Returns when all ranks are done.

        Returns:
            Whether none was lost on the way.

        Raises:
            ClusterError: at the first failure, loss or silence that the others cannot do without.
        """
        progress = time.monotonic()
        while self._ranks - self._finished - self._lost:
            self._check_signs_of_life()
            if time.monotonic() - progress > self._stall_seconds:
                unfinished = len(self._ranks - self._finished - self._lost)
                raise ClusterError(
                    f"No worker has made progress for {self._stall_seconds} s (training.stall_seconds); "
                    f"{unfinished} of {len(self._ranks)} had not finished."
                )
            try:
                rank, event = self._server.events.get(timeout=1)
            except queue.Empty:
                continue
            # Before it is ready a rank imports, which may take as long as it takes.
            if event["event"] == "ready" or rank in self._heard:
                self._heard[rank] = time.monotonic()
            if event["event"] == "alive":
                self._on_event(rank, event)
                continue
            progress = time.monotonic()
            self._take(rank, event)
        return not self._lost

    def _check_signs_of_life(self) -> None:
        now = time.monotonic()
        for rank, last in self._heard.items():
            if rank not in self._finished | self._lost and now - last > HEARTBEAT_LIMIT_SECONDS:
                self._lose(
                    rank,
                    ClusterError(
                        f"Worker {rank} hangs: no sign of life for {HEARTBEAT_LIMIT_SECONDS} s. Its process was killed."
                    ),
                )

    def _take(self, rank: int, event: Event) -> None:
        match event["event"]:
            case "trained":
                self._trained.add(rank)
                if self._trained >= self._training_ranks:
                    self._server.finish_workers()
            case "finished":
                self._finished.add(rank)
            case "failed" if rank == DRIVER:
                raise _first_failure(self._server) or ClusterError(f"The workers' tasks failed: {event['reason']}")
            case "failed" | "error":
                self._lose(rank, _failure(rank, event))
            case "lost" if rank not in self._finished | self._lost:
                error = ClusterError(f"Worker {rank} was lost: its executor is gone.")
                self._lose(rank, error if rank in self._dispensable else _first_failure(self._server) or error)
            case "lost":
                return
            case _:
                self._started = self._started or event["event"] == "start"
                self._on_event(rank, event)

    def _lose(self, rank: int, error: ClusterError) -> None:
        """Continues without a worker if others are left to do its part, and ends the attempt otherwise."""
        if rank in self._lost:
            return
        left = self._dispensable - self._lost - {rank}
        if not self._started or rank not in self._dispensable or not left:
            raise error
        self._lost.add(rank)
        self._server.stop_worker(rank)
        self._on_event(DRIVER, {"event": "worker lost", "rank": rank, "left": len(left), "reason": str(error)})


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
    if reason := event.get("bad_input"):
        return WorkerInputError(str(reason), transient=False)
    said = str(event.get("traceback") or event.get("reason")).strip()
    return ClusterError(f"Worker {rank} failed: {said}", transient=bool(event.get("transient", True)))
