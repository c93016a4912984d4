"""A rank's inbox and its feeders: strangers are turned away, nothing overflows, nothing arrives twice."""

import json
import socket
import threading
import time
from collections.abc import Iterator

import pyarrow as pa
import pytest

from emberline.pipelines.training.input import wire
from emberline.pipelines.training.input.feeder import RepeatedError, cut, hand_on, send_all
from emberline.pipelines.training.input.inbox import WINDOW, FeedError, FeedLostError, Inbox

SCHEMA = pa.schema([("id", pa.int64()), ("ids", pa.list_(pa.int64())), ("numbers", pa.list_(pa.float32(), 2))])
SECRET = "secret"


def rows(*ids: int) -> pa.RecordBatch:
    columns = {"id": list(ids), "ids": [[i] * (i % 3) for i in ids], "numbers": [[i, i + 0.5] for i in ids]}
    return pa.RecordBatch.from_pydict(columns, SCHEMA)


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    inbox = Inbox("127.0.0.1", SECRET, SCHEMA)
    inbox.open_epoch()
    yield inbox
    inbox.close()


def tell(inbox: Inbox, kind: bytes, message: dict) -> None:
    with wire.connect(inbox.address, SECRET, "driver") as connection:
        wire.send_json(connection, kind, message)


def test_batches_arrive_whole_and_are_taken_by_rows(inbox: Inbox) -> None:
    """Slices too: Arrow's slices share the buffers of the whole batch, the wire must not."""
    whole = rows(*range(10))
    send_all(iter([whole.slice(2, 3), whole.slice(5, 5)]), (inbox.address,), SECRET, "0/0")
    assert inbox.wait(8) == (8, False)
    assert inbox.take(4).to_pylist() == whole.slice(2, 4).to_pylist()
    assert inbox.take(4).to_pylist() == whole.slice(6, 4).to_pylist()


def test_a_feeder_waits_for_room_and_goes_on_when_batches_are_used_up(inbox: Inbox) -> None:
    sent: list[int] = []

    def pieces() -> Iterator[pa.RecordBatch]:
        for index in range(WINDOW + 3):
            sent.append(index)
            yield rows(index)

    feeder = threading.Thread(target=send_all, args=(pieces(), (inbox.address,), SECRET, "0/0"))
    feeder.start()
    inbox.wait(1)
    time.sleep(0.3)
    assert len(sent) == WINDOW + 1, "one more is in the feeder's hands, waiting for room"
    assert feeder.is_alive()
    taken = inbox.take(2).column("id").to_pylist()
    inbox.wait(WINDOW)
    while feeder.is_alive():
        inbox.wait(1)
        taken += inbox.take(1).column("id").to_pylist()
        feeder.join(0.05)
    left, _ = inbox.wait(0)
    taken += inbox.take(left).column("id").to_pylist()
    assert taken == list(range(WINDOW + 3))


def test_a_step_may_need_more_than_the_window_holds(inbox: Inbox) -> None:
    """Rows of a megabyte come one by one."""
    feeder = threading.Thread(
        target=send_all, args=(iter([rows(i) for i in range(5 * WINDOW)]), (inbox.address,), SECRET, "0/0")
    )
    feeder.start()
    inbox.wait(WINDOW)
    assert inbox.wait(3 * WINDOW)[0] >= 3 * WINDOW
    time.sleep(0.3)
    assert inbox.wait(0)[0] <= 4 * WINDOW, "and no more than the window beyond"
    assert inbox.take(3 * WINDOW).column("id").to_pylist() == list(range(3 * WINDOW))
    inbox.wait(2 * WINDOW)
    feeder.join(10)
    assert not feeder.is_alive()


def test_each_batch_goes_to_a_rank_with_room() -> None:
    """A rank that takes nothing keeps nobody from feeding the other."""
    idle, busy = (Inbox("127.0.0.1", SECRET, SCHEMA) for _ in range(2))
    feeder = threading.Thread(
        target=send_all, args=(iter([rows(i) for i in range(40)]), (idle.address, busy.address), SECRET, "0/0")
    )
    feeder.start()
    for _ in range(40 - WINDOW):
        busy.wait(1)
        busy.take(1)
    feeder.join(10)
    assert not feeder.is_alive()
    assert idle.wait(0) == (WINDOW, False)
    idle.close()
    busy.close()


@pytest.mark.parametrize(
    "hello",
    [b'{"who": "driver", "answer": "0000"}\n', b"not json\n", b"\x80\x04\x95pickle\n", b"[]\n", b'{"who": 1}\n'],
)
def test_a_stranger_is_turned_away(inbox: Inbox, hello: bytes) -> None:
    with socket.create_connection(inbox.address, timeout=5) as stranger:
        challenge = stranger.recv(64)
        assert len(challenge.strip()) == 32
        stranger.sendall(hello)
        try:
            assert stranger.recv(64) == b""
        except ConnectionError:
            pass  # hung up on, less politely
    assert inbox.wait(0) == (0, False)


def test_an_answer_for_another_name_opens_nothing(inbox: Inbox) -> None:
    from emberline.pipelines.cluster.control import answer
    from emberline.pipelines.cluster.door import read_line

    with socket.create_connection(inbox.address, timeout=5) as connection:
        challenge = read_line(connection).decode().strip()
        hello = {"who": "driver", "answer": answer(SECRET, challenge, "0/0")}
        connection.sendall(json.dumps(hello).encode() + b"\n")
        try:
            assert connection.recv(64) == b""
        except ConnectionError:
            pass


def test_a_partition_is_fed_once_per_epoch(inbox: Inbox) -> None:
    """Spark repeats failed tasks; the rows of the first attempt are in the ranks already."""
    send_all(iter([rows(1)]), (inbox.address,), SECRET, "0/7")
    with pytest.raises(RepeatedError, match="0/7 was fed before"):
        send_all(iter([rows(1)]), (inbox.address,), SECRET, "0/7")
    send_all(iter([rows(2)]), (inbox.address,), SECRET, "0/8")
    assert inbox.wait(2) == (2, False)
    inbox.open_epoch()
    assert inbox.wait(0) == (0, False), "rows of the epoch before are forgotten"
    send_all(iter([rows(1)]), (inbox.address,), SECRET, "0/7")
    assert inbox.wait(1) == (1, False)


def test_the_driver_ends_an_epoch_and_names_the_ranks(inbox: Inbox) -> None:
    tell(inbox, wire.OVER, {"ranks": [["a", 1], ["b", 2]]})
    assert inbox.wait(1) == (0, True)
    assert inbox.ranks == (("a", 1), ("b", 2))


@pytest.mark.parametrize(("transient", "kind"), [(True, FeedLostError), (False, FeedError)])
def test_a_failure_wakes_the_rank(inbox: Inbox, transient: bool, kind: type[Exception]) -> None:
    tell(inbox, wire.FAILED, {"reason": "column x is odd", "transient": transient})
    with pytest.raises(kind, match="column x is odd"):
        inbox.wait(1)


def test_a_feeder_that_raises_says_so_itself(inbox: Inbox) -> None:
    def pieces() -> Iterator[pa.RecordBatch]:
        yield rows(1)
        raise ValueError("no such colour: 'grün'")

    with pytest.raises(ValueError, match="grün"):
        send_all(pieces(), (inbox.address,), SECRET, "0/0")
    with pytest.raises(FeedError, match="ValueError while rows were fed: no such colour: 'grün'"):
        inbox.wait(2)


def test_a_lost_rank_is_a_reason_to_try_again(inbox: Inbox) -> None:
    inbox.close()
    with pytest.raises(FeedLostError, match="0/0 was to feed does not answer"):
        send_all(iter([rows(1)]), (inbox.address,), SECRET, "0/0")


def test_rows_are_handed_on_without_waiting_for_room(inbox: Inbox) -> None:
    hand_on(iter([rows(i) for i in range(3 * WINDOW)]), inbox.address, SECRET, "rank 1")
    assert inbox.wait(3 * WINDOW) == (3 * WINDOW, False)


def test_large_batches_are_cut_by_bytes_and_long_ones_by_rows() -> None:
    wide = pa.RecordBatch.from_pydict({"x": pa.array([b"." * 400_000] * 7)})
    assert [piece.num_rows for piece in cut(wide)] == [2, 2, 2, 1]
    long = pa.RecordBatch.from_pydict({"x": pa.array(range(10_000))})
    assert [piece.num_rows for piece in cut(long)] == [4096, 4096, 1808]
    assert pa.Table.from_batches(cut(long)).column("x").to_pylist() == list(range(10_000))
