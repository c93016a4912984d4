"""A rank's end of the feed: batches of rows come in over TCP, as many as there is room for, and wait for the steps."""

import json
import socket
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from emberline.pipelines.cluster.door import Door
from emberline.pipelines.training.input import wire

WINDOW = 4
"""Batches of one feeder that a rank holds, or has granted room for; what is beyond waits at the feeder. Rows that
a step still lacks come on top."""


class FeedError(RuntimeError):
    """The job that feeds this training failed permanently; the message has its error."""


class FeedLostError(ConnectionError):
    """The feed broke off for a reason that may pass, such as a lost executor: all ranks begin the epoch again."""


@dataclass
class _Piece:
    """Rows that wait, and the feeder that is notified once when there is room for more."""

    batch: pa.RecordBatch
    feeder: socket.socket | None

    def make_room(self) -> None:
        feeder = self.feeder
        self.feeder = None
        if feeder:
            try:
                feeder.sendall(wire.ROOM)
            except OSError:
                pass  # the feeder has ended, or will be found out elsewhere


class Inbox:
    """Receives the rows of this rank; only peers that know the secret get a word in.

    Args:
        host: Address of this machine under which executors and the driver reach it.
        secret: The feed's secret.
        schema: Arrow schema of the batches.

    Attributes:
        address: Where it listens.
    """

    def __init__(self, host: str, secret: str, schema: pa.Schema) -> None:
        self._schema = schema
        self._changed = threading.Condition()
        self._pieces: deque[_Piece] = deque()
        self._rows = self._wanted = 0
        self._over = False
        self._ranks: tuple[tuple[str, int], ...] = ()
        self._fault: Exception | None = None
        self._fed: set[str] = set()
        listener = socket.create_server((host, 0), backlog=64)
        self.address: tuple[str, int] = (host, listener.getsockname()[1])
        self._door = Door(listener, lambda peer: wire.admit(peer, secret), self._serve, name="emberline-feed")

    def open_epoch(self) -> None:
        """Forgets what is left of the epoch before; its feeders have ended."""
        with self._changed:
            self._pieces.clear()
            self._fed.clear()
            self._rows = 0
            self._over = False

    @property
    def ranks(self) -> tuple[tuple[str, int], ...]:
        """The inboxes of all ranks, by rank; known once the epoch's source is at its end."""
        return self._ranks

    def wait(self, rows: int, *, more_to_come: bool = False) -> tuple[int, bool]:
        """Blocks until so many rows are here, or the driver has said that there are no more.

        Args:
            rows: Wanted.
            more_to_come: Rows will still come although the source is at its end: from other ranks.

        Returns:
            Rows here, and whether the epoch's source is at its end.

        Raises:
            FeedError: if the feed failed permanently.
            FeedLostError: if it broke off for a reason that may pass.
        """
        with self._changed:
            self._wanted = rows
            if self._rows < rows:  # a step may need more than the window holds: what waits here makes room at once
                for piece in self._pieces:
                    piece.make_room()
            self._changed.wait_for(lambda: self._rows >= rows or (self._over and not more_to_come) or self._fault)
            if self._fault:
                raise self._fault
            return self._rows, self._over

    def take(self, rows: int) -> pa.Table:
        """Returns the next `rows` rows, which must be here; makes room for as many batches as are used up."""
        taken: list[pa.RecordBatch] = []
        with self._changed:
            self._rows -= rows
            while rows:
                piece = self._pieces[0]
                taken.append(piece.batch.slice(0, rows))
                rows -= taken[-1].num_rows
                piece.batch = piece.batch.slice(taken[-1].num_rows)
                if not piece.batch.num_rows:
                    self._pieces.popleft().make_room()
        return pa.Table.from_batches(taken, self._schema)

    def close(self) -> None:
        """Closes the port; connections end with the process."""
        self._door.close()

    def _serve(self, connection: socket.socket, who: str) -> None:
        with connection:
            try:
                if self._is_repeated(who):
                    connection.sendall(wire.REFUSED)
                    return
                connection.sendall(wire.ROOM * WINDOW)
                while self._heard(connection):
                    pass
            except OSError:
                pass  # a lost feeder is the driver's to judge: its job fails, or it was ended on purpose

    def _is_repeated(self, who: str) -> bool:
        """Returns whether this peer has fed before: a second attempt of a task would send rows twice."""
        with self._changed:
            repeated = who in self._fed
            if who != "driver":
                self._fed.add(who)
        return repeated

    def _heard(self, connection: socket.socket) -> bool:
        """Takes one frame; whether more will come."""
        kind, payload = wire.receive(connection)
        match kind:
            case wire.BATCH:
                piece = _Piece(pa.ipc.read_record_batch(pa.py_buffer(payload), self._schema), connection)
                with self._changed:
                    self._pieces.append(piece)
                    self._rows += piece.batch.num_rows
                    if self._rows < self._wanted:
                        piece.make_room()
                    self._changed.notify_all()
                return True
            case wire.END:
                connection.sendall(wire.RECEIVED)
            case wire.OVER:
                with self._changed:
                    self._over = True
                    self._ranks = tuple((host, port) for host, port in json.loads(payload)["ranks"])
                    self._changed.notify_all()
            case wire.FAILED:
                self._fail(json.loads(payload))
        return False

    def _fail(self, message: dict[str, Any]) -> None:
        kind = FeedLostError if message["transient"] else FeedError
        with self._changed:
            self._fault = self._fault or kind(message["reason"])
            self._changed.notify_all()
