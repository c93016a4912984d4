"""The process of a learner on an executor: `python -m emberline.pipelines.reinforcement.rank`."""

import os
import socket
from dataclasses import asdict

import numpy as np

from emberline.pipelines.cluster.rank_process import Report, announce_ready, announce_trained, run_rank
from emberline.pipelines.reinforcement.assignment import Assignment
from emberline.pipelines.reinforcement.train_policy import EVALUATION_SEED, Learner, train_until_solved


def learner_of(assignment: Assignment) -> Learner:
    """Returns the algorithm at its first weights."""
    from emberline.pipelines.reinforcement.actor_critic import ActorCritic
    from emberline.pipelines.reinforcement.dqn import DeepQ
    from emberline.pipelines.reinforcement.policy_gradient import PolicyGradient

    kinds = {"policy_gradient": PolicyGradient, "actor_critic": ActorCritic, "dqn": DeepQ}
    learner: Learner = kinds[assignment.algorithm](assignment.size, assignment.actions, seed=assignment.seed)
    return learner


def learn(assignment: Assignment, report: Report) -> None:
    """Learns from episodes that the driver has played, and ends when the driver says so.

    Args:
        assignment: What is to be learned.
        report: Sends an event to the driver.

    Raises:
        ConnectionError: if the driver is gone, or no episodes can be played.
    """
    import tensorflow as tf

    from emberline.pipelines.reinforcement.channel import RemoteRollouts
    from emberline.pipelines.training.strategy import address_of_this_process

    tf.config.threading.set_intra_op_parallelism_threads(assignment.threads)
    tf.config.threading.set_inter_op_parallelism_threads(assignment.threads)
    learner = learner_of(assignment)
    announce_ready(report)
    host = address_of_this_process()
    with socket.create_server((host, 0)) as listener:
        report({"event": "listening", "host": host, "port": listener.getsockname()[1], "process": os.getpid()})
        play = RemoteRollouts.accept(listener, assignment.secret)
    reached = train_until_solved(
        learner,
        play,
        target_return=assignment.target_return,
        rounds=assignment.rounds,
        per_round=assignment.per_round,
        evaluation_episodes=assignment.evaluation_episodes,
        seed=assignment.seed,
        on_round=lambda one: report({"event": "round"} | asdict(one)),
    )
    # The episodes that ended the learning were chosen by doing so: others say what was reached.
    others = play(
        learner.greedy_policy, assignment.evaluation_episodes, EVALUATION_SEED + 10 * assignment.evaluation_episodes
    )
    mean = float(np.mean([one.episode_return for one in others]))
    play.learned(learner.greedy_policy)
    report({"event": "learned"} | asdict(reached) | {"mean": mean})
    announce_trained(report)


if __name__ == "__main__":
    run_rank(lambda told, report: learn(Assignment.from_json(told), report))
