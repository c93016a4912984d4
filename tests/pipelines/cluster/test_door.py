"""Strangers at a port: silent, slow, many, or talking nonsense; whoever knows the secret is let in all the same."""

import contextlib
import json
import queue
import resource
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from emberline.pipelines.cluster import door
from emberline.pipelines.cluster.control import ControlClient, ControlServer, answer
from emberline.pipelines.cluster.door import HANDSHAKES, Door, challenged, read_line, reserved_port

SECRET = "s"
WAIT = 30


def greet(address: tuple[str, int], who: object = "friend", secret: str = SECRET) -> socket.socket:
    connection = socket.create_connection(address, timeout=WAIT)
    challenge = read_line(connection, WAIT).decode().strip()
    connection.sendall(json.dumps({"who": who, "answer": answer(secret, challenge, who)}).encode() + b"\n")
    return connection


@pytest.fixture
def known() -> "queue.Queue[str]":
    return queue.Queue()


@pytest.fixture
def address(known: "queue.Queue[str]") -> Iterator[tuple[str, int]]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=300)
    where = listener.getsockname()
    opened = Door(
        listener,
        lambda peer: challenged(peer, "who", lambda challenge, who: answer(SECRET, challenge, who)),
        lambda peer, who: known.put(who),
        name="test-door",
    )
    yield where
    opened.close()


@pytest.mark.parametrize(
    "said",
    [b"[" * 1000, b'{"who":"\\ud800","answer":"x"}',
     '{"who": "é", "answer": "é"}'.encode(), b"1e999", b"\xff\xfe", b"null",
     b'{"who": [1], "answer": "x"}', b'{"who": Infinity, "answer": "x"}', b"x" * 5000, b'{"who":"a","answer":{}}'],
)  # fmt: skip
def test_nonsense_is_turned_away(
    said: bytes, address: tuple[str, int], known: "queue.Queue[str]", monkeypatch: pytest.MonkeyPatch
) -> None:
    raised: list[object] = []
    monkeypatch.setattr(threading, "excepthook", raised.append)
    with socket.create_connection(address, timeout=WAIT) as stranger:
        read_line(stranger, WAIT)
        stranger.sendall(said + b"\n")
        with contextlib.suppress(ConnectionError):
            assert stranger.recv(1) == b""
    with greet(address):
        assert known.get(timeout=WAIT) == "friend"
    with greet(address, secret="another") as stranger:
        assert stranger.recv(1) == b""
    assert not raised


def test_silence_and_slowness_have_one_deadline(
    address: tuple[str, int], known: "queue.Queue[str]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "HANDSHAKE_SECONDS", 1.0)
    began = time.monotonic()
    with socket.create_connection(address, timeout=WAIT) as stranger:
        read_line(stranger, WAIT)
        with contextlib.suppress(OSError):
            for _ in range(100):  # a byte at a time, each well before any timeout of its own
                stranger.sendall(b" ")
                time.sleep(0.1)
        assert time.monotonic() - began < 8
    with greet(address):
        assert known.get(timeout=WAIT) == "friend"


def test_many_silent_strangers_do_not_keep_a_friend_out(address: tuple[str, int], known: "queue.Queue[str]") -> None:
    with contextlib.ExitStack() as crowd:
        for _ in range(5 * HANDSHAKES):
            crowd.enter_context(socket.create_connection(address, timeout=WAIT))
        with greet(address):
            assert known.get(timeout=WAIT) == "friend"
        others = [thread for thread in threading.enumerate() if "_let_in" in thread.name]
        assert len(others) <= HANDSHAKES + 2


def test_too_many_open_files_pass(address: tuple[str, int], known: "queue.Queue[str]") -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    friend = socket.socket()
    with contextlib.ExitStack() as files:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (400, before[1]))
            with contextlib.suppress(OSError):
                for _ in range(400):
                    files.enter_context(open("/dev/null"))
            friend.settimeout(WAIT)
            friend.connect(address)  # waits in the backlog: there is no handle for it
            time.sleep(3 * door.PAUSE_SECONDS)
        finally:
            files.close()
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        challenge = read_line(friend, WAIT).decode().strip()
        friend.sendall(json.dumps({"who": "late", "answer": answer(SECRET, challenge, "late")}).encode() + b"\n")
        assert known.get(timeout=WAIT) == "late"
    friend.close()


def test_the_driver_lets_ranks_in_behind_strangers() -> None:
    server = ControlServer("127.0.0.1", ranks=1)
    try:
        with contextlib.ExitStack() as crowd:
            for _ in range(3 * HANDSHAKES):
                crowd.enter_context(socket.create_connection(server.address, timeout=WAIT))
            client = ControlClient(server.address, server.secret, 0, on_stop=print, on_finish=print)
            client.send({"event": "start"})
            assert server.events.get(timeout=WAIT) == (0, {"event": "start"})
            client.close()
    finally:
        server.close()


def test_a_reserved_port_is_nobody_elses_and_nobody_listens() -> None:
    with reserved_port() as port:
        number = port.getsockname()[1]
        with pytest.raises(OSError, match="in use"), socket.socket() as other:
            other.bind(("127.0.0.1", number))
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", number), timeout=WAIT)
    with socket.create_server(("127.0.0.1", number)):
        pass
