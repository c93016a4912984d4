"""What people read while a job runs: lines on stderr. Standard output carries only the final JSON line."""

import functools
import importlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from pyspark import SparkContext

from emberline.pipelines.runtime.logs import as_json, tell

REFRESH_SECONDS = 0.5
QUIET_SECONDS = 10
"""Without a terminal, a line for every refresh would drown a log: one in this time is enough."""

STAYING = ("warning", "error")
"""Beginnings of lines that a notebook keeps."""


class NotebookLine:
    """A line of text below a notebook's cell that changes in place.

    Args:
        display: IPython's function of this name.
    """

    def __init__(self, display: Callable[..., Any]) -> None:
        self._display = display
        self._handle = None

    @classmethod
    def here(cls) -> "NotebookLine | None":
        """Returns a line of this process's notebook; None if there is none. Imports nothing."""
        if "ipykernel" not in sys.modules or "IPython" not in sys.modules:
            return None
        shell = sys.modules["IPython"].get_ipython()
        if shell is None or not hasattr(shell, "kernel"):
            return None
        return cls(importlib.import_module("IPython.display").display)

    def show(self, text: str) -> None:
        """Replaces the text."""
        content = {"text/plain": text}
        if self._handle is None:
            self._handle = self._display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)


class Progress:
    """Prints the state of one step; on a terminal in place, in a log now and then, in a notebook all on one line.

    In a notebook warnings alone have lines of their own.
    """

    def __init__(self, step: str) -> None:
        self.step = step
        self._terminal = sys.stderr.isatty() and not as_json()
        self._last = 0.0
        self._open = False
        self._notebook = None if as_json() else NotebookLine.here()

    def say(self, text: str) -> None:
        """Prints a line that stays."""
        if as_json():
            tell(text, step=self.step)
            return
        if self._notebook and not text.startswith(STAYING):
            self._notebook.show(f"{self.step:<9} {text}")
            return
        self._clear()
        print(f"{self.step:<9} {text}", file=sys.stderr, flush=True)

    def update(self, text: str) -> None:
        """Prints a line that the next one replaces."""
        now = time.monotonic()
        if self._notebook:
            self._notebook.show(f"{self.step:<9} {text}")
        elif self._terminal:
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


@functools.lru_cache(1024)
def tell_once(step: str, text: str) -> None:
    """Prints a line that stays, once in a process."""
    Progress(step).say(text)


class StageProgress:
    """Shows the tasks of the running Spark stages while the block runs.

    Args:
        context: The Spark context to watch.
        progress: Where to show it.
        doing: What the stages are for.
    """

    def __init__(self, context: SparkContext, progress: Progress, doing: str) -> None:
        self._context = context
        self._progress = progress
        self._doing = doing
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
