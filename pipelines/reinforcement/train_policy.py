"""What the algorithms have in common, and the loop: play, learn, play again, until the task is solved."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from emberline.pipelines.reinforcement.policies import Greedy, Sampled
from emberline.pipelines.reinforcement.rollouts import Episode

Play = Callable[[Sampled | Greedy, int, int], Sequence[Episode]]
"""A policy, how many episodes, the seed of the first: episodes."""

EXAM_SEED = 1 << 30
"""Episodes that judge begin otherwise than all that were learned from."""


class Learner(Protocol):
    """One algorithm with the networks it trains."""

    @property
    def trying(self) -> Sampled | Greedy:
        """What plays to learn."""

    @property
    def best(self) -> Sampled | Greedy:
        """What plays to win."""

    def learn(self, episodes: Sequence[Episode]) -> None:
        """Makes the policy better by what happened."""


@dataclass(frozen=True)
class Round:
    """One round of playing and learning.

    Args:
        number: Counted from 1.
        episodes: Played to learn so far.
        steps: In them.
        total: Mean total of the round's episodes.
        won: Mean total of the episodes that judged, if it came to that.
    """

    number: int
    episodes: int
    steps: int
    total: float
    won: float | None


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
    on_round: Callable[[Round], None] = lambda round: None,
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
        on_round: Hears of each.
    """
    played = steps = number = 0
    mean = -np.inf
    for number in range(1, rounds + 1):
        episodes = play(learner.trying, per_round, seed * 1_000_000 + played)
        played += len(episodes)
        steps += sum(len(one.actions) for one in episodes)
        tried = float(np.mean([one.total for one in episodes]))
        learner.learn(episodes)
        # Who tries on purpose what is bad wins more often than that.
        judged = tried >= 0.8 * enough or number == rounds
        if judged:
            mean = float(np.mean([one.total for one in play(learner.best, exam, EXAM_SEED)]))
        on_round(Round(number, played, steps, tried, mean if judged else None))
        if mean >= enough:
            break
    return Mastery(mean, number, played, steps)
