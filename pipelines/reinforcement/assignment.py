"""The instructions for a learner on an executor, as plain JSON: nothing received is unpickled."""

import json
from dataclasses import asdict, dataclass
from typing import ClassVar, Literal, get_args

Algorithm = Literal["policy_gradient", "actor_critic", "dqn"]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)

PER_ROUND: dict[Algorithm, int] = {"policy_gradient": 16, "actor_critic": 16, "dqn": 8}
"""Episodes of a round, unless one says otherwise."""


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """One environment to learn; see `emberline.pipelines.reinforcement.train_policy.train_until_solved`.

    Args:
        algorithm: Of the learner.
        size: Numbers of what is seen.
        actions: How many there are.
        target_return: Mean return at which the task is solved.
        rounds: At most so many.
        per_round: Episodes of a round.
        evaluation_episodes: Episodes that evaluate the policy.
        seed: First weights and the beginnings of episodes follow from it.
        threads: CPU threads TensorFlow may use.
        secret: What opens the learner's port to the driver.
    """

    module: ClassVar[str] = "emberline.pipelines.reinforcement.rank"

    algorithm: Algorithm
    size: int
    actions: int
    target_return: float
    rounds: int
    per_round: int
    evaluation_episodes: int
    seed: int
    threads: int
    secret: str

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Assignment":
        return cls(**json.loads(text))
