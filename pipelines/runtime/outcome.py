"""How a job ends: one JSON line on stdout, one reason on stderr, and an exit code that a scheduler can act on."""

import dataclasses
import json
import logging
import os
import re
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from emberline.features.errors import BadInputError
from emberline.pipelines.runtime import logs
from emberline.pipelines.runtime.refusals import refusal_of
from emberline.pipelines.runtime.secrets_in_uris import without_secrets

SUCCESS, FAILURE, BAD_INPUT = 0, 1, 2
SUBMIT_COPY_SECONDS = 1.0


NO_MEMORY = (
    "Spark's Java process has no memory left. One row of the input may be larger than it can hold: look for very long "
    "lines or texts. Else give it more: --conf spark.driver.memory=4g, on a cluster spark.executor.memory."
)
GONE = (
    "Spark's Java process is gone. Its own last lines above say why, if it could write any; else its memory was full: "
    "look for very long lines or texts in the input, or give it more: --conf spark.driver.memory=4g."
)
GIVEN_UP = (
    "The cluster ended Spark's application{name} while the job was at work. It does so when executors fail again and "
    "again, when its queue or a person ends it. The executors' logs say which{where}; correct that, and run it again."
)

JAVA_SECONDS = 5
"""For a process on this machine to take a connection."""

_ENDED_FROM_OUTSIDE = ("SparkContext was shut down", "on a stopped SparkContext", "SparkContext has been shutdown")
"""What Spark says in a driver whose cluster has ended its application."""

_TOLD = re.compile(r"^(?:\w+\.)*BadInputError: (.*)$", re.MULTILINE)

_noted: dict[str, str] = {}


def note(**facts: str) -> None:
    """Adds facts to the last line of this process, whether its job succeeds or fails."""
    _noted.update(facts)


def conclude(job: str, work: Callable[[], Any], submission: str | None = None) -> int:
    """Runs a job's work and turns its result, or its failure, into output and exit code.

    Args:
        job: Name for messages.
        work: Returns a dataclass or a dictionary of plain values.
        submission: URI of the file by which `emberline.pipelines.runtime.submission` knows this submission; without
            one, the work is
            always done.

    Returns:
        0 on success; 2 when the arguments or the data must change before a retry can help; 1 otherwise.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its banners would bury the progress lines
    logs.start(job=job)
    before = _treat_sigterm_as_interrupt()
    try:
        code, line = _once(job, work, submission) if submission else _ended(job, work)
    except Exception as error:  # of the submission's file; the work itself does not raise
        code, line = _failed(job, BAD_INPUT if isinstance(error, BadInputError) else FAILURE, str(error), error)
    except KeyboardInterrupt:
        code, line = _failed(job, FAILURE, "interrupted", None)
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)
    _say_last(line)
    return code


def _treat_sigterm_as_interrupt() -> Any:
    """SIGTERM, which schedulers send, ends a job as Ctrl-C does: with its staging gone and its run told.

    Returns:
        The handler before; None where signals are not ours to handle.
    """
    if threading.current_thread() is not threading.main_thread():
        return None

    def end(number: int, frame: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one would cut the tidying short; SIGKILL is left
        interrupt = signal.getsignal(signal.SIGINT)
        if callable(interrupt):
            interrupt(signal.SIGINT, frame)  # Spark's ends its jobs first
        raise KeyboardInterrupt

    return signal.signal(signal.SIGTERM, end)


def _once(job: str, work: Callable[[], Any], submission: str) -> tuple[int, dict[str, Any]]:
    from emberline.pipelines.runtime.progress import Progress
    from emberline.pipelines.runtime.submission import once

    return once(submission, lambda: _ended(job, work), Progress(job).say)


def _ended(job: str, work: Callable[[], Any]) -> tuple[int, dict[str, Any]]:
    """Exit code and last line."""
    try:
        result = work()
    except BadInputError as error:
        return _failed(job, BAD_INPUT, str(error), error)
    except KeyboardInterrupt:
        return _failed(job, FAILURE, "interrupted", None)
    except Exception as error:
        if told := _told_by_executor(error):
            return _failed(job, BAD_INPUT, told, BadInputError(told))
        logging.getLogger("emberline").debug("failure", exc_info=True)
        if refusal := refusal_of(error):
            needs_a_person, said = refusal
            return _failed(job, BAD_INPUT if needs_a_person else FAILURE, said, error)
        if said := _of_java(error):
            return _failed(job, FAILURE, said, error)
        return _failed(job, FAILURE, f"{str(error).strip() or type(error).__name__}", error)
    plain = dataclasses.asdict(result) if dataclasses.is_dataclass(result) and not isinstance(result, type) else result
    return SUCCESS, {"job": job, "status": "succeeded"} | _noted | plain


def _told_by_executor(error: Exception) -> str:
    """What a `BadInputError` said in an executor, whose traceback is what Spark hands on; empty for other failures."""
    if type(error).__name__ != "PythonException":
        return ""
    found = _TOLD.search(str(error))
    return found[1].strip() if found else ""


def _of_java(error: Exception) -> str:
    """What to say of a Java process that is full, gone, or whose application was ended; empty for other failures.

    What is tried after that, such as ending the session, fails in its own words: the errors before it count too.
    """
    gone = False
    seen: BaseException | None = error
    while seen is not None:
        name = type(seen).__name__
        try:
            text = str(seen)
        except Exception:  # py4j asks Java for the words of its errors
            gone, text = True, ""
        if "OutOfMemoryError" in text or "Java heap space" in text:
            return NO_MEMORY
        if any(words in text for words in _ENDED_FROM_OUTSIDE):
            return _given_up()
        # Of a Java that is gone py4j finds no class either; of one that answers, it is another version of Spark.
        gone |= name == "Py4JNetworkError" or (
            name == "Py4JError" and "not exist in the JVM" in text and not _java_answers()
        )
        frames = traceback.extract_tb(seen.__traceback__)
        gone |= isinstance(seen, OSError) and any(f"{os.sep}py4j{os.sep}" in frame.filename for frame in frames)
        seen = seen.__cause__ or seen.__context__
    # A container of YARN whose memory is full ends with this process in it: Java alone ends when YARN wants it to.
    return "" if not gone else _given_up() if "CONTAINER_ID" in os.environ else GONE


def _given_up() -> str:
    found = re.fullmatch(r"container_(?:e\d+_)?(\d+_\d+)_\d+_\d+", os.environ.get("CONTAINER_ID", ""))
    if not found:
        return GIVEN_UP.format(name="", where="")
    application = f"application_{found[1]}"
    return GIVEN_UP.format(name=f" {application}", where=f" (yarn logs -applicationId {application})")


def _java_answers() -> bool:
    """Whether the process behind the session can be reached."""
    spark = sys.modules.get("pyspark.core.context")
    gateway = spark.SparkContext._gateway if spark else None
    if gateway is None:
        return False
    parameters = gateway.gateway_parameters
    try:
        socket.create_connection((parameters.address, parameters.port), JAVA_SECONDS).close()
    except OSError:
        return False
    return True


def _failed(job: str, code: int, reason: str, error: Exception | None) -> tuple[int, dict[str, Any]]:
    reason = without_secrets(reason)
    if logs.as_json():
        logs.tell(reason, "error", code=code)
    else:
        print(f"emberline {job}: {reason}", file=sys.stderr, flush=True)
    kind = type(error).__name__ if error else "Interrupted"
    return code, {"job": job, "status": "failed", "kind": kind, "reason": reason[:2000]} | _noted


def _say_last(outcome: dict[str, Any]) -> None:
    print(json.dumps(outcome), flush=True)
    if "PYSPARK_GATEWAY_PORT" in os.environ:
        # spark-submit copies our output in a thread that it does not wait for once we have ended.
        time.sleep(SUBMIT_COPY_SECONDS)
