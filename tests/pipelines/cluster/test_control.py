"""The control channel: strangers are turned away, events arrive, stop is heard, loss is noticed."""

import contextlib
import json
import queue
import socket
import threading

import pytest

from emberline.pipelines.cluster.control import ControlClient, ControlServer


def nothing() -> None:
    """For words that a test does not wait for."""


@pytest.fixture
def server() -> object:
    server = ControlServer("127.0.0.1", ranks=2)
    yield server
    server.close()


def test_events_arrive_with_their_rank_and_stop_is_heard(server: ControlServer) -> None:
    stopped = threading.Event()
    client = ControlClient(server.address, server.secret, 1, on_stop=stopped.set, on_finish=nothing)
    client.send({"event": "progress", "step": 3})
    assert server.events.get(timeout=5) == (1, {"event": "progress", "step": 3})
    server.stop_workers()
    assert stopped.wait(5)


def test_finish_is_heard_and_is_not_the_end(server: ControlServer) -> None:
    finished, stopped = threading.Event(), threading.Event()
    client = ControlClient(server.address, server.secret, 0, on_stop=stopped.set, on_finish=finished.set)
    client.send({"event": "trained"})
    assert server.events.get(timeout=5) == (0, {"event": "trained"})
    server.finish_workers()
    assert finished.wait(5)
    assert not stopped.is_set()
    client.send({"event": "finished"})
    assert server.events.get(timeout=5) == (0, {"event": "finished"})


def test_a_lost_worker_is_noticed(server: ControlServer) -> None:
    client = ControlClient(server.address, server.secret, 0, on_stop=nothing, on_finish=nothing)
    client.close()
    assert server.events.get(timeout=5) == (0, {"event": "lost"})


def test_a_vanished_driver_stops_the_worker(server: ControlServer) -> None:
    stopped = threading.Event()
    ControlClient(server.address, server.secret, 0, on_stop=stopped.set, on_finish=nothing)
    server.close()
    assert stopped.wait(5)


@pytest.mark.parametrize(
    "hello",
    [
        b'{"rank": 0, "answer": "0000"}\n',
        b"not json\n",
        b'{"rank": 9, "answer": ""}\n',
        b"\x80\x04\x95pickle\n",
        b"[]\n",
    ],
)
def test_a_stranger_is_turned_away(server: ControlServer, hello: bytes) -> None:
    with socket.create_connection(server.address, timeout=5) as stranger:
        stranger.recv(64)
        stranger.sendall(hello)
        with contextlib.suppress(ConnectionError):  # hung up on, politely or not
            stranger.sendall(json.dumps({"event": "finished"}).encode() + b"\n")
            assert stranger.recv(64) == b""
    with pytest.raises(queue.Empty):
        server.events.get(timeout=0.2)


def test_another_secret_opens_nothing(server: ControlServer) -> None:
    refused = threading.Event()
    client = ControlClient(server.address, "another secret", 0, on_stop=refused.set, on_finish=nothing)
    client.send({"event": "finished"})
    assert refused.wait(5)
    assert server.events.empty()


def test_a_rank_connects_once(server: ControlServer) -> None:
    first = ControlClient(server.address, server.secret, 0, on_stop=nothing, on_finish=nothing)
    # The server lets several ranks in at the same time: wait until it has let in the first.
    first.send({"event": "here"})
    assert server.events.get(timeout=5) == (0, {"event": "here"})
    refused = threading.Event()
    ControlClient(server.address, server.secret, 0, on_stop=refused.set, on_finish=nothing)
    assert refused.wait(5)
    first.send({"event": "still here"})
    assert server.events.get(timeout=5) == (0, {"event": "still here"})
