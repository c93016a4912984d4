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
from typing import Any

from pipelines.training.assignment import Assignment
from pipelines.training.worker import EVENTS_FD, start_stdin_watch

HEARTBEAT_SECONDS = 5


def main() -> None:
    """Trains, and on rank 0 exports; exits without TensorFlow's teardown, which can wait for dead peers."""
    events = os.fdopen(int(os.environ.pop(EVENTS_FD)), "w", buffering=1)

    writing = threading.Lock()

    def report(event: dict[str, Any]) -> None:
        with writing:
            events.write(json.dumps(event) + "\n")

    _start_heartbeat(report)
    code = 0
    try:
        _train(Assignment.from_json(sys.stdin.readline()), report)
    except Exception as error:
        report({"event": "error", "traceback": traceback.format_exc(), "transient": _may_pass(error)})
        traceback.print_exc()
        code = 1
    events.close()
    sys.stderr.flush()
    os._exit(code)


def _start_heartbeat(report: Callable[[dict[str, Any]], None]) -> None:
    """Signs of life, also while a collective blocks the main thread; a stopped process sends none."""

    def beat() -> None:
        while True:
            time.sleep(HEARTBEAT_SECONDS)
            try:
                report({"event": "alive"})
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


def _train(assignment: Assignment, report: Any) -> None:
    import tensorflow as tf

    from features import storage
    from features.dataset_version import open_version
    from pipelines.recipe import load_recipe
    from pipelines.training.export import export
    from pipelines.training.loop import Loop

    tf.config.threading.set_intra_op_parallelism_threads(assignment.threads)
    tf.config.threading.set_inter_op_parallelism_threads(assignment.threads)
    recipe = load_recipe(assignment.recipe, assignment.overrides)
    version = open_version(assignment.dataset)
    report({"event": "ready"})
    if sys.stdin.readline() != "go\n":
        raise ConnectionError("The worker that started this training process is gone.")
    start_stdin_watch()
    task = json.loads(os.environ.get("TF_CONFIG", "{}")).get("task", {"type": "chief", "index": 0})
    rank = 0 if task["type"] == "chief" else task["index"] + 1
    several = recipe.training.workers > 1
    strategy = tf.distribute.MultiWorkerMirroredStrategy() if several else tf.distribute.get_strategy()
    batches = None
    if recipe.training.input == "spark":
        from pipelines.training.collective import SumOverWorkers
        from pipelines.training.feed.batches import FedBatches

        batches = FedBatches(
            recipe, version, worker=rank, host=_own_host(), secret=assignment.feed_secret, report=report,
            sum_over_workers=SumOverWorkers(strategy),
        )  # fmt: skip
    loop = Loop(recipe, version, assignment.output, strategy, rank, report, batches)
    model = loop.run()
    if rank == 0:
        report({"event": "exporting"})
        export(recipe, version, model, storage.join(assignment.output, "model"))
    report({"event": "trained"})
    # A rank that left now would break the collective under a slower one. The driver hears from all of them and
    # then has the worker close our stdin, which ends this process.
    threading.Event().wait()


def _own_host() -> str:
    """The address under which the cluster knows this machine."""
    config = json.loads(os.environ.get("TF_CONFIG", "{}"))
    if not config:
        return "127.0.0.1"
    task = config["task"]
    return str(config["cluster"][task["type"]][task["index"]]).rpartition(":")[0]


if __name__ == "__main__":
    main()
