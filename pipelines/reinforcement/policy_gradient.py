"""REINFORCE: actions followed by a high return become likelier.

Williams, "Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning", 1992.
"""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from emberline.models.control import dense
from emberline.pipelines.reinforcement.policies import Greedy, Sampled, Scores
from emberline.pipelines.reinforcement.returns import discounted, standardised
from emberline.pipelines.reinforcement.rollouts import Episode


def cross_entropy_reward_loss(logits: tf.Tensor, actions: tf.Tensor, worth: tf.Tensor) -> tf.Tensor:
    """Returns the sum of -ln of the probability of each action that was taken, times what it was worth.

    Args:
        logits: `[steps, actions]`.
        actions: Those taken, `[steps]`.
        worth: `[steps]`.
    """
    surprise = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=actions, logits=logits)
    return tf.reduce_sum(surprise * tf.cast(worth, surprise.dtype))


class PolicyGradient:
    """See `Learner`.

    Args:
        size: Numbers of what is seen.
        actions: How many there are.
        learning_rate: Of Adam.
        discount: Of a reward one step later.
        seed: First weights follow from it.
    """

    def __init__(
        self, size: int, actions: int, *, learning_rate: float = 0.01, discount: float = 0.99, seed: int = 1
    ) -> None:
        keras.utils.set_random_seed(seed)
        self._policy = dense.build(dense.Config(size, actions))
        self._discount = discount
        self._optimizer = keras.optimizers.Adam(learning_rate)
        self._optimizer.build(self._policy.trainable_variables)
        self._step = tf.function(self._learned, reduce_retracing=True)

    @property
    def behaviour_policy(self) -> Sampled:
        """See `Learner`."""
        return Sampled(Scores.of(self._policy.get_weights()))

    @property
    def greedy_policy(self) -> Greedy:
        """See `Learner`."""
        return Greedy(Scores.of(self._policy.get_weights()))

    def learn(self, episodes: Sequence[Episode]) -> None:
        """Trains one step on all episodes together."""
        seen = np.concatenate([one.observations[:-1] for one in episodes])
        actions = np.concatenate([one.actions for one in episodes])
        worth = standardised(np.concatenate([discounted(one.rewards, self._discount) for one in episodes]))
        self._step(*map(tf.constant, (seen, actions, worth.astype(np.float32))))

    def _learned(self, seen: tf.Tensor, actions: tf.Tensor, worth: tf.Tensor) -> None:
        weights = [variable.value for variable in self._policy.trainable_variables]
        with tf.GradientTape() as tape:
            loss = cross_entropy_reward_loss(self._policy(seen), actions, worth) / tf.cast(
                tf.shape(seen)[0], tf.float32
            )
        self._optimizer.apply(tape.gradient(loss, weights))
