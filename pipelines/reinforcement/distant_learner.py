"""A learner in a training process on an executor: `pipelines.training.rank` with a lesson instead of an assignment."""

import os
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np

from pipelines.reinforcement.learner import EXAM_SEED, Learner, master
from pipelines.reinforcement.lesson import Lesson
from pipelines.training.worker import start_stdin_watch


def learner_of(lesson: Lesson) -> Learner:
    """The algorithm at its first weights."""
    from pipelines.reinforcement.actor_critic import ActorCritic
    from pipelines.reinforcement.dqn import DeepQ
    from pipelines.reinforcement.policy_gradient import PolicyGradient

    kinds = {"policy_gradient": PolicyGradient, "actor_critic": ActorCritic, "dqn": DeepQ}
    learner: Learner = kinds[lesson.algorithm](lesson.size, lesson.actions, seed=lesson.seed)
    return learner


def learn(lesson: Lesson, report: Callable[[dict[str, Any]], None]) -> None:
    """Learns from episodes that the driver has played, and ends when the driver says so.

    Args:
        lesson: What is to be learned.
        report: Sends an event to the driver.

    Raises:
        ConnectionError: if the driver is gone, or no episodes can be played.
    """
    import tensorflow as tf

    from pipelines.reinforcement.channel import Distant
    from pipelines.training.strategy import address_of_this_process

    tf.config.threading.set_intra_op_parallelism_threads(lesson.threads)
    tf.config.threading.set_inter_op_parallelism_threads(lesson.threads)
    learner = learner_of(lesson)
    report({"event": "ready"})
    if sys.stdin.readline() != "go\n":
        raise ConnectionError("The worker that started this process is gone.")
    start_stdin_watch()
    host = address_of_this_process()
    with socket.create_server((host, 0)) as listener:
        report({"event": "listening", "host": host, "port": listener.getsockname()[1], "process": os.getpid()})
        play = Distant.accept(listener, lesson.secret)
    reached = master(
        learner, play, enough=lesson.enough, rounds=lesson.rounds, per_round=lesson.per_round, exam=lesson.exam,
        seed=lesson.seed, on_round=lambda one: report({"event": "round"} | asdict(one)),
    )  # fmt: skip
    # The episodes that ended the learning were chosen by doing so: others say what was reached.
    others = play(learner.best, lesson.exam, EXAM_SEED + 10 * lesson.exam)
    mean = float(np.mean([one.total for one in others]))
    play.learned(learner.best)
    report({"event": "learned"} | asdict(reached) | {"mean": mean})
    report({"event": "trained"})
    threading.Event().wait()  # the driver has the worker close our stdin
