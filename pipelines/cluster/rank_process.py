"""The process of one rank, whatever it does: reports, signs of life, and how it ends.

Started by `emberline.pipelines.cluster.worker` as `python -m MODULE`. It reads its assignment from stdin, announces
"ready" when everything slow is imported, and waits for "go": only then is its port free to bind.
"""

import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from emberline.features.errors import BadInputError
from emberline.features.light_tensorflow import import_tensorflow
from emberline.pipelines.cluster.usage import Usage
from emberline.pipelines.cluster.worker import EVENTS_FD, start_stdin_watch

HEARTBEAT_SECONDS = 5

Report = Callable[[dict[str, Any]], None]
"""Sends an event to the driver."""


def run_rank(work: Callable[[str, Report], None]) -> None:
    """Runs the work of one rank; exits without TensorFlow's teardown, which can wait for dead peers.

    Args:
        work: Called with the assignment as it came and a way to report events.
    """
    events = os.fdopen(int(os.environ.pop(EVENTS_FD)), "w", buffering=1)

    writing = threading.Lock()

    def report(event: dict[str, Any]) -> None:
        with writing:
            events.write(json.dumps(event) + "\n")

    _start_heartbeat(report)
    code = 0
    try:
        told = sys.stdin.readline()
        import_tensorflow()
        work(told, report)
    except Exception as error:
        said = {"traceback": traceback.format_exc(), "transient": _may_pass(error)}
        report({"event": "error"} | said | ({"bad_input": str(error)} if isinstance(error, BadInputError) else {}))
        traceback.print_exc()
        code = 1
    events.close()
    sys.stderr.flush()
    os._exit(code)


def announce_ready(report: Report) -> None:
    """Reports "ready", and returns when the port may be bound.

    Raises:
        ConnectionError: if the worker that started this process is gone.
    """
    report({"event": "ready"})
    if sys.stdin.readline() != "go\n":
        raise ConnectionError("The worker that started this process is gone.")
    start_stdin_watch()


def announce_trained(report: Report) -> None:
    """Reports "trained", and waits to be ended.

    A rank that left by itself would break the collective under a slower one. The driver hears from all of them and
    then has the worker close our stdin, which ends this process.
    """
    report({"event": "trained"})
    threading.Event().wait()


def _start_heartbeat(report: Report) -> None:
    """Starts heartbeats, which continue while a collective blocks the main thread; a stopped process sends none."""

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
    """Returns whether the error may be gone in another attempt: what a lost peer or a taken port causes, not what data
    does.
    """
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    if isinstance(error, BadInputError):
        return False  # known without TensorFlow, whose import takes seconds
    import tensorflow as tf

    passing = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError)
    return isinstance(
        error, (*passing, tf.errors.DeadlineExceededError, tf.errors.InternalError, tf.errors.UnknownError)
    )
