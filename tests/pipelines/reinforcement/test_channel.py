"""Policies and episodes on their way between a learner and those who play for it."""

import io
import socket
import threading
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest

from emberline.pipelines.reinforcement import policies
from emberline.pipelines.reinforcement.channel import RemoteRollouts, serve
from emberline.pipelines.reinforcement.policies import Greedy, Sampled, Scores
from emberline.pipelines.reinforcement.rollouts import Players, play
from emberline.pipelines.training.input import wire

CART, SECRET = "CartPole-v1", "a secret"
DRAW = np.random.default_rng(1)
SCORES = Scores(tuple((DRAW.normal(size=shape), DRAW.normal(size=shape[1])) for shape in ((4, 8), (8, 2))))


def played(policy: Sampled | Greedy, count: int, seed: int) -> pa.Table:
    seeds = pa.RecordBatch.from_pydict({"id": list(range(seed, seed + count))})
    return pa.Table.from_batches(list(Players(CART, policy)(iter([seeds]))))


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.mark.parametrize("policy", [Sampled(SCORES), Greedy(SCORES), Greedy(SCORES, 0.25)], ids=repr)
def test_a_policy_is_the_same_on_the_other_side(policy: Sampled | Greedy) -> None:
    there = policies.from_bytes(policies.to_bytes(policy))
    assert type(there) is type(policy)
    assert getattr(there, "share", None) == getattr(policy, "share", None)
    for seed in range(20):
        seen = np.random.default_rng(seed).normal(size=4)
        assert there(seen, np.random.default_rng(seed)) == policy(seen, np.random.default_rng(seed))


def test_a_file_with_objects_in_it_is_refused() -> None:
    file = io.BytesIO()
    np.savez(file, share=np.array(0.0), kernel_0=np.array([print], object), bias_0=np.zeros(1))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="allow_pickle=False"):
        policies.from_bytes(file.getvalue())


def test_episodes_come_back_and_the_last_policy_is_handed_over(listener: socket.socket) -> None:
    found = []
    driver = threading.Thread(target=lambda: found.append(serve(listener.getsockname(), SECRET, played)))
    driver.start()
    remote = RemoteRollouts.accept(listener, SECRET)
    for seed in (7, 20):
        for number, one in enumerate(remote(Sampled(SCORES), 3, seed)):
            here = play(CART, Sampled(SCORES), seed + number)
            for name in ("observations", "actions", "rewards", "ended"):
                np.testing.assert_array_equal(getattr(one, name), getattr(here, name))
    remote.learned(Greedy(SCORES))
    driver.join(10)
    assert policies.from_bytes(found[0]).scores.layers[1][1].tolist() == SCORES.layers[1][1].tolist()


def test_a_stranger_is_turned_away_and_a_failure_is_told(listener: socket.socket) -> None:
    def attempts() -> None:
        connection = wire.connect(listener.getsockname(), "another secret", "driver")
        with pytest.raises(ConnectionError, match=r"closed|reset"):
            wire.receive(connection)
        with pytest.raises(ValueError, match="no such game"):
            serve(listener.getsockname(), SECRET, failing)

    def failing(policy: Sampled | Greedy, count: int, seed: int) -> pa.Table:
        raise ValueError("no such game")

    faults: list[BaseException] = []

    def run() -> None:
        try:
            attempts()
        except BaseException as error:
            faults.append(error)

    driver = threading.Thread(target=run)
    driver.start()
    remote = RemoteRollouts.accept(listener, SECRET)
    with pytest.raises(ConnectionError, match="No episodes can be played: no such game"):
        remote(Greedy(SCORES), 1, 1)
    driver.join(10)
    assert not faults
