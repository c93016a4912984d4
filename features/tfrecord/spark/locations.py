"""From what a user gives to `load` to the list of files: globs, folders, partition directories, manifests."""

import fnmatch
import re
from collections.abc import Iterable, Iterator, Sequence

import pyarrow.fs as pafs

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.features.tfrecord.spark.options import ReadOptions
from emberline.features.tfrecord.spark.partitions import DataFile, parse_directories
from emberline.features.tfrecord.spark.shard_manifest import SUCCESS, load_shards

_GLOB = re.compile(r"[*?\[{]")


class LocationError(BadInputError):
    """A location that holds nothing readable, or whose layout is ambiguous."""


def absolute(uri: str) -> str:
    """Returns `uri` as every process understands it: executors have other working directories than the driver."""
    return storage.local_path(uri) if storage.is_local(uri) else uri.rstrip("/")


def find_files(paths: Iterable[str], options: ReadOptions) -> list[DataFile]:
    """Returns every data file under `paths`, sorted by path, with its partition values and expected number of records.

    Files and folders whose names start with `_` or `.` are hidden, and `*.json` beside the shards are descriptions;
    every other file is data, so that a foreign file is noticed when it is read. A file that a manifest names and that
    is gone is listed too: reading it is an error.

    Raises:
        LocationError: Nothing is there, or folders in between would be skipped silently.
    """
    files: dict[str, DataFile] = {}
    for path in paths:
        # What is there is meant as it is written, whatever characters of patterns it has.
        pattern = _GLOB.search(path) and not storage.exists(path)
        roots = list(_expand(path)) if pattern else [path.rstrip("/") or path]
        if not roots:
            raise LocationError(f"[PATH_NOT_FOUND] nothing matches {path!r}")
        for root in roots:
            for file in _under(root, options):
                files[file.path] = file
    return [files[path] for path in sorted(files)]


def _base(options: ReadOptions) -> str:
    return absolute(options.base_path) if options.base_path else ""


def _under(root: str, options: ReadOptions) -> Iterator[DataFile]:
    if storage.is_folder(root):
        yield from _in_folder(root, options)
    elif storage.exists(root):
        values = _partition_values(root, _base(options) or root.rpartition("/")[0])
        yield DataFile(root, storage.file_size(root), values)
    else:
        raise LocationError(f"[PATH_NOT_FOUND] {root} does not exist.")


def _in_folder(root: str, options: ReadOptions) -> Iterator[DataFile]:
    prefix = root.rstrip("/") + "/"
    listing = {entry.uri[len(prefix) :]: entry for entry in storage.list_files(root, recursive=True)}
    promised = {shard.path: shard.records for shard in load_shards(root) or []}
    names = [name for name in {*listing, *promised} if is_data_file(name)]
    names = [name for name in names if _matches(name.rpartition("/")[2], options.path_glob or "*")]
    if not names and SUCCESS not in listing:
        raise LocationError(
            f"{root} holds no TFRecord files and no {SUCCESS}: it is empty, or the job that writes it has not finished."
        )
    nested = sorted(name for name in names if any("=" not in part for part in name.split("/")[:-1]))
    if nested and not options.recursive:
        raise LocationError(
            f"{root} holds files in folders that are no partitions, such as {nested[0]!r}. Load those folders "
            "themselves, or set the option recursiveFileLookup to true to read everything below."
        )
    for name in names:
        values = () if options.recursive else _partition_values(prefix + name, _base(options) or root)
        size = listing[name].size if name in listing else 0
        yield DataFile(prefix + name, size, values, promised.get(name))


def is_data_file(name: str) -> bool:
    """Returns whether a relative path names data: not hidden (`_*` without `=`, `.*`), no description (`*.json`)."""
    parts = name.split("/")
    hidden = any(part.startswith(".") or (part.startswith("_") and "=" not in part) for part in parts)
    return not hidden and not parts[-1].endswith(".json")


def _partition_values(path: str, base: str) -> tuple[tuple[str, str | None], ...]:
    prefix = base.rstrip("/") + "/"
    if not path.startswith(prefix):
        raise LocationError(f"{path} does not lie under the basePath {base}")
    return parse_directories(path[len(prefix) :])


def _expand(pattern: str) -> Iterator[str]:
    """Existing files and folders that match a glob with `*`, `?`, `[...]` and `{a,b}` in any path component."""
    head, *rest = re.split(r"/(?=[^/]*[*?\[{])", pattern.rstrip("/"), maxsplit=1)
    yield from _descend(head or "/", rest[0].split("/"))


def _descend(folder: str, parts: Sequence[str]) -> Iterator[str]:
    filesystem, path = storage.resolve(folder)
    part, *rest = parts
    if not _GLOB.search(part):
        names = [part] if storage.exists(storage.join(folder, part)) else []
    else:
        entries = filesystem.get_file_info(pafs.FileSelector(path, allow_not_found=True))
        names = sorted(entry.base_name for entry in entries if _matches(entry.base_name, part))
        names = [name for name in names if name[0] not in "._" or part[0] == name[0] or "=" in name]
    for name in names:
        found = storage.join(folder, name)
        if not rest:
            yield found
        elif storage.is_folder(found):
            yield from _descend(found, rest)


def _matches(name: str, pattern: str) -> bool:
    return any(fnmatch.fnmatchcase(name, one.replace("[^", "[!")) for one in _alternatives(pattern))


def _alternatives(pattern: str) -> list[str]:
    """`a{b,c}d` -> `abd`, `acd`; Hadoop's globs have them, fnmatch has not."""
    match = re.search(r"\{([^{}]*)\}", pattern)
    if match is None:
        return [pattern]
    start, stop = match.span()
    return [full for choice in match[1].split(",") for full in _alternatives(pattern[:start] + choice + pattern[stop:])]
