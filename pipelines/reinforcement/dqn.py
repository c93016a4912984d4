"""Deep Q-learning: what an action is worth is its reward and what the best next one is worth.

Mnih et al., "Human-level Control through Deep Reinforcement Learning", 2015; the next action is chosen by the network
that learns and judged by the older one, as in van Hasselt et al., "Deep Reinforcement Learning with Double Q-learning",
2016.
"""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from emberline.models.control import dense
from emberline.pipelines.reinforcement.policies import Greedy, Scores
from emberline.pipelines.reinforcement.rollouts import Episode


class DeepQ:
    """See `Learner`.

    Args:
        size: Numbers of what is seen.
        actions: How many there are.
        learning_rate: Of Adam.
        discount: Of a reward one step later.
        batch: Steps that are learned from at a time.
        batches: How often, in a round.
        memory: Steps that are remembered.
        follow: Batches after which the older network becomes the younger one.
        share: Of the steps that try any action, in the first round; it falls to a fiftieth.
        fall: What the share is multiplied by after a round.
        seed: First weights, and what is remembered when, follow from it.
    """

    def __init__(
        self,
        size: int,
        actions: int,
        *,
        learning_rate: float = 5e-4,
        discount: float = 0.99,
        batch: int = 128,
        batches: int = 250,
        memory: int = 50_000,
        follow: int = 200,
        share: float = 1.0,
        fall: float = 0.85,
        seed: int = 1,
    ) -> None:
        keras.utils.set_random_seed(seed)
        self._young = dense.build(dense.Config(size, actions, (64, 64)))
        self._old = dense.build(dense.Config(size, actions, (64, 64)))
        self._discount = discount
        self._batch = batch
        self._batches = batches
        self._follow = follow
        self._share = share
        self._fall = fall
        self._memory = memory
        self._generator = np.random.default_rng(seed)
        self._optimizer = keras.optimizers.Adam(learning_rate)
        self._optimizer.build(self._young.trainable_variables)
        self._steps: tuple[np.ndarray, ...] = ()
        self._learn = tf.function(self._learned)
        self._done = 0

    @property
    def behaviour_policy(self) -> Greedy:
        """See `Learner`."""
        return Greedy(Scores.of(self._young.get_weights()), self._share)

    @property
    def greedy_policy(self) -> Greedy:
        """See `Learner`."""
        return Greedy(Scores.of(self._young.get_weights()))

    def learn(self, episodes: Sequence[Episode]) -> None:
        """Remembers the episodes, and learns from batches of all that is remembered."""
        ends = [np.arange(len(one.actions)) == (len(one.actions) - 1 if one.ended else -1) for one in episodes]
        new = (
            np.concatenate([one.observations[:-1] for one in episodes]),
            np.concatenate([one.actions for one in episodes]),
            np.concatenate([one.rewards for one in episodes]),
            np.concatenate([one.observations[1:] for one in episodes]),
            np.concatenate(ends),
        )
        both = zip(self._steps, new, strict=True) if self._steps else zip(new, strict=True)
        self._steps = tuple(np.concatenate(parts)[-self._memory :] for parts in both)
        for _ in range(self._batches):
            if self._done % self._follow == 0:
                self._old.set_weights(self._young.get_weights())
            rows = self._generator.integers(0, len(self._steps[1]), self._batch)
            self._learn(*(tf.constant(column[rows]) for column in self._steps))
            self._done += 1
        self._share = max(0.02, self._share * self._fall)

    def _learned(
        self, seen: tf.Tensor, actions: tf.Tensor, rewards: tf.Tensor, then: tf.Tensor, ended: tf.Tensor
    ) -> None:
        chosen = tf.argmax(self._young(then), axis=1)
        later = tf.gather(self._old(then), chosen, batch_dims=1)
        target = rewards + self._discount * tf.where(ended, 0.0, later)
        with tf.GradientTape() as tape:
            value = tf.gather(self._young(seen), actions, batch_dims=1)
            away = tf.abs(value - target)
            # Huber's loss: one surprise must not move everything.
            loss = tf.reduce_mean(tf.where(away < 1, 0.5 * away**2, away - 0.5))
        weights = [variable.value for variable in self._young.trainable_variables]
        self._optimizer.apply(tape.gradient(loss, weights))
