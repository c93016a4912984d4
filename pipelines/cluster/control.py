"""The channel between the driver and its training workers: authenticated lines of JSON over TCP.

Workers send events; the driver says "finish" when all ranks have done their work, or "stop" when one has failed. The
secret travels inside Spark's own task closure; on the wire it only answers a challenge. Nothing here is ever unpickled
or evaluated.
"""

import hashlib
import hmac
import json
import queue
import secrets
import socket
import threading
from collections.abc import Callable
from typing import Any

from emberline.pipelines.cluster.door import HANDSHAKE_SECONDS, Door, challenged, keep_alive, read_line

LINE_LIMIT = 1 << 20
"""Longest line accepted, in bytes; a traceback fits many times over."""


class ControlServer:
    """The driver's end: collects events of all ranks in `events`, and can stop every worker.

    Args:
        host: Address of the driver that executors can reach.
        ranks: Number of workers; each rank may connect once.
    """

    def __init__(self, host: str, ranks: int) -> None:
        self.secret = secrets.token_hex(32)
        self.events: queue.Queue[tuple[int, dict[str, Any]]] = queue.Queue()
        self._ranks = ranks
        self._connections: dict[int, socket.socket] = {}
        self._closed = False
        self._lock = threading.Lock()
        listener = socket.create_server((host, 0), backlog=ranks + 8)
        self.address: tuple[str, int] = (host, listener.getsockname()[1])
        self._door = Door(listener, self._admit, self._serve, name="emberline-control")

    def stop_workers(self) -> None:
        """Orders every connected worker to kill its training process."""
        self._tell("stop")

    def finish_workers(self) -> None:
        """Informs every connected worker that no rank needs its process any more."""
        self._tell("finish")

    def stop_worker(self, rank: int) -> None:
        """Orders one worker to kill its training process; the others continue."""
        with self._lock:
            if connection := self._connections.get(rank):
                try:
                    connection.sendall(b"stop\n")
                except OSError:
                    pass  # that worker is gone already

    def _tell(self, command: str) -> None:
        with self._lock:
            for connection in self._connections.values():
                try:
                    connection.sendall(command.encode() + b"\n")
                except OSError:
                    continue  # that worker is gone already

    def close(self) -> None:
        """Closes the port and every connection; workers that still run see it and stop."""
        self._door.close()
        with self._lock:
            self._closed = True  # a worker still in its handshake is turned away instead of forgotten
            for connection in self._connections.values():
                try:
                    # A reading thread keeps a closed socket open; shutting it down reaches the peer at once.
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # the peer was faster
                connection.close()

    def _serve(self, connection: socket.socket, rank: int) -> None:
        try:
            with connection.makefile("rb") as lines:
                while line := lines.readline(LINE_LIMIT):
                    self.events.put((rank, json.loads(line)))
        except (OSError, ValueError, RecursionError):
            pass  # the connection broke in mid-line: reported as lost below
        self.events.put((rank, {"event": "lost"}))

    def _admit(self, connection: socket.socket) -> int | None:
        """Returns the rank of a peer that knows the secret and whose rank is still free."""
        rank = challenged(connection, "rank", lambda challenge, who: answer(self.secret, challenge, who))
        if not isinstance(rank, int) or not 0 <= rank < self._ranks:
            return None
        with self._lock:
            if self._closed or rank in self._connections:
                return None
            self._connections[rank] = connection
        return rank


class ControlClient:
    """A worker's end.

    Args:
        address: The driver's address.
        secret: Proves that this worker belongs to the training.
        rank: This worker's rank.
        on_stop: Called from another thread when the driver says stop or disappears.
        on_finish: Called from another thread when the driver says that all ranks have done their work.
    """

    def __init__(
        self,
        address: tuple[str, int],
        secret: str,
        rank: int,
        *,
        on_stop: Callable[[], None],
        on_finish: Callable[[], None],
    ) -> None:
        self._connection = socket.create_connection(address, timeout=HANDSHAKE_SECONDS)
        challenge = read_line(self._connection, HANDSHAKE_SECONDS).decode().strip()
        hello = {"rank": rank, "answer": answer(secret, challenge, rank)}
        self._connection.sendall(json.dumps(hello).encode() + b"\n")
        self._connection.settimeout(None)
        keep_alive(self._connection)
        self._lock = threading.Lock()
        self._on_stop = on_stop
        self._on_finish = on_finish
        threading.Thread(target=self._listen, name="emberline-control", daemon=True).start()

    def send(self, event: dict[str, Any]) -> None:
        """Sends one event; a vanished driver is noticed by the listening thread, not here."""
        try:
            with self._lock:
                self._connection.sendall(json.dumps(event).encode() + b"\n")
        except OSError:
            self._on_stop()

    def close(self) -> None:
        """Closes the connection of a worker that is finished; the driver will not count it as lost."""
        self._on_stop = lambda: None
        try:
            self._connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the driver was faster
        self._connection.close()

    def _listen(self) -> None:
        try:
            while read_line(self._connection) == b"finish\n":
                self._on_finish()
        except OSError:
            pass  # a driver that is gone needs no training: the same as "stop"
        self._on_stop()


def answer(secret: str, challenge: str, who: int | str) -> str:
    """Returns what only a peer that knows the secret can say to a challenge; good for nobody but `who`."""
    return hmac.new(secret.encode(), f"{challenge}:{who}".encode(errors="replace"), hashlib.sha256).hexdigest()
