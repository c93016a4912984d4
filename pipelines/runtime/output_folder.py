"""What may be written where: outputs never eat inputs, and replace nothing but an older output of their kind."""

import json
import os
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from emberline.features import publishing, storage
from emberline.features.errors import BadInputError
from emberline.pipelines.runtime.claim import Claim, claim, is_abandoned
from emberline.pipelines.runtime.table_address import TableAddress

RAW_ROWS = ("rejected", "_rejected", "examples.parquet")
"""What holds rows as they came: for their owner alone, on file systems that know owners."""

RAW_MODE = "EMBERLINE_RAW_MODE"
"""Variable with another mode for folders of raw rows, such as 750; default 700. Their files get the same without x."""

HEAD_BYTES = 1024
"""Of a file, by which its kind is known."""

STALE = timedelta(days=1)
"""Staging of an unknown owner that nothing was written to for so long is nobody's."""


@dataclass(frozen=True)
class Kind:
    """A kind of output, known by a JSON file in its folder.

    Args:
        called: In messages.
        file: The file.
        keys: What the JSON object in it has.
    """

    called: str
    file: str
    keys: tuple[str, ...]

    def is_at(self, uri: str) -> bool:
        """Returns whether a folder carries the mark of this kind."""
        path = storage.join(uri, self.file)
        if not storage.is_folder(uri) or not storage.exists(path):
            return False
        try:
            found = json.loads(storage.read_bytes(path))
        except (ValueError, RecursionError):
            return False
        return isinstance(found, dict) and all(key in found for key in self.keys)


DATASET_VERSION = Kind("dataset version", "manifest.json", ("format", "splits", "digest"))
REPORT = Kind("report of validate", "report.json", ("accepted", "rows_read"))
TRAINING = Kind("training", "training.json", ("recipe", "dataset_digest", "finished"))
PREDICTIONS = Kind("folder of predictions", "_predictions.json", ("format", "layout"))
EXPORT = Kind("folder of an exported model", "export.json", ("saved_model_bytes", "tflite"))
SEARCH = Kind("search", "search.json", ("asked", "trials"))


def require_apart(output: str, reads: Mapping[str, str | None], allow_same: bool = False) -> None:
    """Refuses an output that is, holds or lies in something that is read.

    Args:
        output: URI of what will be written.
        reads: URIs by what they are called, such as `--input`; registered models, tables without a folder and None
            are passed over.
        allow_same: Whether the output may be what is read, as a whole.

    Raises:
        BadInputError: if they overlap.
    """
    for called, uri in reads.items():
        if uri and (address := TableAddress.parse(uri)):
            uri = address.folder
        if not uri or uri.startswith(("models:/", "runs:/")):
            continue
        inside, around = storage.is_within(output, uri), storage.is_within(uri, output)
        if (inside or around) and not (allow_same and inside and around):
            how = "is the same as" if inside and around else "lies in" if inside else "holds"
            raise BadInputError(
                f"The output {output!r} {how} {called} {uri!r}, which is read, so writing it would destroy that. "
                "Choose an output apart from everything that is read."
            )


def require_replaceable(output: str, kind: Kind, overwrite: bool) -> None:
    """Refuses an output that is there, unless it is an older one of its kind that is to be replaced.

    Raises:
        BadInputError: if something is there that stays.
    """
    if not storage.exists(output):
        return
    if not overwrite:
        raise BadInputError(f"The output {output!r} already exists. Pass --overwrite to replace it, or choose another.")
    if not storage.is_folder(output):
        raise BadInputError(f"The output {output!r} is a file, which is never replaced. Choose another.")
    if not kind.is_at(output) and storage.list_names(output):
        raise BadInputError(
            f"The output {output!r} is no {kind.called}: it has no {kind.file} of emberline's. --overwrite replaces "
            "nothing else. Choose another output, or remove that folder yourself."
        )


def require_folder(output: str) -> None:
    """Refuses an output that is a file, where a folder is written into.

    Raises:
        BadInputError: if it is one.
    """
    if storage.exists(output) and not storage.is_folder(output):
        raise BadInputError(f"The output {output!r} is a file, and a folder is written. Choose another.")


def require_replaceable_file(output: str, called: str, is_one: Callable[[bytes], bool]) -> None:
    """Refuses an output that is there, unless it is a file of its kind.

    Args:
        output: URI of what will be written.
        called: The kind, in messages.
        is_one: Whether the first bytes of a file are those of the kind.

    Raises:
        BadInputError: if something else is there.
    """
    if not storage.exists(output):
        return
    if not storage.is_folder(output):
        with storage.open_input(output) as stream:
            if is_one(bytes(stream.read(HEAD_BYTES))):
                return
    raise BadInputError(f"The output {output!r} is no {called}, and nothing else is replaced. Choose another.")


@dataclass(frozen=True)
class NewFolder:
    """A folder that is being made, out of sight.

    Args:
        output: URI of its final place.
        kind: What it will be.
        overwrite: Whether an older one is replaced.
        claim: The right to write it.
        staging: URI of the folder to fill.
    """

    output: str
    kind: Kind
    overwrite: bool
    claim: Claim = field(repr=False)
    staging: str

    def publish(self) -> None:
        """Publishes the folder under its final name.

        Raises:
            BadInputError: if somebody has made the output meanwhile.
            OutputBusyError: if another process has taken over.
        """
        self.claim.require_held()
        require_replaceable(self.output, self.kind, self.overwrite)
        keep_private(self.staging)
        open_to_readers(self.staging)
        publishing.replace_folder(self.staging, self.output)


@contextmanager
def new_folder(
    output: str, kind: Kind, *, overwrite: bool, reads: Mapping[str, str | None], replaces: str | None = None
) -> Iterator[NewFolder]:
    """Yields a folder to fill and to publish, for the block; however the block ends, no hidden files remain.

    Args:
        output: URI of its final place.
        kind: What it will be.
        overwrite: Replace an older one of its kind.
        reads: URIs that are read for it, by what they are called.
        replaces: URI that is read and may be the output itself: its predecessor.

    Raises:
        BadInputError: if the output overlaps with what is read, or is there and stays.
        OutputBusyError: if another process writes it.
    """
    require_apart(output, reads)
    require_apart(output, {"--previous": replaces}, allow_same=True)
    require_replaceable(output, kind, overwrite)  # before anything is locked or swept
    with claimed(output) as held:
        require_replaceable(output, kind, overwrite)
        with staging_folder(output) as staging:
            yield NewFolder(output, kind, overwrite, held, staging)


@contextmanager
def claimed(output: str, wait_seconds: float = 0) -> Iterator[Claim]:
    """Claims an output for the block, and puts in order what a writer has left that was killed.

    Args:
        output: Its URI.
        wait_seconds: How long to wait for another that writes it.

    Raises:
        OutputBusyError: if another process writes it.
    """
    with claim(output, wait_seconds=wait_seconds) as held:
        publishing.repair(output)
        yield held


@contextmanager
def staging_folder(output: str, name: str = "") -> Iterator[str]:
    """Yields the URI of a folder beside an output, for the block; it is this process's, and is removed at the end.

    Staging folders whose owners have died are removed first.
    """
    _sweep(output)
    staging = name or staging_name(output)
    with claim(staging, contested=False):
        if storage.is_local(staging):  # raw rows pass through it
            os.makedirs(storage.local_path(staging), raw_mode())
        try:
            yield staging
        finally:
            storage.delete(staging)


def keep_private(folder: str) -> None:
    """Sets the mode of raw rows in a local folder."""
    if not storage.is_local(folder):
        return
    mode = raw_mode()
    for name in RAW_ROWS:
        path = os.path.join(storage.local_path(folder), name)
        if os.path.isdir(path):
            for place, _, files in os.walk(path):
                os.chmod(place, mode)
                for file in files:
                    os.chmod(os.path.join(place, file), mode & 0o666)
        elif os.path.exists(path):
            os.chmod(path, mode & 0o666)


def open_to_readers(folder: str) -> None:
    """Sets the mode of a local staging folder to that of a new folder."""
    if storage.is_local(folder):
        mask = os.umask(0o077)
        os.umask(mask)
        os.chmod(storage.local_path(folder), 0o777 & ~mask)


def raw_mode() -> int:
    """Returns the mode of folders of raw rows.

    Raises:
        BadInputError: if the variable is no mode.
    """
    said = os.environ.get(RAW_MODE, "700")
    if not re.fullmatch(r"0?[0-7]{3}", said) or int(said, 8) & 0o700 != 0o700:
        raise BadInputError(f"{RAW_MODE}={said!r} is no mode of folders: expected 700, 750 or the like.")
    return int(said, 8)


def staging_name(output: str) -> str:
    """Returns the URI of a folder beside an output, which nobody else uses."""
    return f"{output.rstrip('/')}.staging-{uuid.uuid4().hex[:8]}"


def _sweep(output: str) -> None:
    """Removes staging folders of owners that have died; of those that name no owner, the ones a day old."""
    parent, _, name = output.rstrip("/").rpartition("/")
    for folder in storage.list_folders(parent or "."):
        if not folder.startswith(f"{name}.staging-"):
            continue
        left = storage.join(parent, folder)
        abandoned = is_abandoned(left)
        if abandoned is None:
            newest = storage.last_change(left)
            abandoned = newest is not None and datetime.now(UTC) - newest > STALE
        if abandoned:
            storage.delete(left)
