"""Files by URI: one place that turns `file: hdfs: s3: gs: memory:` ... into a file system and a path.

`hdfs:` and `s3:` are opened by `features/hdfs.py` and `features/s3.py`. `pyarrow.fs` serves what else it knows (local,
gs, abfs, and hdfs where Hadoop's library is); everything else goes through fsspec (`memory: http: sftp:` ... and
whatever package registers a protocol). No Spark and no TensorFlow in here.

A URI without a scheme is a local path. The path part is taken literally, as Hadoop does: `%20` stays `%20`
(Spark writes partition folders such as `at=10%3A30`).
"""

import functools
import hashlib
import os
import posixpath
import re
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from types import ModuleType
from typing import TypeVar

import pyarrow as pa
import pyarrow.fs as pafs

from emberline.features import hdfs, s3
from emberline.features.errors import BadInputError

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(.*)", re.DOTALL)  # two letters at least: "c:" is a Windows drive
_ALIASES = {"s3a": "s3", "s3n": "s3", "gcs": "gs"}
_OBJECT_STORES = ("s3", "gcs", "abfs")  # folders are only prefixes there
_RENAMING = ("local", "hdfs", "py::hdfs")  # what fsspec serves copies and deletes, whatever it calls a move
_PIECE = 4 << 20
_AT_ONCE = 32
"""Requests under way of one `each_at_once`."""

Item = TypeVar("Item")


class StorageError(BadInputError, OSError):
    """A URI that cannot be served, with what to install or to correct: a second try does not help."""


@dataclass(frozen=True)
class FileEntry:
    """One file of a listing: its URI and its size in bytes."""

    uri: str
    size: int


def resolve(uri: str | os.PathLike[str]) -> tuple[pafs.FileSystem, str]:
    """Returns the file system that serves `uri`, and the path in it.

    Raises:
        StorageError: no installed package serves the scheme.
    """
    uri = os.fspath(uri)
    match = _SCHEME.fullmatch(uri)
    if match is None:
        return pafs.LocalFileSystem(), os.path.abspath(uri)
    scheme, rest = _ALIASES.get(match[1].lower(), match[1].lower()), match[2]
    if scheme == "file":
        return pafs.LocalFileSystem(), os.path.abspath(_without_authority(rest))
    rest, _, options = rest.partition("?") if scheme in ("s3", "gs", "abfs", "abfss") else (rest, "", "")
    if rest.startswith("//"):
        authority, _, path = rest[2:].partition("/")
    else:
        authority, path = "", rest.lstrip("/")
    filesystem, root = _filesystem(scheme, authority, options)
    return filesystem, f"{root.rstrip('/')}/{path}".rstrip("/") or "/"


def _without_authority(rest: str) -> str:
    """Returns `/path` of `//host/path`, for a file URI; only the local host has files here."""
    if not rest.startswith("//"):
        return rest
    authority, slash, path = rest[2:].partition("/")
    if authority not in ("", "localhost"):
        raise StorageError(f"File URI names the host {authority!r}; write file:///absolute/path for a local file.")
    return slash + path


@functools.lru_cache(maxsize=64)
def _filesystem(scheme: str, authority: str, options: str) -> tuple[pafs.FileSystem, str]:
    """Returns file system and root path of `scheme://authority/`; one client per place and process."""
    root = f"{scheme}://{authority}/" + (f"?{options}" if options else "")
    if scheme in hdfs.SCHEMES:
        return _hdfs(scheme, authority, root), "/"
    try:
        if scheme == "s3":
            return s3.open_s3(authority, options), authority
        return pafs.FileSystem.from_uri(root)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        reason = f"pyarrow: {error}"
    try:
        fsspec: ModuleType = __import__("fsspec.core").core
        backend, path = fsspec.url_to_fs(root)
    except (ImportError, ValueError, OSError) as error:
        raise StorageError(
            f"Nothing here serves {root} ({reason}; fsspec: {error}); "
            f"install the fsspec package for {scheme!r} on every node, or copy the data to a known file system."
        ) from error
    return pafs.PyFileSystem(pafs.FSSpecHandler(backend)), path


def _hdfs(scheme: str, authority: str, root: str) -> pafs.FileSystem:
    try:
        return hdfs.open_hdfs(scheme, authority)
    except ImportError as error:
        missing = error
    try:  # Hadoop's own library, which needs Java and CLASSPATH beside it
        return pafs.FileSystem.from_uri(root)[0]
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise StorageError(
            f"Nothing here opens {root}: the package hdfs-native is not installed ({missing}), and pyarrow finds no "
            f"libhdfs ({str(error).partition(chr(10))[0]}). Install 'emberline[hdfs]' here and on every node."
        ) from error


def is_local(uri: str | os.PathLike[str]) -> bool:
    """Returns whether `uri` is a path of this machine (or mounted on it)."""
    match = _SCHEME.fullmatch(os.fspath(uri))
    return match is None or match[1].lower() == "file"


def local_path(uri: str | os.PathLike[str]) -> str:
    """Returns the path of a local URI, for libraries that take only paths.

    Raises:
        StorageError: `uri` is not local.
    """
    if not is_local(uri):
        raise StorageError(f"{os.fspath(uri)} is not a local file; copy it to this machine first.")
    return resolve(uri)[1]


def join(uri: str | os.PathLike[str], *parts: str) -> str:
    """Returns `uri` extended by path components; a component that is a URI or an absolute path replaces it.

    Example:
        >>> join("s3://bucket/datasets", "v1", "manifest.json")
        's3://bucket/datasets/v1/manifest.json'
    """
    result = os.fspath(uri)
    for part in parts:
        if _SCHEME.fullmatch(part) or part.startswith("/"):
            result = part
        elif part:
            result = f"{result.rstrip('/')}/{part}" if result.rstrip("/") else f"{result}{part}"
    return result


def below(uri: str | os.PathLike[str], path: str) -> str:
    """Returns `uri` extended by a path that a file or a user named, which must not lead out of it.

    Raises:
        BadInputError: if it is empty, absolute, a URI, or has `..` in it.
    """
    if not path or path.startswith(("/", "\\")) or _SCHEME.fullmatch(path) or ".." in re.split(r"[/\\]", path):
        raise BadInputError(f"The path {path!r} leads out of its folder {os.fspath(uri)!r}: expected a name below it.")
    return join(uri, path)


def open_input(uri: str | os.PathLike[str]) -> pa.NativeFile:
    """Returns a readable stream of the file's bytes, never decompressed on the way."""
    filesystem, path = resolve(uri)
    return filesystem.open_input_stream(path, compression=None)


def open_random(uri: str | os.PathLike[str]) -> pa.NativeFile:
    """Returns a seekable file: `read_at(size, offset)`, `size()`."""
    filesystem, path = resolve(uri)
    return filesystem.open_input_file(path)


def open_output(uri: str | os.PathLike[str]) -> pa.NativeFile:
    """Returns a writable stream; missing parent folders are made. The file may be visible before it is closed."""
    filesystem, path = resolve(uri)
    _make_parent(filesystem, path)
    return filesystem.open_output_stream(path, compression=None)


def read_bytes(uri: str | os.PathLike[str]) -> bytes:
    """Returns the whole file."""

    def read() -> bytes:
        with open_input(uri) as stream:
            return bytes(stream.read())

    return s3.patiently(read)


def sha256(uri: str | os.PathLike[str]) -> str:
    """Returns SHA-256 of the file's bytes, in hexadecimal; read in pieces."""
    found = hashlib.sha256()
    with open_input(uri) as stream:
        while piece := stream.read(_PIECE):
            found.update(piece)
    return found.hexdigest()


def read_text(uri: str | os.PathLike[str]) -> str:
    """Returns the whole file, as UTF-8.

    Example:
        >>> write_text_atomic("memory://example/notes.txt", "kept")
        >>> read_text("memory://example/notes.txt")
        'kept'
    """
    return read_bytes(uri).decode("utf-8")


def write_bytes_atomic(uri: str | os.PathLike[str], data: bytes) -> None:
    """Writes a file that appears with all its bytes or not at all, replacing an older one."""
    uri = os.fspath(uri)

    def write(place: str) -> None:
        with open_output(place) as stream:
            stream.write(data)

    if resolve(uri)[0].type_name.startswith(_OBJECT_STORES):  # an object appears when it is closed, and is not renamed
        s3.patiently(lambda: write(uri))
        return
    head, _, name = uri.rpartition("/")
    temporary = f"{head}/.{name}.{uuid.uuid4().hex}" if head else f".{name}.{uuid.uuid4().hex}"
    try:
        write(temporary)
        move(temporary, uri)
    except BaseException:
        if exists(temporary):
            delete(temporary)
        raise


def write_text_atomic(uri: str | os.PathLike[str], text: str) -> None:
    """Writes a text as UTF-8, as `write_bytes_atomic` does."""
    write_bytes_atomic(uri, text.encode("utf-8"))


def exists(uri: str | os.PathLike[str]) -> bool:
    """Returns whether a file or folder is there."""
    filesystem, path = resolve(uri)
    return filesystem.get_file_info(path).type is not pafs.FileType.NotFound


def is_folder(uri: str | os.PathLike[str]) -> bool:
    """Returns whether `uri` is a folder (for object stores: a prefix with files under it)."""
    filesystem, path = resolve(uri)
    return filesystem.get_file_info(path).type is pafs.FileType.Directory


def file_size(uri: str | os.PathLike[str]) -> int:
    """Returns the size in bytes.

    Raises:
        FileNotFoundError: there is no such file.
    """
    filesystem, path = resolve(uri)
    info = filesystem.get_file_info(path)
    if info.type is not pafs.FileType.File:
        raise FileNotFoundError(f"No file at {os.fspath(uri)}")
    return int(info.size)


def last_change(uri: str | os.PathLike[str]) -> datetime | None:
    """Returns when a file, or the latest file in a folder, was written; None if unknown, or if nothing is there."""
    filesystem, path = resolve(uri)
    found = [filesystem.get_file_info(path)]
    if found[0].type is pafs.FileType.Directory:
        found += filesystem.get_file_info(pafs.FileSelector(path, recursive=True, allow_not_found=True))
    times = [info.mtime for info in found if isinstance(info.mtime, datetime)]
    return max(times, default=None)


def list_files(uri: str | os.PathLike[str], *, recursive: bool = False) -> list[FileEntry]:
    """Returns the files in a folder, sorted by name; an absent folder has none."""
    uri = os.fspath(uri)
    filesystem, path = resolve(uri)
    base = path.rstrip("/") + "/"
    if recursive and isinstance(filesystem, pafs.LocalFileSystem) and _has_links(path):
        infos = filesystem.get_file_info(_without_circles(path))
    else:
        infos = filesystem.get_file_info(pafs.FileSelector(path, recursive=recursive, allow_not_found=True))
    found = [info for info in infos if info.type is pafs.FileType.File]
    entries = [FileEntry(join(uri, _relative(info.path, base)), int(info.size)) for info in found]
    return sorted(entries, key=lambda entry: entry.uri)


def _has_links(path: str) -> bool:
    """Whether a link to a folder is among those below."""
    return any(os.path.islink(os.path.join(folder, name)) for folder, names, _ in os.walk(path) for name in names)


def _without_circles(path: str) -> list[str]:
    """Files below a local folder; links to folders are followed, each folder is entered once."""
    found: list[str] = []
    entered = {os.path.realpath(path)}
    waiting = [path]
    while waiting:
        folder = waiting.pop()
        for entry in sorted(os.scandir(folder), key=lambda entry: (entry.is_symlink(), entry.name)):
            if not entry.is_dir():
                found.append(entry.path)
            elif (real := os.path.realpath(entry.path)) not in entered:
                entered.add(real)
                waiting.append(entry.path)
    return found


def list_folders(uri: str | os.PathLike[str]) -> list[str]:
    """Returns the names of the folders in a folder, sorted; an absent folder has none."""
    return _names(uri, (pafs.FileType.Directory,))


def list_names(uri: str | os.PathLike[str]) -> list[str]:
    """Returns the names of the files and folders in a folder, sorted; an absent folder has none."""
    return _names(uri, (pafs.FileType.Directory, pafs.FileType.File))


def _names(uri: str | os.PathLike[str], kinds: tuple[pafs.FileType, ...]) -> list[str]:
    filesystem, path = resolve(uri)
    selector = pafs.FileSelector(path, allow_not_found=True)
    return sorted(info.base_name for info in filesystem.get_file_info(selector) if info.type in kinds)


def _relative(path: str, base: str) -> str:
    # fsspec file systems may list with or without the leading slash
    path, base = path.lstrip("/"), base.lstrip("/")
    return path[len(base) :] if path.startswith(base) else path


def move(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Renames a file or folder within one file system; an existing target file is replaced.

    Atomic where the file system's rename is (local, hdfs); object stores copy and delete.
    """
    filesystem, source_path = resolve(source)
    other, target_path = resolve(target)
    if filesystem.type_name != other.type_name:
        raise StorageError(f"Cannot move {os.fspath(source)} to {os.fspath(target)}: not the same file system.")
    _make_parent(filesystem, target_path)
    try:
        filesystem.move(source_path, target_path)
    except OSError:
        # Hadoop's library refuses to rename over an existing file
        if filesystem.get_file_info(target_path).type is not pafs.FileType.File:
            raise
        filesystem.delete_file(target_path)
        filesystem.move(source_path, target_path)


def renames_folders(uri: str | os.PathLike[str]) -> bool:
    """Returns whether folders are renamed in one step there; object stores, and what fsspec serves, copy and delete."""
    return resolve(uri)[0].type_name in _RENAMING


def is_within(uri: str | os.PathLike[str], folder: str | os.PathLike[str]) -> bool:
    """Returns whether `uri` is `folder` or lies in it, under any of the names, links and mounts that lead to both."""
    if _scheme(uri) in hdfs.FAMILY and _scheme(folder) in hdfs.FAMILY:
        return _is_within_on_hdfs(os.fspath(uri), os.fspath(folder))
    if _scheme(uri) != _scheme(folder):
        return False
    filesystem, path = resolve(uri)
    other, above = resolve(folder)
    if isinstance(filesystem, pafs.LocalFileSystem) and isinstance(other, pafs.LocalFileSystem):
        path, above = os.path.realpath(path), os.path.realpath(above)
        if os.path.exists(above) and any(os.path.samefile(above, up) for up in _upwards(path) if os.path.exists(up)):
            return True
    elif filesystem.type_name != other.type_name or not (
        filesystem.type_name.startswith(_OBJECT_STORES) or filesystem.equals(other)
    ):
        return False
    return _is_below(path, above)


def _is_below(path: str, above: str) -> bool:
    path, above = posixpath.normpath(path), posixpath.normpath(above)  # Hadoop goes up at "..", whatever others do
    return f"{path.strip('/')}/".startswith(f"{above.strip('/')}/".lstrip("/"))


def _is_within_on_hdfs(uri: str, folder: str) -> bool:
    """Whether one is in the other under any of the names of a name node; nobody is asked but the name server."""
    found = []
    for text in (uri, folder):
        scheme, rest = text.partition(":")[0].lower(), text.partition(":")[2]
        authority, _, path = rest[2:].partition("/") if rest.startswith("//") else ("", "", rest.lstrip("/"))
        found.append(hdfs.places(scheme, authority, posixpath.normpath(f"/{path}")))
    return any(
        hdfs.are_one_place(place, above) and _is_below(path, top) for place, path in found[0] for above, top in found[1]
    )


def _scheme(uri: str | os.PathLike[str]) -> str:
    match = _SCHEME.fullmatch(os.fspath(uri))
    return _ALIASES.get(match[1].lower(), match[1].lower()) if match else "file"


def _upwards(path: str) -> list[str]:
    """A path and all folders above it."""
    found = [path]
    while (above := os.path.dirname(found[-1])) != found[-1]:
        found.append(above)
    return found


def each_at_once(action: Callable[[Item], object], items: Iterable[Item]) -> None:
    """Applies an action to every item, many at a time: a rename waits for a name node or an object store, not for us.

    Raises:
        Exception: what the first item in their order raised; the others are done, or were begun.
    """
    with ThreadPoolExecutor(_AT_ONCE, "emberline-storage") as threads:
        for _ in threads.map(action, items):
            pass


def delete(uri: str | os.PathLike[str]) -> None:
    """Removes a file, or a folder with everything in it; absent is fine."""
    filesystem, path = resolve(uri)
    kind = filesystem.get_file_info(path).type
    with suppress(FileNotFoundError):  # somebody was quicker; object stores may list a folder whose files have gone
        if kind is pafs.FileType.Directory:
            filesystem.delete_dir(path)
        elif kind is not pafs.FileType.NotFound:
            filesystem.delete_file(path)


def make_dirs(uri: str | os.PathLike[str]) -> None:
    """Makes a folder and its parents; existing is fine."""
    filesystem, path = resolve(uri)
    filesystem.create_dir(path, recursive=True)


def _make_parent(filesystem: pafs.FileSystem, path: str) -> None:
    parent = path.rpartition("/")[0]
    if parent and not filesystem.type_name.startswith(_OBJECT_STORES):
        filesystem.create_dir(parent, recursive=True)


def copy_file(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Copies one file between any two file systems; a file already there is replaced.

    Within one object store its server copies: no byte comes here.
    """
    filesystem, path = resolve(source)
    other, target_path = resolve(target)
    if filesystem.type_name == "s3" and filesystem.equals(other) and file_size(source) < s3.COPY_BYTES:
        s3.patiently(lambda: filesystem.copy_file(path, target_path))
        return
    with open_input(source) as stream, open_output(target) as copy:
        while piece := stream.read(_PIECE):
            copy.write(piece)


def copy_folder(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Copies a folder with everything in it, between any two file systems."""
    filesystem, path = resolve(source)
    other, target_path = resolve(target)
    other.create_dir(target_path, recursive=True)
    pafs.copy_files(path, target_path, source_filesystem=filesystem, destination_filesystem=other)
