"""One writer of a place at a time, on any storage: the second fails at once, and names the first.

On a local disk the claim is a lock of the kernel's on a small file, `.NAME.claim` beside the place. It ends with the
process, however that ends. Elsewhere the file itself says who writes and counts his beats, as that of a submission
does: one whose beats stand still while somebody watches is taken for dead, and the claim is taken over. Storage has no
more than that everywhere, so a holder looks at every beat, and again before it publishes.
"""

import contextlib
import fcntl
import json
import os
import re
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.pipelines.runtime import submission
from emberline.pipelines.runtime.submission import Heart, Record, is_silent

DEAD = timedelta(hours=1)
"""After which a claim that counts beats every ten seconds is nobody's, whatever the clocks of two machines say."""


class OutputBusyError(RuntimeError):
    """Another process writes the same output; it may be free later."""


@dataclass(frozen=True)
class Claim:
    """The right to write a place.

    Args:
        place: URI of what is claimed.
        holder: Name of this claim, of no other.
        file: URI of its file.
        lock: Descriptor of the locked file; None where the file only counts beats.
    """

    place: str
    holder: str
    file: str
    lock: int | None = None

    def require_held(self) -> None:
        """Checks that the claim is still held; called before an output becomes visible.

        Raises:
            OutputBusyError: if another process has taken over meanwhile.
        """
        if self.lock is not None:
            held = _is_file_of(self.lock, storage.local_path(self.file))
        else:
            found = submission.read(self.file)
            held = found is not None and found.holder == self.holder
        if not held:
            raise OutputBusyError(
                f"This process slept so long, or lost {self.file}, that another may be writing {self.place}. Nothing "
                "was published; run it again."
            )


@contextlib.contextmanager
def claim(place: str, *, contested: bool = True, wait_seconds: float = 0) -> Iterator[Claim]:
    """Claims a place for the block.

    Args:
        place: URI of a file or folder, which need not be there.
        wait_seconds: How long to wait for another that has it.
        contested: Whether others may want it too; without that, the claim only tells that its owner lives.

    Raises:
        OutputBusyError: if a process that lives has claimed it.
        BadInputError: if nothing may be written there.
    """
    file = _file(place)
    holder = f"{socket.gethostname()} process {os.getpid()} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    deadline = time.monotonic() + wait_seconds
    with contextlib.ExitStack() as stack:
        if storage.is_local(place) and (lock := _patiently(deadline, _lock, file, place, holder)) is not None:
            stack.callback(_unlock, lock, storage.local_path(file))
            yield Claim(place, holder, file, lock)
            return
        holder += f" ({uuid.uuid4().hex[:8]})"
        if contested:
            _patiently(deadline, _take, file, place, holder)
        else:
            submission.write(file, Record(holder))
        heart = Heart(file, holder)
        heart.start()
        try:
            yield Claim(place, holder, file)
        finally:
            if not heart.rest():
                with contextlib.suppress(OSError):  # the next one watches it for a minute, and takes over
                    storage.delete(file)


def is_abandoned(place: str) -> bool | None:
    """Returns whether a place was claimed by a process that has died; None if nobody ever claimed it.

    A dead process's claim is removed. Beats are not waited for: elsewhere than on a local disk the claim's file must
    not have changed for an hour.
    """
    file = _file(place)
    if not storage.exists(file):
        return None
    if storage.is_local(place):
        try:
            if (lock := _lock(file, place, "sweeping")) is not None:
                _unlock(lock, storage.local_path(file))
                return True
        except (OutputBusyError, BadInputError):
            return False
    changed = storage.last_change(file)
    if changed is None or datetime.now(UTC) - changed < DEAD:
        return False
    storage.delete(file)
    return True


def _file(place: str) -> str:
    parent, _, name = place.rstrip("/").rpartition("/")
    return storage.join(parent, f".{name}.claim")


def _patiently(deadline: float, get: Callable[[str, str, str], int | None], *what: str) -> int | None:
    """Asks again while another has it, until the deadline."""
    while True:
        try:
            return get(*what)
        except OutputBusyError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.2)


def _take(file: str, place: str, holder: str) -> None:
    """Writes the claim's file unless it is that of a process that lives; of two at once, the later one has it."""
    while True:
        found = submission.read(file)
        if found is not None and not is_silent(file, found):
            if submission.read(file) is None:
                continue  # its holder has ended meanwhile
            raise _busy(place, found.holder)
        submission.write(file, Record(holder))
        time.sleep(submission.SETTLE_SECONDS)
        now = submission.read(file)
        if now is not None and now.holder == holder:
            return
        if now is not None:
            raise _busy(place, now.holder)


def _busy(place: str, holder: str) -> OutputBusyError:
    return OutputBusyError(
        f"Another process writes {place}: {holder}. Wait for it, or choose another output; two at once would replace "
        "each other's work."
    )


def _lock(file: str, place: str, holder: str) -> int | None:
    """The locked file; None where the file system has no locks.

    Raises:
        OutputBusyError: if another process holds it.
        BadInputError: if nothing may be written there.
    """
    path = storage.local_path(file)
    while True:
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except (NotADirectoryError, FileExistsError, PermissionError) as error:
            raise BadInputError(
                f"The output {place!r} cannot be written: {error.strerror} ({error.filename}). Choose another, or have "
                "the rights given."
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            said = os.pread(descriptor, 1000, 0).decode(errors="replace")
            os.close(descriptor)
            found = re.search(r'"holder": "([^"]*)"', said)
            raise _busy(place, found[1] if found else "one that began this moment") from None
        except OSError:  # some network file systems
            os.close(descriptor)
            return None
        if _is_file_of(descriptor, path):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps({"holder": holder}).encode(), 0)
            return descriptor
        os.close(descriptor)  # whoever held it has removed it meanwhile


def _unlock(descriptor: int, path: str) -> None:
    if _is_file_of(descriptor, path):
        os.unlink(path)
    os.close(descriptor)


def _is_file_of(descriptor: int, path: str) -> bool:
    """Whether an open file is still the one of that name."""
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    mine = os.fstat(descriptor)
    return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)
