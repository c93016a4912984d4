"""What people read while a job runs: lines on stderr. Standard output carries only the final JSON line."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from pyspark import SparkContext

from emberline.pipelines.runtime.logs import as_json, tell

REFRESH_SECONDS = 0.5
QUIET_SECONDS = 10
"""Without a terminal, a line for every refresh would drown a log: one in this time is enough."""


class Progress:
    """Prints the state of one step; on a terminal in place, in a log now and then."""

    def __init__(self, step: str) -> None:
        self.step = step
        self._terminal = sys.stderr.isatty() and not as_json()
        self._last = 0.0
        self._open = False

    def say(self, text: str) -> None:
        """A line that stays."""
        if as_json():
            tell(text, step=self.step)
            return
        self._clear()
        print(f"{self.step:<9} {text}", file=sys.stderr, flush=True)

    def update(self, text: str) -> None:
        """A line that the next one replaces."""
        now = time.monotonic()
        if self._terminal:
            self._clear()
            print(f"{self.step:<9} {text}", end="", file=sys.stderr, flush=True)
            self._open = True
        elif now - self._last >= QUIET_SECONDS:
            self.say(text)
            self._last = now

    def _clear(self) -> None:
        if self._open:
            print("\r\x1b[K", end="", file=sys.stderr)
            self._open = False


class StageProgress:
    """Shows the tasks of the running Spark stages while the block runs.

    Args:
        context: The Spark context to watch.
        progress: Where to show it.
        doing: What the stages are for.
    """

    def __init__(self, context: SparkContext, progress: Progress, doing: str) -> None:
        self._context, self._progress, self._doing = context, progress, doing
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="emberline-progress", daemon=True)

    def __enter__(self) -> "StageProgress":
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        if error is None:
            self._progress.say(f"{self._doing}: done in {time.monotonic() - self._began:.1f} s")

    def _watch(self) -> None:
        tracker = self._context.statusTracker()
        while not self._done.wait(REFRESH_SECONDS):
            for stage in sorted(tracker.getActiveStageIds()):
                info = tracker.getStageInfo(stage)
                if info:
                    self._progress.update(
                        f"{self._doing}: stage {stage}, {info.numCompletedTasks} of {info.numTasks} tasks"
                    )


@contextmanager
def timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    """Records how long a block took."""
    began = time.monotonic()
    yield
    seconds[step] = round(time.monotonic() - began, 2)
