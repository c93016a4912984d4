"""What an executor does in a training: starts TensorFlow in a fresh child process and watches over it.

A child, because collectives want a process in which TensorFlow has not run before, GPU memory is given back
only at a process's end, and a rank stuck in a collective ends by SIGKILL alone. Imports neither TensorFlow
nor Spark.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from typing import Any

from emberline.pipelines.cluster.control import ControlClient
from emberline.pipelines.runtime import logs

EVENTS_FD = "EMBERLINE_EVENTS_FD"
STDERR_TAIL = 4_000
"""Characters of the child's stderr that are sent along when it died silently."""


class WorkerFailedError(RuntimeError):
    """The training process of this executor ended badly; the message carries its last words."""


def work(
    module: str,
    assignment: str,
    address: tuple[str, int],
    secret: str,
    rank: int,
    release_port: Callable[[], None],
    environment: Mapping[str, str] | None = None,
    *,
    dispensable: bool = False,
) -> None:
    """Runs one rank to its end.

    Args:
        module: What the child runs, as `python -m` takes it.
        assignment: Its instructions, as JSON.
        address: The driver's control address.
        secret: The control channel's secret.
        rank: Counted from 0, over all roles.
        release_port: Frees the port TensorFlow's server will bind; called when the child is about to bind it.
        environment: Variables the child gets besides this process's own.
        dispensable: Whether the others go on without this rank: its failure is reported, but not raised, because a
            task that fails takes its whole stage with it.

    Raises:
        WorkerFailedError: if the child raised, was killed, or was stopped by the driver.
    """
    child: subprocess.Popen[str] | None = None
    dismissed = threading.Event()

    def stop() -> None:
        if child and child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)

    def finish() -> None:
        dismissed.set()
        if child and child.stdin:
            child.stdin.close()

    control = ControlClient(address, secret, rank, on_stop=stop, on_finish=finish)
    reading, writing = os.pipe()
    with tempfile.TemporaryFile("w+") as stderr, os.fdopen(reading) as events:
        variables = (
            os.environ
            | dict(environment or {})
            | {
                EVENTS_FD: str(writing),
                # The child must see the code Spark shipped to this worker.
                "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
                "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2"),
            }
        )
        child = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=stderr,
            stderr=stderr,
            pass_fds=[writing],
            env=variables,
            text=True,
            start_new_session=True,
        )
        os.close(writing)
        with logs.about(role="chief" if rank == 0 else "executor", rank=rank, run=json.loads(assignment).get("run")):
            trained, failure = _follow(child, events, assignment, control, release_port)
            code = child.wait()
            logs.tell("the training process has ended", code=code)
        # Once its work is done, how a process leaves the collective is its own affair.
        if failure or not (trained or dismissed.is_set()):
            stderr.seek(0)
            reason = failure or _how_it_ended(code, stderr.read()[-STDERR_TAIL:].strip())
            control.send({"event": "failed", "reason": reason, "code": code})
            if dispensable:
                control.close()
                return
            raise WorkerFailedError(f"Training process of rank {rank}: {reason}")
        control.send({"event": "finished"})
        control.close()


def _how_it_ended(code: int, words: str) -> str:
    """Returns the end of a process that gave no reason itself, in words."""
    said = f" Its last words:\n{words}" if words else ""
    if code >= 0:
        return f"ended with code {code}.{said}"
    advice = ""
    if code == -signal.SIGKILL:
        advice = (
            " The system ends a process so when memory runs out: look for 'out of memory' in this machine's log, lower "
            "training.global_batch, or give executors more memory (spark.executor.memoryOverhead)."
        )
    return f"was killed by {signal.Signals(-code).name} (code {code}).{advice}{said}"


def _follow(
    child: "subprocess.Popen[str]",
    events: Any,
    assignment: str,
    control: ControlClient,
    release_port: Callable[[], None],
) -> tuple[bool, str | None]:
    """Hands the child its assignment and passes its events on; whether it did its work, and the traceback if not."""
    pipe = child.stdin
    if pipe is None:  # pragma: no cover - Popen was asked for a pipe
        return False, "no pipe to the training process"
    trained, failure = False, None
    try:
        pipe.write(assignment + "\n")
        pipe.flush()
        for line in events:
            event = json.loads(line)
            if event["event"] == "ready":
                release_port()
                pipe.write("go\n")
                pipe.flush()
            elif event["event"] == "error":
                failure = event["traceback"]
            trained = trained or event["event"] == "trained"
            if event["event"] != "alive":
                logs.tell(event["event"], **{name: value for name, value in event.items() if name != "event"})
            control.send(event)
    except BrokenPipeError:
        pass  # the child died early; its exit code and stderr say why
    return trained, failure


def start_stdin_watch() -> threading.Thread:
    """Ends the child process when the worker that started it is gone, so that no orphan trains on."""

    def watch() -> None:
        sys.stdin.read()
        os._exit(3)

    thread = threading.Thread(target=watch, name="emberline-parent-watch", daemon=True)
    thread.start()
    return thread
