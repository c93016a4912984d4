"""Advantage actor-critic: actions that turned out better than a second network expected become likelier.

Mnih et al., "Asynchronous Methods for Deep Reinforcement Learning", 2016, in step rather than asynchronously;
advantages as in Schulman et al., "High-Dimensional Continuous Control Using Generalized Advantage Estimation", 2016.
"""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from emberline.models.control import dense
from emberline.pipelines.reinforcement.policies import Greedy, Sampled, Scores
from emberline.pipelines.reinforcement.policy_gradient import cross_entropy_reward_loss
from emberline.pipelines.reinforcement.returns import discounted, standardised
from emberline.pipelines.reinforcement.rollouts import Episode


class ActorCritic:
    """See `Learner`.

    Args:
        size: Numbers of what is seen.
        actions: How many there are.
        learning_rate: Of Adam, for both networks.
        discount: Of a reward one step later.
        trace: Lambda: 0 trusts the critic's value of the next step, 1 only the episode's return.
        entropy: Weight of the policy's entropy, which keeps it exploring.
        passes: Steps that the critic learns in a round, for one of the actor: advantages are as good as its word.
        seed: First weights follow from it.
    """

    def __init__(
        self,
        size: int,
        actions: int,
        *,
        learning_rate: float = 0.01,
        discount: float = 0.99,
        trace: float = 0.95,
        entropy: float = 0.01,
        passes: int = 20,
        seed: int = 1,
    ) -> None:
        keras.utils.set_random_seed(seed)
        self._actor = dense.build(dense.Config(size, actions))
        self._critic = dense.build(dense.Config(size, 1))
        self._discount = discount
        self._trace = trace
        self._entropy = entropy
        self._passes = passes
        self._actor_optimizer = keras.optimizers.Adam(learning_rate)
        self._actor_optimizer.build(self._actor.trainable_variables)
        self._critic_optimizer = keras.optimizers.Adam(learning_rate)
        self._critic_optimizer.build(self._critic.trainable_variables)
        self._act = tf.function(self._acted, reduce_retracing=True)
        self._judge = tf.function(self._judged, reduce_retracing=True)
        self._worth = tf.function(self._critic, reduce_retracing=True)
        # What a state is worth may be hundreds, or hundredths: the critic says it in units of what it saw first.
        self._scale = 0.0

    @property
    def behaviour_policy(self) -> Sampled:
        """See `Learner`."""
        return Sampled(Scores.of(self._actor.get_weights()))

    @property
    def greedy_policy(self) -> Greedy:
        """See `Learner`."""
        return Greedy(Scores.of(self._actor.get_weights()))

    def learn(self, episodes: Sequence[Episode]) -> None:
        """Trains on all episodes together: several steps of the critic and one of the actor."""
        advantages, targets = [], []
        for one in episodes:
            expected = self._worth(tf.constant(one.observations)).numpy()[:, 0].astype(float) * self._scale
            if one.ended:
                expected[-1] = 0.0
            surprises = one.rewards + self._discount * expected[1:] - expected[:-1]
            advantages.append(discounted(surprises, self._discount * self._trace))
            targets.append(advantages[-1] + expected[:-1])
        worth = np.concatenate(targets)
        self._scale = self._scale or max(float(np.abs(worth).mean()), 1e-6)
        seen = tf.constant(np.concatenate([one.observations[:-1] for one in episodes]))
        actions = tf.constant(np.concatenate([one.actions for one in episodes]))
        better = tf.constant(standardised(np.concatenate(advantages)), tf.float32)
        self._act(seen, actions, better)
        for _ in range(self._passes):
            self._judge(seen, tf.constant(worth / self._scale, tf.float32))

    def _acted(self, seen: tf.Tensor, actions: tf.Tensor, better: tf.Tensor) -> None:
        weights = [variable.value for variable in self._actor.trainable_variables]
        with tf.GradientTape() as tape:
            logits = self._actor(seen)
            entropy = -tf.reduce_mean(tf.reduce_sum(tf.nn.softmax(logits) * tf.nn.log_softmax(logits), axis=1))
            steps = tf.cast(tf.shape(seen)[0], tf.float32)
            loss = cross_entropy_reward_loss(logits, actions, better) / steps - self._entropy * entropy
        self._actor_optimizer.apply(tape.gradient(loss, weights))

    def _judged(self, seen: tf.Tensor, worth: tf.Tensor) -> None:
        weights = [variable.value for variable in self._critic.trainable_variables]
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(self._critic(seen)[:, 0] - worth))
        self._critic_optimizer.apply(tape.gradient(loss, weights))
