"""What goes wrong in a trial, at random: processes that are killed, stopped or without room, and lost servers.

Left out: a jump of the clock, which needs a library between the programs and the system or root's rights, and would
move the trial's own clock too (libfaketime 0.9.10 was tried: with deadlines left alone, Python's `sleep` raises under
it, and Java, which asks for the time all the while, does nothing else); a full disk as such, which needs a file system
of its own: instead no file of a process may grow (`RLIMIT_FSIZE`), which the process meets as the error EFBIG in place
of ENOSPC.
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
from tests.chaos.world import MLFLOW, STORE, World, give_room, take_room

KILL, TERM, STOP, FULL, LOST = "kill -9", "SIGTERM", "SIGSTOP", "full disk", "lost server"
KINDS = {KILL: 5, TERM: 2, STOP: 3, FULL: 2, LOST: 2}
"""How often each is chosen, in proportion."""

VICTIMS = ("driver", "driver's JVM", "executor", "python worker", "rank", "spark worker", "mlflow")
WITHOUT_ROOM = ("driver", "driver's JVM", "executor", "python worker", "rank", "mlflow")
SERVERS = {"mlflow": MLFLOW, "object store": STORE}
"""Those that are lost with all of their processes, and come back; the second where the trial has one."""
ROOM = (0, 4_096, 65_536)
"""Bytes that a file may have while the disk is full."""

STOPPED_SECONDS = (1, 45)
"""A rank is given up after 25 s of silence."""
AWAY_SECONDS = (1, 30)
LOOK_SECONDS = 0.5
PATIENCE_SECONDS = 60
"""How long a fault waits for a process of its role; otherwise servers, which are always there, would meet most."""


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
        ends: list[tuple[float, Callable[[], Any]]] = []
        planned: tuple[str, str] | None = None
        while not over.wait(LOOK_SECONDS):
            there = processes(self.world.mark)
            self.sockets |= listening([process.pid for process in there])
            now = time.monotonic()
            for moment, end in list(ends):
                if moment <= now:
                    end()
                    ends.remove((moment, end))
            if not due or now < due[0]:
                continue
            planned = planned or self._plan()
            if pids := sorted(process.pid for process in there if process.role == planned[1]):
                seconds, end = self._inject(*planned, self.chance.choice(pids), step)
                ends.append((now + seconds, end))
                due.pop(0)
                planned = None
            elif now > due[0] + PATIENCE_SECONDS:
                due[0], planned = now, None

    def _plan(self) -> tuple[str, str]:
        """A kind of fault, and whom it will meet."""
        (kind,) = self.chance.choices(list(KINDS), list(KINDS.values()))
        servers = tuple(SERVERS) if self.world.store else ("mlflow",)
        victims = {LOST: servers, FULL: WITHOUT_ROOM, STOP: (*VICTIMS, *servers[1:])}
        return kind, self.chance.choice(victims.get(kind, VICTIMS))

    def _inject(self, kind: str, role: str, pid: int, step: str) -> tuple[float, Callable[[], Any]]:
        """One fault; returns after how many seconds it ends, and what ends it."""
        seconds = self.chance.uniform(*(STOPPED_SECONDS if kind == STOP else AWAY_SECONDS))
        self.note(kind, role, step, pid=pid, seconds=0 if kind in (KILL, TERM) else seconds)
        if kind == LOST:
            self.world.lose(SERVERS[role])
        elif kind == STOP:
            send(pid, signal.SIGSTOP)
            return seconds, lambda: send(pid, signal.SIGCONT)
        elif kind == FULL:
            take_room(pid, self.chance.choice(ROOM))
            return seconds, self._give_room
        else:
            send(pid, signal.SIGKILL if kind == KILL else signal.SIGTERM)
        return seconds, self.world.revive

    def _give_room(self) -> None:
        """To all: children have the limits that their parents had."""
        for process in processes(self.world.mark):
            with suppress(OSError):
                give_room(process.pid)
