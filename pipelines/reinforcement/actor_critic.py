"""Advantage actor-critic: actions that turned out better than a second network expected become likelier.

Mnih et al., "Asynchronous Methods for Deep Reinforcement Learning", 2016, in step rather than asynchronously;
advantages as in Schulman et al., "High-Dimensional Continuous Control Using Generalized Advantage Estimation", 2016.
"""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from models.control import dense
from pipelines.reinforcement.policies import Greedy, Sampled, Scores
from pipelines.reinforcement.policy_gradient import cross_entropy_reward_loss
from pipelines.reinforcement.returns import discounted, standardised
from pipelines.reinforcement.rollouts import Episode


class ActorCritic:
    """See `Learner`.

    Args:
        size: Numbers of what is seen.
        actions: How many there are.
        learning_rate: Of Adam.
        discount: Of a reward one step later.
        trace: Lambda: 0 trusts the critic's word about the next step, 1 only what was won in the end.
        entropy: Weight of the policy's entropy, which keeps it trying.
        seed: First weights follow from it.
    """

    def __init__(
        self, size: int, actions: int, *, learning_rate: float = 0.005, discount: float = 0.99, trace: float = 0.95,
        entropy: float = 0.01, seed: int = 1,
    ) -> None:  # fmt: skip
        keras.utils.set_random_seed(seed)
        self._actor, self._critic = (dense.build(dense.Config(size, outputs)) for outputs in (actions, 1))
        self._discount, self._trace, self._entropy = discount, trace, entropy
        self._variables = [*self._actor.trainable_variables, *self._critic.trainable_variables]
        self._optimizer = keras.optimizers.Adam(learning_rate)
        self._optimizer.build(self._variables)
        self._step = tf.function(self._learned, reduce_retracing=True)
        self._worth = tf.function(self._critic, reduce_retracing=True)

    @property
    def trying(self) -> Sampled:
        """See `Learner`."""
        return Sampled(Scores.of(self._actor.get_weights()))

    @property
    def best(self) -> Greedy:
        """See `Learner`."""
        return Greedy(Scores.of(self._actor.get_weights()))

    def learn(self, episodes: Sequence[Episode]) -> None:
        """One step on all episodes together."""
        advantages, targets = [], []
        for one in episodes:
            expected = self._worth(tf.constant(one.observations)).numpy()[:, 0].astype(float)
            if one.ended:
                expected[-1] = 0.0
            surprises = one.rewards + self._discount * expected[1:] - expected[:-1]
            advantages.append(discounted(surprises, self._discount * self._trace))
            targets.append(advantages[-1] + expected[:-1])
        seen = np.concatenate([one.observations[:-1] for one in episodes])
        actions = np.concatenate([one.actions for one in episodes])
        better = standardised(np.concatenate(advantages)).astype(np.float32)
        self._step(*map(tf.constant, (seen, actions, better, np.concatenate(targets).astype(np.float32))))

    def _learned(self, seen: tf.Tensor, actions: tf.Tensor, better: tf.Tensor, targets: tf.Tensor) -> None:
        steps = tf.cast(tf.shape(seen)[0], tf.float32)
        with tf.GradientTape() as tape:
            logits = self._actor(seen)
            entropy = -tf.reduce_mean(tf.reduce_sum(tf.nn.softmax(logits) * tf.nn.log_softmax(logits), axis=1))
            # In units of their own spread: what a state is worth may be hundreds, or hundredths.
            scale = tf.math.reduce_std(targets) + 1e-3
            wrong = tf.reduce_mean(tf.square((self._critic(seen)[:, 0] - targets) / scale))
            loss = cross_entropy_reward_loss(logits, actions, better) / steps - self._entropy * entropy + wrong
        self._optimizer.apply(tape.gradient(loss, [variable.value for variable in self._variables]))
