"""What the algorithms have in common, and the loop: play, learn, play again, until the task is solved."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pipelines.reinforcement.policies import Policy
from pipelines.reinforcement.rollouts import Episode

Play = Callable[[Policy, int, int], Sequence[Episode]]
"""A policy, how many episodes, the seed of the first: episodes. `rollouts` with session and environment filled in."""

EXAM_SEED = 1 << 30
"""Episodes that judge begin otherwise than all that were learned from."""


class Learner(Protocol):
    """One algorithm with the networks it trains."""

    @property
    def trying(self) -> Policy:
        """What plays to learn."""

    @property
    def best(self) -> Policy:
        """What plays to win."""

    def learn(self, episodes: Sequence[Episode]) -> None:
        """Makes the policy better by what happened."""


@dataclass(frozen=True)
class Mastery:
    """How far a learner came.

    Args:
        mean: Of the totals of the episodes that judged, played to win.
        rounds: Of playing and learning.
        episodes: Played to learn.
        steps: In them.
    """

    mean: float
    rounds: int
    episodes: int
    steps: int


def master(
    learner: Learner, play: Play, *, enough: float, rounds: int, per_round: int, exam: int = 100, seed: int = 1,
    say: Callable[[str], None] = lambda line: None,
) -> Mastery:  # fmt: skip
    """Plays and learns until the mean total of `exam` episodes is `enough`, or the rounds are over.

    Args:
        learner: Made better in place.
        play: See `Play`.
        enough: Mean total at which the task is solved.
        rounds: At most so many.
        per_round: Episodes of a round.
        exam: Episodes that judge; played when a round of learning came near, and at the end.
        seed: Beginnings of episodes follow from it.
        say: Shows a line to people.
    """
    played = steps = number = 0
    mean = -np.inf
    for number in range(1, rounds + 1):
        episodes = play(learner.trying, per_round, seed * 1_000_000 + played)
        played += len(episodes)
        steps += sum(len(one.actions) for one in episodes)
        tried = float(np.mean([one.total for one in episodes]))
        learner.learn(episodes)
        judged = ""
        # Who tries on purpose what is bad wins more often than that.
        if tried >= 0.8 * enough or number == rounds:
            mean = float(np.mean([one.total for one in play(learner.best, exam, EXAM_SEED)]))
            judged = f", played to win {mean:.1f}"
        say(f"round {number}: {steps:,} steps, mean total {tried:.1f}{judged}")
        if mean >= enough:
            break
    return Mastery(mean, number, played, steps)
