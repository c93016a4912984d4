"""The training process of one rank: `python -m pipelines.training.rank`, started by `worker`.

Reads its assignment from stdin, announces "ready" when everything slow is imported, and waits for "go": only
then is its port free to bind.
"""

import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from features.errors import BadInputError
from pipelines.recipe import Training
from pipelines.training.assignment import Assignment
from pipelines.training.interval import Interval
from pipelines.training.usage import Usage
from pipelines.training.worker import EVENTS_FD, start_stdin_watch

HEARTBEAT_SECONDS = 5


def main() -> None:
    """Trains, and on rank 0 exports, or learns by trying; exits without TensorFlow's teardown, which can wait for dead
    peers.
    """
    events = os.fdopen(int(os.environ.pop(EVENTS_FD)), "w", buffering=1)

    writing = threading.Lock()

    def report(event: dict[str, Any]) -> None:
        with writing:
            events.write(json.dumps(event) + "\n")

    _start_heartbeat(report)
    code = 0
    try:
        given = sys.stdin.readline()
        if "lesson" in (told := json.loads(given)):
            from pipelines.reinforcement.distant_learner import learn
            from pipelines.reinforcement.lesson import Lesson

            learn(Lesson(**told["lesson"]), report)
        else:
            _train(Assignment.from_json(given), report)
    except Exception as error:
        said = {"traceback": traceback.format_exc(), "transient": _may_pass(error)}
        report({"event": "error"} | said | ({"bad_input": str(error)} if isinstance(error, BadInputError) else {}))
        traceback.print_exc()
        code = 1
    events.close()
    sys.stderr.flush()
    os._exit(code)


def _start_heartbeat(report: Callable[[dict[str, Any]], None]) -> None:
    """Signs of life, also while a collective blocks the main thread; a stopped process sends none."""

    usage = Usage()

    def beat() -> None:
        while True:
            time.sleep(HEARTBEAT_SECONDS)
            try:
                report({"event": "alive", "usage": usage()})
            except (OSError, ValueError):
                return  # nobody listens any more

    threading.Thread(target=beat, name="emberline-heartbeat", daemon=True).start()


def _may_pass(error: Exception) -> bool:
    """Whether the error may be gone in another attempt: what a lost peer or a taken port causes, not what data does."""
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    import tensorflow as tf

    passing = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError)
    return isinstance(
        error, (*passing, tf.errors.DeadlineExceededError, tf.errors.InternalError, tf.errors.UnknownError)
    )


def _as_it_runs(training: Training) -> Training:
    match training.mode:
        case "local":  # however many workers the recipe has on a cluster, here is one
            return replace(training, workers=1)
        case "async":  # within an epoch nobody can say which rows the workers have seen
            epochs = Interval.parse(training.checkpoint_every).unit == "epochs"
            return training if epochs else replace(training, checkpoint_every="1 epoch")
        case _:
            return training


def _train(assignment: Assignment, report: Any) -> None:
    from features import storage
    from features.dataset_version import open_version
    from pipelines.recipe import load_recipe
    from pipelines.training.collective import SumOverWorkers
    from pipelines.training.coordinator import CoordinatedLoop
    from pipelines.training.export import export
    from pipelines.training.feed.batches import FedBatches
    from pipelines.training.loop import Loop
    from pipelines.training.strategy import (
        address_of_this_process,
        make_strategy,
        prepare_devices,
        serve,
        task_of_this_process,
    )

    recipe = load_recipe(assignment.recipe, assignment.overrides)
    recipe = replace(recipe, training=_as_it_runs(recipe.training))
    training, task = recipe.training, task_of_this_process()
    prepare_devices(training, assignment.threads)
    version = open_version(assignment.dataset)
    report({"event": "ready"})
    if sys.stdin.readline() != "go\n":
        raise ConnectionError("The worker that started this training process is gone.")
    start_stdin_watch()
    rank = 0 if task["type"] == "chief" else task["index"] + 1
    if training.mode == "async" and rank:
        serve(training, assignment.threads, report)
    strategy = make_strategy(training)
    loop: Loop | CoordinatedLoop
    if training.mode == "async":
        loop = CoordinatedLoop(recipe, version, assignment.output, strategy, report, assignment.weights)
    else:
        batches = None
        if training.input == "spark":
            batches = FedBatches(
                recipe, version, worker=rank, host=address_of_this_process(), secret=assignment.feed_secret,
                report=report, sum_over_workers=SumOverWorkers(strategy, training.workers),
            )  # fmt: skip
        loop = Loop(recipe, version, assignment.output, strategy, rank, report, batches, assignment.weights)
    model = loop.run()
    if rank == 0:
        report({"event": "exporting"})
        digest = export(recipe, version, model, storage.join(assignment.output, "model"))
        report({"event": "exported", "digest": digest})
    report({"event": "trained"})
    # A rank that left now would break the collective under a slower one. The driver hears from all of them and
    # then has the worker close our stdin, which ends this process.
    threading.Event().wait()


if __name__ == "__main__":
    main()
