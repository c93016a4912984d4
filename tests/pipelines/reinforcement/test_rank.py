"""A learner in a process of its own, as an executor starts it; the episodes are played here."""

import os
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from emberline.pipelines.cluster.gang import ClusterError, train_on_cluster
from emberline.pipelines.cluster.roles import Gang
from emberline.pipelines.recipe import Training
from emberline.pipelines.reinforcement import policies
from emberline.pipelines.reinforcement.assignment import Assignment
from emberline.pipelines.reinforcement.channel import serve
from emberline.pipelines.reinforcement.policies import Greedy, Sampled
from emberline.pipelines.reinforcement.rollouts import Players, play

CART = "CartPole-v1"
BESIDE = Gang.of(Training((), epochs=1, global_batch=1, mode="local", max_restarts=0))
ASSIGNMENT = Assignment(
    algorithm="policy_gradient",
    size=4,
    actions=2,
    target_return=475.0,
    rounds=4,
    per_round=8,
    evaluation_episodes=10,
    seed=1,
    threads=1,
    secret="a secret",
)


def played(policy: Sampled | Greedy, count: int, seed: int) -> pa.Table:
    if count == 13:
        raise ValueError("bad luck")
    seeds = pa.RecordBatch.from_pydict({"id": list(range(seed, seed + count))})
    return pa.Table.from_batches(list(Players(CART, policy)(iter([seeds]))))


def learned(assignment: Assignment) -> tuple[list[dict[str, Any]], list[bytes]]:
    """The learner's events, and what it handed over."""
    events: list[dict[str, Any]] = []
    found: list[bytes] = []

    def hand_over(address: tuple[str, int]) -> None:
        try:
            found.append(serve(address, assignment.secret, played))
        except ValueError:
            return

    def hear(rank: int, event: dict[str, Any]) -> None:
        events.append(event)
        if event["event"] == "listening":
            threading.Thread(target=hand_over, args=((event["host"], event["port"]),)).start()

    train_on_cluster(None, assignment, gang=BESIDE, on_event=hear)  # type: ignore[arg-type]  # beside the driver: no Spark
    return events, found


def test_it_learns_and_says_what_it_reached() -> None:
    events, (policy,) = learned(ASSIGNMENT)
    (listening,) = (event for event in events if event["event"] == "listening")
    assert listening["process"] != os.getpid()
    rounds = [event for event in events if event["event"] == "round"]
    assert [event["number"] for event in rounds] == [1, 2, 3, 4]
    assert [event["episodes"] for event in rounds] == [8, 16, 24, 32]
    assert [event["evaluation_return"] is None for event in rounds] == [True, True, True, False]
    (end,) = (event for event in events if event["event"] == "learned")
    assert (end["rounds"], end["episodes"], end["steps"]) == (4, 32, rounds[-1]["steps"])
    others = [play(CART, policies.from_bytes(policy), (1 << 30) + 100 + seed).episode_return for seed in range(10)]
    assert np.mean(others) == pytest.approx(end["mean"])


def test_a_failure_to_play_ends_it() -> None:
    with pytest.raises(ClusterError, match="No episodes can be played: bad luck"):
        learned(replace(ASSIGNMENT, per_round=13))
