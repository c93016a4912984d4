"""Returns, losses and policies by hand, episodes through Spark, and algorithms that get better."""

from collections.abc import Sequence

import gymnasium
import numpy as np
import pytest
import tensorflow as tf
from pyspark.sql import SparkSession

from emberline.models.control import dense, pong
from emberline.pipelines.reinforcement.actor_critic import ActorCritic
from emberline.pipelines.reinforcement.dqn import DeepQ
from emberline.pipelines.reinforcement.policies import Greedy, Policy, Sampled, Scores
from emberline.pipelines.reinforcement.policy_gradient import PolicyGradient, cross_entropy_reward_loss
from emberline.pipelines.reinforcement.returns import discounted, standardised
from emberline.pipelines.reinforcement.rollouts import Episode, episodes, play, rollouts
from emberline.pipelines.reinforcement.train_policy import Round, train_until_solved

CART = "CartPole-v1"
LEARNERS = {"policy gradient": PolicyGradient, "actor-critic": ActorCritic, "deep q": DeepQ}


def test_rewards_are_discounted() -> None:
    np.testing.assert_allclose(discounted(np.array([1.0, 0.0, 2.0]), 0.5), [1.5, 1.0, 2.0])
    np.testing.assert_allclose(discounted(np.array([1.0, 1.0]), 0.9, after=10.0), [1 + 0.9 * 10, 10.0])
    # Karpathy's rule for Pong: a point ends a game.
    np.testing.assert_allclose(discounted(np.array([0.0, 1, 0, 0, -1]), 0.9, points=True), [0.9, 1, -0.81, -0.9, -1])
    values = standardised(np.array([1.0, 2.0, 6.0]))
    assert (values.mean(), values.std()) == pytest.approx((0, 1))


def test_the_loss_is_surprise_times_worth() -> None:
    logits = tf.constant(np.random.default_rng(1).normal(size=(4, 3)), tf.float32)
    actions, worth = np.array([0, 2, 1, 1]), np.array([1.0, -2.0, 0.5, 0.0])
    chances = tf.nn.softmax(logits).numpy()
    expected = -np.sum(np.log(chances[np.arange(4), actions]) * worth)
    assert cross_entropy_reward_loss(logits, tf.constant(actions), tf.constant(worth)).numpy() == pytest.approx(
        expected, rel=1e-5
    )


def test_pong_gets_likelier_to_do_what_won() -> None:
    model, draw = pong.build(), np.random.default_rng(2)
    seen = tf.constant(draw.integers(-1, 2, (30, 6400)), tf.float32)
    actions = tf.constant(draw.integers(0, 3, 30))
    worth = tf.constant(standardised(discounted(np.eye(1, 30, 29)[0] * 1.0, 0.99, points=True)), tf.float32)
    with tf.GradientTape() as tape:
        before = cross_entropy_reward_loss(model(seen), actions, worth)
    variables = [variable.value for variable in model.trainable_variables]
    for variable, gradient in zip(variables, tape.gradient(before, variables), strict=True):
        variable.assign_sub(1e-4 * gradient)
    assert cross_entropy_reward_loss(model(seen), actions, worth) < before


def test_policies_act_as_the_network_says() -> None:
    model = dense.build(dense.Config(4, 3, (8,)))
    scores = Scores.of(model.get_weights())
    seen = np.random.default_rng(1).normal(size=4)
    np.testing.assert_allclose(scores(seen), model(seen[np.newaxis].astype(np.float32)).numpy()[0], atol=1e-5)
    draws = np.random.default_rng(2)
    assert Greedy(scores)(seen, draws) == int(np.argmax(scores(seen)))
    counts = np.bincount([Sampled(scores)(seen, draws) for _ in range(4000)], minlength=3) / 4000
    np.testing.assert_allclose(counts, tf.nn.softmax(scores(seen)).numpy(), atol=0.03)
    tried = np.bincount([Greedy(scores, 0.6)(seen, draws) for _ in range(3000)], minlength=3) / 3000
    assert tried[np.argmax(scores(seen))] == pytest.approx(0.4 + 0.2, abs=0.04)


def test_episodes_of_executors_are_those_played_here(spark: SparkSession) -> None:
    policy = Sampled(Scores.of(dense.build(dense.Config(4, 2)).get_weights()))
    found = episodes(rollouts(spark, CART, policy, count=5, seed=70, tasks=2))
    for seed, one in enumerate(found, start=70):
        here = play(CART, policy, seed)
        for name in ("observations", "actions", "rewards", "ended"):
            np.testing.assert_array_equal(getattr(one, name), getattr(here, name))
    world = gymnasium.make(CART)
    seen, _ = world.reset(seed=72)
    np.testing.assert_array_equal(found[2].observations[0], seen)
    for action, then in zip(found[2].actions, found[2].observations[1:], strict=True):
        np.testing.assert_allclose(world.step(int(action))[0], then, atol=1e-6)


def bandit(policy: Policy, count: int, seed: int) -> Sequence[Episode]:
    """Episodes of three steps, in which the right action is told by the sign of what is seen."""
    episodes = []
    for number in range(count):
        draw = np.random.default_rng(seed + number)
        seen = draw.normal(size=(4, 2))
        actions = np.array([policy(one, draw) for one in seen[:-1]], np.int32)
        rewards = (actions == (seen[:-1, 0] > 0)).astype(np.float32)
        episodes.append(Episode(seen.astype(np.float32), actions, rewards, True))
    return episodes


@pytest.mark.parametrize("name", LEARNERS)
def test_what_is_told_is_learned(name: str) -> None:
    learner = DeepQ(2, 2, batches=60, discount=0.5) if name == "deep q" else LEARNERS[name](2, 2)
    rounds: list[Round] = []
    result = train_until_solved(
        learner, bandit, target_return=2.8, rounds=40, per_round=30, evaluation_episodes=50, on_round=rounds.append
    )
    assert result.mean >= 2.8
    assert (result.episodes, result.steps) == (30 * result.rounds, 90 * result.rounds)
    assert [one.number for one in rounds] == list(range(1, result.rounds + 1))
    assert (rounds[-1].steps, rounds[-1].evaluation_return) == (result.steps, result.mean)
