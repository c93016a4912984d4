"""An executor's end of the feed: one task turns its partition of raw rows into batches and sends them to the ranks."""

import selectors
import socket
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc
from pyspark import TaskContext

from emberline.features.validation.rows import reason_of
from emberline.pipelines.preparation.row_transform import RowTransform
from emberline.pipelines.training.input import wire
from emberline.pipelines.training.input.inbox import FeedLostError

PIECE_BYTES, PIECE_ROWS = 1 << 20, 4096
"""Most that one frame carries: large enough that Python's part does not matter, small enough to share out evenly."""

FEED_REPORT = "partition int, rows long, rejected long"
"""What `Feeder` answers: the partition, rows sent, rows put aside by the checks."""

Addresses = tuple[tuple[str, int], ...]


class RepeatedError(FeedLostError):
    """A second attempt of a task whose first one has sent rows: it would send them twice."""


@dataclass(frozen=True)
class Feeder:
    """Sends one partition's good rows, transformed, to whichever rank has room; for `mapInArrow`.

    Args:
        transform: Checked raw rows to stored columns.
        addresses: The ranks' inboxes.
        secret: The feed's secret.
        job: Distinguishes the jobs of one epoch; with the partition it is this feeder's name.
    """

    transform: RowTransform
    addresses: Addresses
    secret: str
    job: str

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        context = TaskContext.get()
        partition = context.partitionId() if context else 0
        rows = rejected = 0

        def good() -> Iterator[pa.RecordBatch]:
            nonlocal rejected
            for batch in _unbroken(batches):
                kept = batch.filter(pc.is_null(batch.column(reason_of(batch.schema.names))))
                rejected += batch.num_rows - kept.num_rows
                if kept.num_rows:
                    yield kept

        def pieces() -> Iterator[pa.RecordBatch]:
            nonlocal rows
            for batch in self.transform(good()):
                rows += batch.num_rows
                yield from cut(batch)

        try:
            send_all(pieces(), self.addresses, self.secret, f"{self.job}/{partition}")
        except RepeatedError:
            # If what broke the first attempt was the source of the rows, it breaks here again, and Spark names it.
            for _ in batches:
                pass
            raise
        yield pa.RecordBatch.from_pydict(
            {
                "partition": pa.array([partition], pa.int32()),
                "rows": pa.array([rows], pa.int64()),
                "rejected": pa.array([rejected], pa.int64()),
            }
        )


def _unbroken(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same batches; what goes wrong before the rows reach us is Spark's to report, with its own words."""
    try:
        yield from batches
    except Exception as error:
        raise FeedLostError(f"The rows to feed broke off: {error}") from error


def cut(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Yields the batch in pieces of at most `PIECE_ROWS` rows and about `PIECE_BYTES` bytes, in order."""
    per_row = max(batch.nbytes // batch.num_rows, 1)
    size = max(min(PIECE_ROWS, PIECE_BYTES // per_row), 1)
    for start in range(0, batch.num_rows, size):
        yield batch.slice(start, size)


def send_all(pieces: Iterator[pa.RecordBatch], addresses: Addresses, secret: str, who: str) -> None:
    """Sends every piece to one rank each, and returns when all of them have arrived.

    Args:
        pieces: Record batches.
        addresses: The ranks' inboxes.
        secret: The feed's secret.
        who: This feeder's name; each may feed once.

    Raises:
        FeedLostError: if a rank is gone.
        RepeatedError: if the ranks were fed under this name before.
    """
    first = next(pieces, None)  # before anything is announced: most of what fails, fails here
    if first is None:
        return
    with _Ranks(addresses, secret, who) as ranks:
        try:
            ranks.send(first)
            for piece in pieces:
                ranks.send(piece)
        except ConnectionError:
            raise
        except Exception as error:
            ranks.say_failed(f"{type(error).__name__} while rows were fed: {error}\n{traceback.format_exc()}")
            raise
        ranks.end()


def hand_on(pieces: Iterator[pa.RecordBatch], address: tuple[str, int], secret: str, who: str) -> None:
    """Sends every piece to one rank, which has asked for them, and returns when all of them have arrived.

    Raises:
        ConnectionError: if the rank is gone.
    """
    with wire.connect(address, secret, who) as connection:
        for piece in pieces:
            wire.send(connection, wire.BATCH, memoryview(piece.serialize()))
        wire.send(connection, wire.END)
        while wire.RECEIVED not in (said := connection.recv(64)):
            if not said:
                raise ConnectionError(f"A rank was lost while {who} handed rows on to it.")


class _Ranks:
    """Connections to all ranks, and how many batches each has room for."""

    def __init__(self, addresses: Addresses, secret: str, who: str) -> None:
        self._selector = selectors.DefaultSelector()
        self._room: dict[socket.socket, int] = {}
        self._sent: dict[socket.socket, int] = {}
        self._who = who
        try:
            for address in addresses:
                connection = wire.connect(address, secret, who)
                self._selector.register(connection, selectors.EVENT_READ)
                self._room[connection] = self._sent[connection] = 0
                self._hear_one(connection)  # or the quickest rank would get more than its share
        except RepeatedError:
            self.close()
            raise
        except OSError as error:
            self.close()
            raise FeedLostError(f"A rank that {who} was to feed does not answer: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, piece: pa.RecordBatch) -> None:
        """Sends a piece to the rank that has room and received least from here; waits until one has."""
        self._hear(wait=False)
        while not any(self._room.values()):
            self._hear(wait=True)
        target = min((rank for rank, room in self._room.items() if room), key=lambda rank: self._sent[rank])
        self._room[target] -= 1
        self._sent[target] += piece.num_rows
        try:
            wire.send(target, wire.BATCH, memoryview(piece.serialize()))
        except OSError as error:
            raise FeedLostError(f"A rank was lost while {self._who} fed it: {error}") from error

    def end(self) -> None:
        """Waits until every rank has all that was sent to it."""
        try:
            for connection in self._room:
                wire.send(connection, wire.END)
            for connection in self._room:
                while wire.RECEIVED not in (said := connection.recv(64)):
                    if not said:
                        raise ConnectionError("it closed the connection")
        except OSError as error:
            raise FeedLostError(f"A rank was lost while {self._who} fed it: {error}") from error

    def say_failed(self, reason: str) -> None:
        """Sends the reason why no more rows come to one rank; at its epoch's end the driver would too, but later."""
        for connection in self._room:
            try:
                wire.send_json(connection, wire.FAILED, {"reason": reason, "transient": False})
                return
            except OSError:
                continue  # the next one

    def close(self) -> None:
        self._selector.close()
        for connection in self._room:
            connection.close()

    def _hear(self, *, wait: bool) -> None:
        for key, _ in self._selector.select(None if wait else 0):
            if isinstance(key.fileobj, socket.socket):  # nothing else was registered
                self._hear_one(key.fileobj)

    def _hear_one(self, connection: socket.socket) -> None:
        try:
            said = connection.recv(64)
        except OSError as error:
            raise FeedLostError(f"A rank was lost while {self._who} fed it: {error}") from error
        if not said:
            raise FeedLostError(f"A rank was lost while {self._who} fed it.")
        if said == wire.REFUSED:
            raise RepeatedError(f"{self._who} was fed before, in part: Spark may not repeat it within an epoch.")
        self._room[connection] += said.count(wire.ROOM)
