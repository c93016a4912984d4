"""What goes over a feed's connections: a handshake that proves the secret, then frames of one kind, length and payload.

A feeder (or a rank that hands rows on) sends batches and, last, `END`; the driver sends `OVER` or `FAILED`. The rank
answers with single bytes: `ROOM` for each batch that may be sent, `RECEIVED` when it has all of them.
"""

import json
import socket
import struct
from typing import Any

from emberline.pipelines.cluster.control import answer
from emberline.pipelines.cluster.door import HANDSHAKE_SECONDS, challenged, keep_alive, read_line

BATCH, END, OVER, FAILED = b"B", b"E", b"O", b"F"
ROOM, RECEIVED, REFUSED = b"+", b".", b"!"

FRAME_LIMIT = 1 << 31
"""Bytes; a row that is larger than this was never meant for a step."""

_HEAD = struct.Struct("!cQ")


def connect(address: tuple[str, int], secret: str, who: str) -> socket.socket:
    """Returns a connection on which the peer takes us for `who`.

    Raises:
        OSError: if the peer is gone or does not speak to us.
    """
    connection = socket.create_connection(address, timeout=HANDSHAKE_SECONDS)
    try:
        challenge = read_line(connection, HANDSHAKE_SECONDS).decode().strip()
        hello = {"who": who, "answer": answer(secret, challenge, who)}
        connection.sendall(json.dumps(hello).encode() + b"\n")
        connection.settimeout(None)
        keep_alive(connection)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        connection.close()
        raise
    return connection


def admit(connection: socket.socket, secret: str) -> str | None:
    """Returns the name of the peer, if it knows the secret."""
    who = challenged(connection, "who", lambda challenge, who: answer(secret, challenge, who))
    return who if isinstance(who, str) else None


def send(connection: socket.socket, kind: bytes, payload: bytes | memoryview = b"") -> None:
    """Sends one frame."""
    view = memoryview(payload)
    connection.sendall(_HEAD.pack(kind, view.nbytes))
    connection.sendall(view)


def send_json(connection: socket.socket, kind: bytes, message: dict[str, Any]) -> None:
    """Sends one frame of JSON."""
    send(connection, kind, json.dumps(message).encode())


def receive(connection: socket.socket) -> tuple[bytes, bytearray]:
    """Returns the next frame.

    Raises:
        ConnectionError: if the peer is gone, or the frame is larger than `FRAME_LIMIT`.
    """
    kind, length = _HEAD.unpack(_exactly(connection, _HEAD.size))
    if length > FRAME_LIMIT:
        raise ConnectionError(f"A frame of {length:,} bytes was announced; at most {FRAME_LIMIT:,} are taken.")
    return kind, _exactly(connection, length)


def _exactly(connection: socket.socket, length: int) -> bytearray:
    buffer = bytearray(length)
    view, got = memoryview(buffer), 0
    while got < length:
        count = connection.recv_into(view[got:])
        if not count:
            raise ConnectionError("The peer closed the connection in mid-frame.")
        got += count
    return buffer
