"""Finished folders to their final names, so that whatever happens one of the two versions is whole and is found.

Three ways, by what the storage can do:

* *Exchange*: Linux swaps two names in one step (`renameat2`). No reader ever meets a gap.
* *Two renames*, on HDFS and where the kernel cannot exchange: the old folder waits meanwhile as
  `.NAME.replaced-ID` beside the new one.
* *Copies*, on object stores and mount points, where no folder can be renamed. First the old files are copied aside,
  as `.NAME.copied-ID`, and marked as a whole copy. Then the marks of the target go (`_SUCCESS`, and JSON files that
  tell what it is), then its files, then the new ones come, their marks last. Removing the mark of the copy is the
  moment in which the new version counts; until then a failure puts the old one back.

Names with a dot in front are passed over by Spark, Arrow and pandas. What a process that was killed has left is put in
order by `repair`, which the next writer calls. Writers of one target take turns; see
`emberline.pipelines.runtime.claim`.
"""

import ctypes
import errno
import os
import re
import uuid
from collections.abc import Iterable
from contextlib import suppress

from emberline.features import storage

SUCCESS = "_SUCCESS"
_WHOLE = "_COPY_IS_WHOLE"
_LEFT = re.compile(r"\.?(?P<name>.+)\.(?P<how>replaced|copied)-[0-9a-f]{8}")  # without the dot: by older versions
_CANNOT_EXCHANGE = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EXDEV, errno.EBUSY, errno.EPERM)
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


class UndoError(OSError):
    """A version that could not be put back; the message says where all of its files are."""


def replace_folder(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Gives a finished folder its final name and replaces the folder that has it.

    A target that is a link stays one: the folder that it leads to is replaced.

    Args:
        source: The finished folder; it is gone afterwards.
        target: Its final name.

    Raises:
        UndoError: if publishing failed and the old version could not be put back, with the place of its copy.
        OSError: if publishing failed; then the target is as it was.
    """
    source, target = os.fspath(source).rstrip("/"), _followed(os.fspath(target).rstrip("/"))
    if not storage.renames_folders(target) or not _on_one_disk(source, target):
        _replace_by_copies(source, target)
    elif not storage.exists(target):
        storage.move(source, target)
    elif _exchange(source, target):
        storage.delete(source)
    else:
        _replace_by_renames(source, target)


def remove_folder(target: str | os.PathLike[str]) -> None:
    """Removes a folder in one step where folders can be renamed; its marks first elsewhere."""
    target = _followed(os.fspath(target).rstrip("/"))
    if storage.renames_folders(target):
        with suppress(FileNotFoundError):
            aside = _beside(target, "replaced")
            storage.move(target, aside)
            storage.delete(aside)
        return
    _clear(target)


def repair(target: str | os.PathLike[str]) -> bool:
    """Repairs what a killed writer of this target left; nobody may be writing it.

    Returns:
        Whether the old version was put back.
    """
    parent, name = _split(_followed(os.fspath(target).rstrip("/")))
    return name in _repair(parent, name)


def repair_within(folder: str | os.PathLike[str]) -> list[str]:
    """Repairs every target in a folder, as `repair`; returns the names of those that were put back."""
    return _repair(_followed(os.fspath(folder).rstrip("/")), None)


def _repair(parent: str, only: str | None) -> list[str]:
    back = []
    for folder in storage.list_folders(parent):
        match = _LEFT.fullmatch(folder)
        if match is None or (only is not None and match["name"] != only):
            continue
        aside, target = storage.join(parent, folder), storage.join(parent, match["name"])
        if match["how"] == "copied" and storage.exists(storage.join(aside, _WHOLE)):
            _restore(aside, target)
            back.append(match["name"])
        elif match["how"] == "replaced" and not storage.exists(target):
            storage.move(aside, target)
            back.append(match["name"])
        else:
            storage.delete(aside)
    return back


def set_aside(target: str, name: str) -> None:
    """Gives a folder another name in the same folder; where folders cannot be renamed, its files are copied first.

    Raises:
        OSError: if it failed; the folder is whole under one of the two names.
    """
    other = storage.join(_split(target)[0], name)
    if storage.renames_folders(target):
        storage.move(target, other)
        return
    _copy(target, other, _names(target))
    _clear(target)


def _replace_by_renames(source: str, target: str) -> None:
    aside = _beside(target, "replaced")
    try:
        storage.move(target, aside)
    except OSError:  # a mount point, or no right to rename in the parent folder
        if not storage.exists(target):
            raise
        _replace_by_copies(source, target)
        return
    try:
        storage.move(source, target)
    except BaseException:
        storage.move(aside, target)
        raise
    storage.delete(aside)


def _replace_by_copies(source: str, target: str) -> None:
    aside, new = _beside(target, "copied"), _names(source)
    old = _names(target)
    try:
        if old:
            _copy(target, aside, old)
            storage.write_bytes_atomic(storage.join(aside, _WHOLE), b"")
        _clear(target)
        _copy(source, target, new)
    except BaseException as error:
        try:
            if not old:
                _clear(target)
            elif storage.exists(storage.join(aside, _WHOLE)):
                _restore(aside, target)
            else:
                storage.delete(aside)
        except OSError as second:
            raise UndoError(
                f"{target} could not be replaced ({error}), and its old version could not be put back ({second}): all "
                f"of it is in {aside}, and the next run with this output puts it back."
            ) from error
        raise
    if old:
        storage.delete(storage.join(aside, _WHOLE))
        storage.delete(aside)
    storage.delete(source)


def _restore(aside: str, target: str) -> None:
    """The version of a whole copy, whatever is at the target."""
    _clear(target)
    _copy(aside, target, [name for name in _names(aside) if name != _WHOLE])
    storage.delete(storage.join(aside, _WHOLE))
    storage.delete(aside)


def _clear(folder: str) -> None:
    """Removes a folder's files, first those by which it would be taken for a whole one."""
    names = _names(folder)
    for name in reversed(names):
        if not _is_mark(name):
            break
        storage.delete(storage.join(folder, name))
    if storage.exists(folder):
        if storage.renames_folders(folder):  # a mount point, which stays
            storage.each_at_once(lambda name: storage.delete(storage.join(folder, name)), storage.list_names(folder))
        else:
            storage.delete(folder)


def _copy(source: str, target: str, names: Iterable[str]) -> None:
    """Copies files, the marks behind all others and one by one."""
    plain = [name for name in names if not _is_mark(name)]
    storage.each_at_once(lambda name: _copy_one(source, target, name), plain)
    for name in names:
        if _is_mark(name):
            _copy_one(source, target, name)


def _copy_one(source: str, target: str, name: str) -> None:
    storage.copy_file(storage.join(source, name), storage.join(target, name))


def _names(folder: str) -> list[str]:
    """Paths of the files below a folder, its marks last and `_SUCCESS` behind them."""
    start = len(folder.rstrip("/")) + 1
    names = [entry.uri[start:] for entry in storage.list_files(folder, recursive=True)]
    return sorted(names, key=lambda name: (name == SUCCESS, _is_mark(name), name))


def _is_mark(name: str) -> bool:
    """Whether a folder is known by this file."""
    return name == SUCCESS or ("/" not in name and name.endswith(".json"))


def _beside(target: str, why: str) -> str:
    parent, name = _split(target)
    return storage.join(parent, f".{name}.{why}-{uuid.uuid4().hex[:8]}")


def _split(target: str) -> tuple[str, str]:
    parent, slash, name = target.rpartition("/")
    return (parent or slash or "."), name


def _followed(target: str) -> str:
    """Where a link leads."""
    if storage.is_local(target) and os.path.islink(path := storage.local_path(target)):
        return os.path.realpath(path)
    return target


def _on_one_disk(source: str, target: str) -> bool:
    """Whether a local folder can be renamed; a link may have led to another disk."""
    if not storage.is_local(target) or not os.path.exists(where := storage.local_path(target)):
        return True
    return os.stat(storage.local_path(source)).st_dev == os.stat(where).st_dev


def _exchange(one: str, other: str) -> bool:
    """Swaps two names in one step; False where that is impossible and nothing happened."""
    if not (storage.is_local(one) and storage.is_local(other)):
        return False
    try:
        swap = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):  # not Linux, or a C library older than 2018
        return False
    paths = [os.fsencode(storage.local_path(name)) for name in (one, other)]
    if swap(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _CANNOT_EXCHANGE:
        return False
    raise OSError(code, os.strerror(code), other)
