"""One submission of a job, known by a small file: which process runs it, its heartbeat, and how it ended.

A scheduler that lost sight of a job submits it again. Both processes are given the same file; the second finds there
that the first is running, and waits for it; or has succeeded, and repeats its last line; or is silent, and takes over.
No clock is compared with another: a runner is silent if its count of beats stands still while somebody watches.

Two that start at the same moment both write their names and look again a little later; whoever finds his own goes on.
Storage gives no more than that everywhere, so a runner looks at every beat, and ends itself if another has taken over.
"""

import json
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from emberline.features import storage
from emberline.features.errors import BadInputError

BEAT_SECONDS = 10.0
SILENT_SECONDS = 60.0
"""A runner whose beats stand still for so long is dead, or as good as dead."""
SETTLE_SECONDS = 2.0
"""After which of two that wrote at the same moment the later one is there for both to see."""
GAP_SECONDS = 0.5
"""Hadoop's own library replaces a file of HDFS in two moves; between them it is not there."""

Ended = tuple[int, dict[str, Any]]
"""Exit code and last line of a job."""


@dataclass(frozen=True)
class Record:
    """What the file says.

    Args:
        holder: Who runs the job; every process has a name of its own.
        beat: Rises while it lives.
        code: Its exit code, once it has ended.
        line: Its last line, once it has ended.
        reported: The scheduler knows the end; the next submission is meant as a new one.
    """

    holder: str
    beat: int = 0
    code: int | None = None
    line: dict[str, Any] | None = None
    reported: bool = False


def once(uri: str, work: Callable[[], Ended], say: Callable[[str], None]) -> Ended:
    """Runs the work, unless another process of the same submission runs it or has run it.

    Args:
        uri: The submission's file.
        work: Returns the exit code and the last line; does not raise.
        say: Takes a message for people.

    Returns:
        How the work ended, here or there. What failed elsewhere is done again.

    Raises:
        OSError: if the file can be neither read nor written.
        BadInputError: if it is no submission's file.
    """
    holder = uuid.uuid4().hex
    while True:
        found = read(uri)
        if found and not found.reported and found.code == 0 and found.line is not None:
            say(f"this submission has succeeded before ({uri}); nothing to do")
            return found.code, found.line
        if found and not found.reported and found.code is None:
            say(f"this submission is running already ({uri}); waiting for it")
            if not is_silent(uri, found):
                continue
            say("it is silent; taking over")
        write(uri, Record(holder))
        time.sleep(SETTLE_SECONDS)
        now = read(uri)
        if now and now.holder == holder:
            break
    heart = Heart(uri, holder)
    heart.start()
    try:
        code, line = work()
    finally:
        taken = heart.rest()
    if not taken:
        try:
            write(uri, Record(holder, code=code, line=line))
        except OSError as error:  # the work is done all the same; who waits for its end will think it silent
            say(f"the end of this submission could not be noted: {error}")
    return code, line


def read(uri: str) -> Record | None:
    """Returns what the file says; None if there is none.

    Raises:
        BadInputError: if it is no submission's file.
    """
    try:
        content = _content(uri)
    except FileNotFoundError:
        return None
    try:
        return Record(**json.loads(content))
    except (ValueError, TypeError, RecursionError) as error:
        raise BadInputError(
            f"--submission {uri!r} is not the file of a submission ({error}). Give a path that nothing else uses."
        ) from error


def _content(uri: str) -> bytes:
    try:
        return storage.read_bytes(uri)
    except FileNotFoundError:
        time.sleep(GAP_SECONDS)
        return storage.read_bytes(uri)


def write(uri: str, record: Record) -> None:
    """Writes a record to the file."""
    storage.write_bytes_atomic(uri, json.dumps(asdict(record)).encode())


def is_silent(uri: str, seen: Record) -> bool:
    """Watches a runner; False as soon as it moves on, ends, or another takes over."""
    deadline = time.monotonic() + SILENT_SECONDS
    while time.monotonic() < deadline:
        time.sleep(min(1.0, BEAT_SECONDS))
        if read(uri) != seen:
            return False
    return True


class Heart(threading.Thread):
    """Counts up in the file while the work goes on; ends the process like Ctrl-C if the file is gone or another's."""

    def __init__(self, uri: str, holder: str) -> None:
        super().__init__(daemon=True, name="emberline-submission")
        self._uri = uri
        self._record = Record(holder)
        self._over = threading.Event()
        self._taken = False

    def rest(self) -> bool:
        """Stops the thread; returns whether another process has taken over."""
        self._over.set()
        self.join()
        return self._taken

    def run(self) -> None:
        while not self._over.wait(BEAT_SECONDS):
            try:
                held = read(self._uri)
                if held is None or held.holder != self._record.holder:
                    self._taken = True
                    # What a script started in the background ignores Ctrl-C; `conclude` listens to both.
                    ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
                    os.kill(os.getpid(), signal.SIGTERM if ignored else signal.SIGINT)
                    return
                self._record = replace(self._record, beat=self._record.beat + 1)
                write(self._uri, self._record)
            except (OSError, BadInputError):
                continue  # storage may be away for a moment; should it last, another takes over
