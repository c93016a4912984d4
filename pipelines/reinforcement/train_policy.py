"""What the algorithms have in common, and the loop: play, learn, play again, until the task is solved."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from emberline.pipelines.reinforcement.policies import Greedy, Sampled
from emberline.pipelines.reinforcement.rollouts import Episode

Play = Callable[[Sampled | Greedy, int, int], Sequence[Episode]]
"""A policy, how many episodes, the seed of the first: episodes."""

EVALUATION_SEED = 1 << 30
"""Episodes of an evaluation begin otherwise than all that were learned from."""


class Learner(Protocol):
    """One algorithm with the networks it trains."""

    @property
    def behaviour_policy(self) -> Sampled | Greedy:
        """What plays the episodes that are learned from: it explores."""

    @property
    def greedy_policy(self) -> Sampled | Greedy:
        """What takes the best action it knows."""

    def learn(self, episodes: Sequence[Episode]) -> None:
        """Makes the policy better by what happened."""


@dataclass(frozen=True)
class Round:
    """One round of playing and learning.

    Args:
        number: Counted from 1.
        episodes: Played to learn so far.
        steps: In them.
        episode_return: Mean return of the round's episodes.
        evaluation_return: Mean return of the evaluation's episodes, if there was an evaluation.
    """

    number: int
    episodes: int
    steps: int
    episode_return: float
    evaluation_return: float | None


@dataclass(frozen=True)
class TrainedPolicy:
    """What training a policy came to.

    Args:
        mean: Return of the evaluation's episodes.
        rounds: Of playing and learning.
        episodes: Played to learn.
        steps: In them.
    """

    mean: float
    rounds: int
    episodes: int
    steps: int


def train_until_solved(
    learner: Learner,
    play: Play,
    *,
    target_return: float,
    rounds: int,
    per_round: int,
    evaluation_episodes: int = 100,
    seed: int = 1,
    on_round: Callable[[Round], None] = lambda round: None,
) -> TrainedPolicy:
    """Plays and learns until an evaluation's mean return is `target_return`, or the rounds are over.

    Args:
        learner: Made better in place.
        play: See `Play`.
        target_return: Mean return at which the task is solved.
        rounds: At most so many.
        per_round: Episodes of a round.
        evaluation_episodes: Episodes of an evaluation, which follows a round that came near, and the last.
        seed: Beginnings of episodes follow from it.
        on_round: Hears of each.
    """
    played = steps = number = 0
    mean = -np.inf
    for number in range(1, rounds + 1):
        episodes = play(learner.behaviour_policy, per_round, seed * 1_000_000 + played)
        played += len(episodes)
        steps += sum(len(one.actions) for one in episodes)
        episode_return = float(np.mean([one.episode_return for one in episodes]))
        learner.learn(episodes)
        # A policy that explores does worse than its greedy one: near the target is near enough to evaluate.
        evaluated = episode_return >= 0.8 * target_return or number == rounds
        if evaluated:
            greedy = play(learner.greedy_policy, evaluation_episodes, EVALUATION_SEED)
            mean = float(np.mean([one.episode_return for one in greedy]))
        on_round(Round(number, played, steps, episode_return, mean if evaluated else None))
        if mean >= target_return:
            break
    return TrainedPolicy(mean, number, played, steps)
