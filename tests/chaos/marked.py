"""The processes of a trial: all of them, Java ones too, have its mark in their environment, and nobody else has."""

import os
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MARK = "EMBERLINE_CHAOS"
"""Variable of the environment whose value is the folder of the trial."""

ROLES = {
    "master": r"org\.apache\.spark\.deploy\.master\.Master",
    "spark worker": r"org\.apache\.spark\.deploy\.worker\.Worker",
    "executor": r"CoarseGrainedExecutorBackend",
    "driver's JVM": r"org\.apache\.spark\.deploy\.SparkSubmit",
    "rank": r"emberline\.pipelines\.training\.rank",
    "python worker": r"pyspark[./]daemon",
    "driver": r"-m emberline ",
    "object store": r"weed server",
    "mlflow": r"mlflow",
}
"""What the command line of each role has in it; the first that fits counts."""

SERVERS = ("master", "spark worker", "object store", "mlflow")
"""Roles that outlive a step."""

LISTENS = "0A"


@dataclass(frozen=True)
class Process:
    """One process of the trial.

    Args:
        pid: Its number.
        role: One of `ROLES`, or `other`.
        state: Letter of its state, such as `T` while it is stopped.
        command: Its command line.
    """

    pid: int
    role: str
    state: str
    command: str


def processes(mark: str) -> list[Process]:
    """Returns all processes that carry the mark; those that have ended and wait for their parents have none.

    Args:
        mark: Folder of the trial.
    """
    wanted, found = f"{MARK}={mark}".encode(), []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if wanted not in (entry / "environ").read_bytes().split(b"\0"):
                continue
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue  # it ended meanwhile, or is another person's
        found.append(Process(int(entry.name), role_of(command), state, command.strip()))
    return found


def role_of(command: str) -> str:
    """Returns the role that a command line tells."""
    return next((role for role, pattern in ROLES.items() if re.search(pattern, command)), "other")


def send(pid: int, number: signal.Signals) -> bool:
    """Sends a signal; returns whether the process was still there."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def wait_until_none(mark: str, seconds: float) -> list[Process]:
    """Waits for the end of all processes that are no servers; returns those that are still there.

    Args:
        mark: Folder of the trial.
        seconds: How long they may take.
    """
    deadline = time.monotonic() + seconds
    while (left := [one for one in processes(mark) if one.role not in SERVERS]) and time.monotonic() < deadline:
        time.sleep(0.5)
    return left


def listening(pids: list[int]) -> dict[int, int]:
    """Returns the listening TCP sockets of these processes: port by inode, which no other socket has while it lives."""
    sockets = all_listening()
    return {inode: sockets[inode] for pid in pids for inode in _inodes(pid) if inode in sockets}


def all_listening() -> dict[int, int]:
    """Returns all listening TCP sockets of this machine: port by inode."""
    found = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == LISTENS:
                found[int(words[9])] = int(words[1].rpartition(":")[2], 16)
    return found


def _inodes(pid: int) -> Iterator[int]:
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            if match := re.fullmatch(r"socket:\[(\d+)\]", os.readlink(entry)):
                yield int(match[1])
    except OSError:
        return  # it ended meanwhile
