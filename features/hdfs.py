"""HDFS without Java: the client of `hdfs-native` as a file system of pyarrow's, and which URIs mean one place.

Settings come from where Hadoop's own clients look: `core-site.xml` and `hdfs-site.xml` in `HADOOP_CONF_DIR`, else in
`HADOOP_HOME/etc/hadoop`, else in what Spark has brought into a container of YARN.
"""

import errno
import io
import os
import re
import socket
import time
import xml.etree.ElementTree
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.fs as pafs

from emberline.features.errors import BadInputError

if TYPE_CHECKING:
    from hdfs_native import Client, FileStatus

SCHEMES = ("hdfs", "viewfs")
FAMILY = (*SCHEMES, "webhdfs", "swebhdfs")
"""Schemes under which a file of HDFS can be named."""

_PORT = "8020"
_CONNECT_SECONDS = 10
"""For a name node to take a connection: as often as Hadoop's own client tries one that refuses, a second apart."""

_BROUGHT = "__spark_conf__/__hadoop_conf__"
"""Where Spark unpacks the submitter's settings, in the folder in which a container of YARN runs."""

_TOLD = re.compile(r'RPCError\("(?:[\w$]+\.)*(?P<kind>[\w$]+)", "(?P<said>.*)"\)', re.DOTALL)
_KINDS: dict[str, tuple[int, str]] = {
    "AccessControlException": (errno.EACCES, "have the rights given, or choose another place"),
    "DSQuotaExceededException": (errno.EDQUOT, "remove something there, or have the space quota raised"),
    "NSQuotaExceededException": (errno.EDQUOT, "remove something there, or have the quota of names raised"),
    "SafeModeException": (errno.EROFS, "nothing is written before the name node leaves safe mode; run it again then"),
    "ParentNotDirectoryException": (errno.ENOTDIR, "a file has the name of a folder; choose another place"),
    "PathIsNotEmptyDirectoryException": (errno.ENOTEMPTY, "the folder is not empty"),
}


class HdfsHandler(pafs.FileSystemHandler):
    """The file system of one name node, or of a pair of them.

    Args:
        client: Client of `hdfs-native`.
        place: Names of the name nodes, as `name_nodes` returns them.
        umask: Rights that new files and folders do not have, as `fs.permissions.umask-mode` says.
    """

    def __init__(self, client: "Client", place: frozenset[str], umask: int) -> None:
        self.place = place
        self._client, self._umask = client, umask

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HdfsHandler) and not self.place.isdisjoint(other.place)

    __hash__ = None  # type: ignore[assignment]

    def get_type_name(self) -> str:
        return "hdfs"

    def normalize_path(self, path: str) -> str:
        return path

    def get_file_info(self, paths: list[str]) -> list[pafs.FileInfo]:
        return [self._info(path) for path in paths]

    def get_file_info_selector(self, selector: pafs.FileSelector) -> list[pafs.FileInfo]:
        base = self._info(selector.base_dir)
        if base.type is pafs.FileType.NotFound:
            if selector.allow_not_found:
                return []
            raise FileNotFoundError(errno.ENOENT, "No such folder", selector.base_dir)
        if base.type is not pafs.FileType.Directory:
            raise NotADirectoryError(errno.ENOTDIR, "No folder but a file", selector.base_dir)
        with _errors(selector.base_dir):
            return [_file_info(status) for status in self._client.list_status(selector.base_dir, selector.recursive)]

    def create_dir(self, path: str, recursive: bool) -> None:
        with _errors(path):
            self._client.mkdirs(path, 0o777 & ~self._umask, recursive)

    def delete_dir(self, path: str) -> None:
        self._delete(path, recursive=True)

    def delete_dir_contents(self, path: str, missing_dir_ok: bool = False) -> None:
        for info in self.get_file_info_selector(pafs.FileSelector(path, allow_not_found=missing_dir_ok)):
            self._delete(info.path, recursive=True)

    def delete_root_dir_contents(self) -> None:
        raise NotImplementedError("The root of a file system is never emptied.")

    def delete_file(self, path: str) -> None:
        self._delete(path, recursive=False)

    def move(self, src: str, dest: str) -> None:
        with _errors(src):
            self._client.rename(src, dest, True)  # in one step, over an older file too

    def copy_file(self, src: str, dest: str) -> None:
        with self.open_input_stream(src) as source, self.open_output_stream(dest, {}) as copy:
            while piece := source.read(4 << 20):
                copy.write(piece)

    def open_input_stream(self, path: str) -> pa.NativeFile:
        return self.open_input_file(path)

    def open_input_file(self, path: str) -> pa.NativeFile:
        with _errors(path):
            return pa.PythonFile(_Reader(self._client.read(path), path), mode="r")

    def open_output_stream(self, path: str, metadata: Any) -> pa.NativeFile:
        from hdfs_native import WriteOptions

        with _errors(path):
            options = WriteOptions(overwrite=True, create_parent=True, permission=0o666 & ~self._umask)
            return pa.PythonFile(_Writer(self._client.create(path, options), path), mode="w")

    def open_append_stream(self, path: str, metadata: Any) -> pa.NativeFile:
        with _errors(path):
            return pa.PythonFile(_Writer(self._client.append(path), path), mode="w")

    def _info(self, path: str) -> pafs.FileInfo:
        try:
            with _errors(path):
                return _file_info(self._client.get_file_info(path), path)
        except (FileNotFoundError, NotADirectoryError):
            return pafs.FileInfo(path, pafs.FileType.NotFound)

    def _delete(self, path: str, recursive: bool) -> None:
        with _errors(path):
            if not self._client.delete(path, recursive):
                raise FileNotFoundError(errno.ENOENT, "No such file or folder", path)


class _Reader(io.RawIOBase):
    """An open file, with errors of the operating system's kind; one that ends early is an error."""

    def __init__(self, file: Any, path: str) -> None:
        self._file, self._path = file, path

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return int(self._file.tell())

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        size = len(self._file)
        offset += {os.SEEK_SET: 0, os.SEEK_CUR: self.tell(), os.SEEK_END: size}[whence]
        with _errors(self._path):
            self._file.seek(min(offset, size))
        return min(offset, size)

    def read(self, size: int = -1) -> bytes:
        with _errors(self._path):
            return bytes(self._file.read(size))


class _Writer(io.RawIOBase):
    """A new file. A block that no data node takes fails the writes after it; a file is whole once it is closed."""

    def __init__(self, file: Any, path: str) -> None:
        self._file, self._path, self._failed = file, path, False

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        try:
            with _errors(self._path):
                return int(self._file.write(data))
        except OSError:
            self._failed = True
            raise

    def close(self) -> None:
        if not self.closed:
            super().close()
            if self._failed:  # it was said; what is there is removed by who writes it
                return
            with _errors(self._path):
                self._file.close()


def open_hdfs(scheme: str, authority: str) -> pafs.FileSystem:
    """Returns the file system of `scheme://authority/`.

    Args:
        scheme: `hdfs` or `viewfs`.
        authority: Name node, name service, or empty for that of Hadoop's configuration.

    Raises:
        ImportError: `hdfs-native` is not installed.
        BadInputError: nothing says which name node is meant.
        OSError: no name node can be reached.
    """
    from hdfs_native import Client

    settings = hadoop_settings()
    if not authority:
        scheme, _, authority = _default(settings).partition("://")
        authority = authority.rstrip("/")
    if scheme == "hdfs":
        _require_answer(authority, settings)
    with _errors(f"{scheme}://{authority}/"):
        client = Client(f"{scheme}://{authority}", config_dir=_settings_folder())
    umask = int(settings.get("fs.permissions.umask-mode", "022"), 8)
    return pafs.PyFileSystem(HdfsHandler(client, name_nodes(scheme, authority, settings), umask))


def hadoop_settings() -> dict[str, str]:
    """Returns Hadoop's settings; those of clusters that are not configured here are none."""
    folder = _settings_folder()
    found: dict[str, str] = {}
    if folder is None:
        return found
    for name in ("core-site.xml", "hdfs-site.xml"):
        path = Path(folder) / name
        if not path.exists():
            continue
        for item in xml.etree.ElementTree.parse(path).getroot().iter("property"):
            found[(item.findtext("name") or "").strip()] = (item.findtext("value") or "").strip()
    return found


def _settings_folder() -> str | None:
    if folder := os.environ.get("HADOOP_CONF_DIR"):
        return folder
    if home := os.environ.get("HADOOP_HOME"):
        return os.path.join(home, "etc", "hadoop")
    return _BROUGHT if os.path.isdir(_BROUGHT) else None


def name_nodes(scheme: str, authority: str, settings: dict[str, str] | None = None) -> frozenset[str]:
    """Returns `address:port` of the name nodes behind `scheme://authority/`, by which two names of a place are equal.

    Ports of `webhdfs` are others than those of `hdfs`: for these the port is `*`.
    """
    settings = hadoop_settings() if settings is None else settings
    if not authority and "fs.defaultFS" in settings:
        default, _, authority = settings["fs.defaultFS"].partition("://")
        scheme = default if scheme in SCHEMES else scheme
    if scheme == "viewfs":
        return frozenset({f"viewfs {authority.strip('/')}"})
    found = set()
    for host, port in _hosts(authority.rstrip("/"), settings):
        try:
            addresses = {str(item[4][0]) for item in socket.getaddrinfo(host, None)}
        except (OSError, UnicodeError):
            addresses = {host.lower()}
        found |= {f"{address}:{port if scheme == 'hdfs' else '*'}" for address in addresses}
    return frozenset(found)


def places(scheme: str, authority: str, path: str) -> list[tuple[frozenset[str], str]]:
    """Returns every name node and path by which a file is known: of `viewfs` also where its mount table leads."""
    settings = hadoop_settings()
    found = [(name_nodes(scheme, authority, settings), path)]
    if scheme == "viewfs" or (not authority and settings.get("fs.defaultFS", "").startswith("viewfs:")):
        table = authority or settings["fs.defaultFS"].partition("://")[2].strip("/") or "default"
        start = f"fs.viewfs.mounttable.{table}.link."
        for name, target in settings.items():
            link = name.removeprefix(start).rstrip("/")
            if name.startswith(start) and f"{path}/".startswith(f"{link}/"):
                to, _, rest = target.partition("://")
                host, _, folder = rest.partition("/")
                found.append((name_nodes(to, host, settings), f"/{folder.rstrip('/')}{path[len(link) :]}"))
    return found


def are_one_place(one: frozenset[str], other: frozenset[str]) -> bool:
    """Returns whether two results of `name_nodes` share a name node."""
    if any(name.endswith(":*") for name in one | other):
        one, other = (frozenset(name.rpartition(":")[0] for name in names) for names in (one, other))
    return not one.isdisjoint(other)


def _default(settings: dict[str, str]) -> str:
    if "fs.defaultFS" in settings:
        return settings["fs.defaultFS"]
    where = _settings_folder()
    said = f"{where} has no fs.defaultFS" if where else "HADOOP_CONF_DIR is not set"
    raise BadInputError(
        f"A URI such as hdfs:///path names no name node, and {said}. Write "
        "hdfs://HOST:PORT/path, or set HADOOP_CONF_DIR to the folder of core-site.xml, on executors too."
    )


def _hosts(authority: str, settings: dict[str, str]) -> list[tuple[str, str]]:
    """Host and port of a name node, or of all those of a name service."""
    nodes = settings.get(f"dfs.ha.namenodes.{authority}", "")
    named = [settings.get(f"dfs.namenode.rpc-address.{authority}.{node.strip()}", "") for node in nodes.split(",")]
    found = []
    for address in filter(None, named) if nodes else [authority]:
        host, _, port = address.rpartition(":") if re.search(r":\d+$", address) else (address, "", _PORT)
        found.append((host.strip("[]"), port))
    return found


def _require_answer(authority: str, settings: dict[str, str]) -> None:
    """Fails soon where nobody listens: `hdfs-native` itself tries for three minutes."""
    deadline = time.monotonic() + _CONNECT_SECONDS
    hosts = _hosts(authority, settings)
    while True:
        for address in hosts:
            try:
                socket.create_connection(address, timeout=_CONNECT_SECONDS).close()  # type: ignore[arg-type]
            except OSError as error:
                reason = error
            else:
                return
        if time.monotonic() >= deadline or isinstance(reason, socket.gaierror):
            said = ", ".join(map(":".join, hosts))
            raise OSError(
                reason.errno or errno.ETIMEDOUT,
                f"No name node of hdfs://{authority} answers at {said} ({reason}). Start it, or correct the URI or "
                "HADOOP_CONF_DIR",
            )
        time.sleep(1)


def _file_info(status: "FileStatus", path: str = "") -> pafs.FileInfo:
    kind = pafs.FileType.Directory if status.isdir else pafs.FileType.File
    size = None if status.isdir else status.length
    return pafs.FileInfo(path or status.path, kind, mtime_ns=status.modification_time * 1_000_000, size=size)


@contextmanager
def _errors(path: str) -> Iterator[None]:
    """Errors of the name node as those of the operating system, without the traces of Java."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        number = {FileNotFoundError: errno.ENOENT, FileExistsError: errno.EEXIST, IsADirectoryError: errno.EISDIR}
        said = str(error).partition("\n")[0]
        raise OSError(error.errno or number.get(type(error), errno.EIO), said, path) from None
    except RuntimeError as error:
        raise _translated(str(error), path) from None


def _translated(text: str, path: str) -> OSError:
    match = _TOLD.fullmatch(text)
    if match is None:
        return OSError(errno.EIO, text.partition("\\n")[0], path)
    said = match["said"].partition("\\n")[0].replace('\\"', '"')
    known = next((kind for kind in (match["kind"], *_KINDS) if kind in _KINDS and kind in match["kind"] + said), "")
    number, advice = _KINDS.get(known, (errno.EIO, ""))
    return OSError(number, f"{said.rstrip('.')} ({advice})" if advice else said, path)
