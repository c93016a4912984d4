"""Episodes played by executors in parallel: the one job that all algorithms share."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import SparkSession

from emberline.pipelines.reinforcement.policies import Policy

ANSWER = "observations array<float>, actions array<int>, rewards array<float>, ended boolean"


@dataclass(frozen=True)
class Episode:
    """What happened, step by step.

    Args:
        observations: What was seen before each step, and after the last: float32 `[steps + 1, size]`.
        actions: int32 `[steps]`.
        rewards: float32 `[steps]`.
        ended: Whether the task was over; False if the episode was only cut off for its length.
    """

    observations: NDArray[np.float32]
    actions: NDArray[np.int32]
    rewards: NDArray[np.float32]
    ended: bool

    @property
    def episode_return(self) -> float:
        """The sum of rewards, not discounted."""
        return float(self.rewards.sum())


def play(environment: str, policy: Policy, seed: int) -> Episode:
    """Returns one episode, in this process.

    Args:
        environment: Name of a Gymnasium environment with vectors to see and numbered actions.
        policy: What acts.
        seed: The beginning of the episode, and what the policy draws, follow from it.
    """
    import gymnasium

    world = gymnasium.make(environment)
    try:
        generator = np.random.default_rng(seed)
        seen, _ = world.reset(seed=seed)
        observations, actions, rewards = [seen], [], []
        ended = cut = False
        while not ended and not cut:
            action = policy(np.asarray(seen, np.float64), generator)
            seen, reward, ended, cut, _ = world.step(action)
            observations.append(seen)
            actions.append(action)
            rewards.append(reward)
    finally:
        world.close()
    return Episode(
        np.asarray(observations, np.float32), np.asarray(actions, np.int32), np.asarray(rewards, np.float32), ended
    )


@dataclass(frozen=True)
class Players:
    """Runs in executors: seeds in, episodes out.

    Args:
        environment: As of `play`.
        policy: As of `play`.
    """

    environment: str
    policy: Policy

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            played = [play(self.environment, self.policy, seed) for seed in batch.column(0).to_pylist()]
            if played:
                yield pa.RecordBatch.from_arrays(
                    [
                        pa.array([one.observations.ravel() for one in played], pa.list_(pa.float32())),
                        pa.array([one.actions for one in played], pa.list_(pa.int32())),
                        pa.array([one.rewards for one in played], pa.list_(pa.float32())),
                        pa.array([one.ended for one in played]),
                    ],
                    names=["observations", "actions", "rewards", "ended"],
                )


def rollouts(spark: SparkSession, environment: str, policy: Policy, count: int, seed: int, tasks: int) -> pa.Table:
    """Returns episodes as `episodes` takes them, played by executors, in the order of their seeds.

    Args:
        spark: The session.
        environment: As of `play`; executors need Gymnasium.
        policy: As of `play`.
        count: How many.
        seed: Of the first; each of the others has the next.
        tasks: That share them, at most.
    """
    seeds = spark.range(seed, seed + count, 1, min(count, tasks))
    return seeds.mapInArrow(Players(environment, policy), ANSWER).toArrow()


def episodes(table: pa.Table) -> list[Episode]:
    """Returns what happened, row by row of a table of `rollouts`."""
    found = []
    for row in range(table.num_rows):
        observations, actions, rewards, ended = (column[row] for column in table.columns)
        steps = len(actions.values)
        seen = observations.values.to_numpy().reshape(steps + 1, -1)
        found.append(Episode(seen, actions.values.to_numpy(), rewards.values.to_numpy(), ended.as_py()))
    return found
