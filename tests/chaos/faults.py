"""What goes wrong in a trial, at random: processes that are killed, stopped or without room, and a lost MLflow.

Left out: a jump of the clock, which needs a library between the programs and the system (libfaketime) or root's rights,
and would move the trial's own clock too; a full disk as such, which needs a file system of its own: instead no file
of a process may grow (`RLIMIT_FSIZE`), which the process meets as the error EFBIG in place of ENOSPC.
"""

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.chaos.marked import listening, processes, send
from tests.chaos.world import World, give_room, take_room

KILL, TERM, STOP, FULL, LOST = "kill -9", "SIGTERM", "SIGSTOP", "full disk", "lost MLflow"
KINDS = {KILL: 5, TERM: 2, STOP: 3, FULL: 2, LOST: 2}
"""How often each is chosen, in proportion."""

VICTIMS = ("driver", "driver's JVM", "executor", "python worker", "rank", "spark worker", "mlflow")
WITHOUT_ROOM = ("driver", "driver's JVM", "executor", "python worker", "rank", "mlflow")
ROOM = (0, 4_096, 65_536)
"""Bytes that a file may have while the disk is full."""

STOPPED_SECONDS = (1, 45)
"""A rank is given up after 25 s of silence."""
AWAY_SECONDS = (1, 30)
LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Fault:
    """One fault.

    Args:
        at: Seconds since the beginning of the trial.
        kind: One of `KINDS`, or `twice` for a submission that was sent twice.
        role: Whom it met.
        pid: The process; 0 where it is no single one.
        seconds: How long it lasts; 0 where it has no end.
        step: Which step was under way.
    """

    at: float
    kind: str
    role: str
    pid: int
    seconds: float
    step: str


@dataclass
class Faults:
    """Injects faults while a step runs, and keeps the history.

    Args:
        world: Servers of the trial.
        chance: Source of everything random.
        history: All faults until now.
        sockets: Every listening socket that processes of the trial were seen to have: port by inode.
    """

    world: World
    chance: random.Random
    began: float = field(default_factory=time.monotonic)
    history: list[Fault] = field(default_factory=list)
    sockets: dict[int, int] = field(default_factory=dict)

    def note(self, kind: str, role: str, step: str, *, pid: int = 0, seconds: float = 0) -> None:
        """Adds a fault to the history."""
        self.history.append(Fault(round(time.monotonic() - self.began, 1), kind, role, pid, round(seconds, 1), step))

    def counted(self) -> dict[str, dict[str, int]]:
        """Returns how many faults of each kind met each role."""
        found: dict[str, Counter[str]] = {}
        for fault in self.history:
            found.setdefault(fault.kind, Counter())[fault.role] += 1
        return {kind: dict(roles) for kind, roles in found.items()}

    def since(self, number: int) -> list[dict[str, Any]]:
        """Returns the faults from this number on, as plain values."""
        return [asdict(fault) for fault in self.history[number:]]

    @contextmanager
    def during(self, step: str, pauses: list[float]) -> Iterator[None]:
        """Injects faults for the block, and ends them all with it.

        Args:
            step: What is under way.
            pauses: Seconds before each fault.
        """
        over = threading.Event()
        thread = threading.Thread(target=self._run, args=(step, pauses, over), name="faults")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(60)
            self.world.heal()

    def _run(self, step: str, pauses: list[float], over: threading.Event) -> None:
        due = [time.monotonic() + sum(pauses[: index + 1]) for index in range(len(pauses))]
        ends: list[tuple[float, Callable[[], None]]] = []
        while not over.wait(LOOK_SECONDS):
            self.sockets |= listening([process.pid for process in processes(self.world.mark)])
            now = time.monotonic()
            for moment, end in list(ends):
                if moment <= now:
                    end()
                    ends.remove((moment, end))
            if due and due[0] <= now and (made := self._inject(step)):
                due.pop(0)
                ends += made

    def _inject(self, step: str) -> list[tuple[float, Callable[[], None]]]:
        """One fault, and what ends it, when; nothing if nobody is there whom it could meet."""
        (kind,) = self.chance.choices(list(KINDS), list(KINDS.values()))
        away = self.chance.uniform(*AWAY_SECONDS)
        if kind == LOST:
            self.note(kind, "mlflow", step, seconds=away)
            self.world.lose_mlflow()
            return [self._after(away, self.world.revive)]
        roles: dict[str, list[int]] = {}
        for process in processes(self.world.mark):
            if process.role in (WITHOUT_ROOM if kind == FULL else VICTIMS):
                roles.setdefault(process.role, []).append(process.pid)
        if not roles:
            return []
        role = self.chance.choice(sorted(roles))
        pid = self.chance.choice(sorted(roles[role]))
        if kind in (KILL, TERM):
            self.note(kind, role, step, pid=pid)
            send(pid, signal.SIGKILL if kind == KILL else signal.SIGTERM)
            return [self._after(away, self.world.revive)]
        if kind == STOP:
            seconds = self.chance.uniform(*STOPPED_SECONDS)
            self.note(kind, role, step, pid=pid, seconds=seconds)
            send(pid, signal.SIGSTOP)
            return [self._after(seconds, lambda: send(pid, signal.SIGCONT) and None)]
        self.note(kind, role, step, pid=pid, seconds=away)
        take_room(pid, self.chance.choice(ROOM))
        return [self._after(away, self._give_room)]

    def _give_room(self) -> None:
        """To all: children have the limits that their parents had."""
        for process in processes(self.world.mark):
            with suppress(OSError):
                give_room(process.pid)

    @staticmethod
    def _after(seconds: float, end: Callable[[], Any]) -> tuple[float, Callable[[], None]]:
        return time.monotonic() + seconds, end
