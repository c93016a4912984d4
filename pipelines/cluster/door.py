"""A port that strangers may knock at: handshakes have a deadline and a number, and nothing that they say ends it.

Used by whatever listens in a training: the driver for its ranks, a rank for its feeders, a learner for the driver.
"""

import errno
import hmac
import json
import secrets
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

HANDSHAKE_SECONDS = 20
"""For the whole of a handshake, however slowly its bytes come."""

HANDSHAKES = 16
"""Under way at a time: with one more, the oldest is turned away. Those who know the secret need milliseconds."""

LINE_LIMIT = 1024
PAUSE_SECONDS = 0.1
_CLOSED = (errno.EBADF, errno.EINVAL, errno.ENOTSOCK)

NONSENSE = (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError)
"""What a handshake of somebody else can end in."""


Who = TypeVar("Who")


class Door(Generic[Who]):
    """Lets each peer that knows the secret be served by a thread of its own.

    Args:
        listener: Where peers knock.
        admit: From a connection to who the peer is, or None; see `challenged`.
        serve: Called with each connection that was admitted and its peer; the connection is its own.
        name: Of the accepting thread.
    """

    def __init__(
        self,
        listener: socket.socket,
        admit: Callable[[socket.socket], Who | None],
        serve: Callable[[socket.socket, Who], None],
        *,
        name: str,
    ) -> None:
        self._listener = listener
        self._admit = admit
        self._serve = serve
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._strangers: list[socket.socket] = []
        threading.Thread(target=self._accept, name=name, daemon=True).start()

    def close(self) -> None:
        """Closes the port; connections stay."""
        self._closed.set()
        try:
            self._listener.shutdown(socket.SHUT_RDWR)  # or the accepting thread would serve one more
        except OSError:
            pass  # closed before
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError as error:
                if self._closed.is_set() or error.errno in _CLOSED:
                    return
                time.sleep(PAUSE_SECONDS)  # too many open files, or a peer that was gone at once: both pass
                continue
            with self._lock:
                self._strangers.append(connection)
                oldest = self._strangers.pop(0) if len(self._strangers) > HANDSHAKES else None
            if oldest is not None:
                _hang_up(oldest)
            try:
                threading.Thread(target=self._let_in, args=(connection,), daemon=True).start()
            except RuntimeError:  # no more threads: this one has to come again
                self._forget(connection)
                connection.close()

    def _let_in(self, connection: socket.socket) -> None:
        who = self._admit(connection)
        self._forget(connection)
        if who is None:
            connection.close()
        else:
            self._serve(connection, who)

    def _forget(self, connection: socket.socket) -> None:
        with self._lock:
            if connection in self._strangers:
                self._strangers.remove(connection)


def challenged(connection: socket.socket, name: str, answer_of: Callable[[str, Any], str]) -> Any:
    """Asks a peer who it is, and for the proof that it knows the secret.

    Args:
        connection: To the peer.
        name: Key of its name in what it says.
        answer_of: From the challenge and the name to the right answer.

    Returns:
        The name that it gave; None if it talked nonsense, took too long or does not know the secret.
    """
    challenge = secrets.token_hex(16)
    try:
        connection.settimeout(HANDSHAKE_SECONDS)
        connection.sendall(challenge.encode() + b"\n")
        hello = json.loads(read_line(connection, HANDSHAKE_SECONDS))
        who, answered = hello[name], str(hello["answer"]).encode(errors="replace")
        right = isinstance(who, str | int) and hmac.compare_digest(answered, answer_of(challenge, who).encode())
        connection.settimeout(None)
        keep_alive(connection)
    except NONSENSE:
        return None
    return who if right else None


def read_line(connection: socket.socket, seconds: float | None = None) -> bytes:
    """Reads a line of a handshake, and not a byte more.

    Args:
        connection: To the peer.
        seconds: For all of it; None to wait for ever.

    Raises:
        ConnectionError: if the peer closes before its end, or the line is longer than a handshake needs.
        TimeoutError: if it took too long.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    line = b""
    while not line.endswith(b"\n"):
        if deadline is not None:
            if (left := deadline - time.monotonic()) <= 0:
                raise TimeoutError(f"The peer took more than {seconds:g} s for a line of the handshake.")
            connection.settimeout(left)
        piece = connection.recv(1)
        if not piece or len(line) > LINE_LIMIT:
            raise ConnectionError(f"The peer closed or talked nonsense during the handshake: {line[:80]!r}")
        line += piece
    return line


def reserved_port() -> socket.socket:
    """Reserves a port that nobody else is given until it is closed; nobody listens, so there is nothing to reach."""
    port = socket.socket()
    port.bind(("", 0))
    return port


def keep_alive(connection: socket.socket) -> None:
    """Finds out within half a minute that a peer's machine cannot be reached any more, also while nothing is sent."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 4), ("TCP_USER_TIMEOUT", 30_000)):
        if hasattr(socket, option):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def _hang_up(connection: socket.socket) -> None:
    """Wakes the thread that serves a connection, which closes it."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # the peer was faster
