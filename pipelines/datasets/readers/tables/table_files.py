"""Which files of a folder are the table, what the names of their folders say, and what else lies there."""

import json
import re
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from emberline.features import storage
from emberline.features.dataset_version import MANIFEST
from emberline.features.errors import BadInputError
from emberline.pipelines.datasets.readers.raw_table import file_name, input_files

ENDINGS = {
    "parquet": ("parquet", "pq", "parq"),
    "orc": ("orc",),
    "csv": ("csv", "tsv", "psv", "tab"),
    "json": ("json", "jsonl", "ndjson"),
    "tfrecord": ("tfrecord", "tfrecords"),
}
"""Endings of files by format, compression aside."""

COMPRESSED = ("gz", "bz2", "zst", "lz4", "snappy")

PLAIN_TEXT = ("", "txt", "data", "dat", "test")
"""Endings of files that are a table only where nothing else is."""

ABOUT = re.compile(
    r"(read.?me|licen[cs]e|copying|notice|notes?|changelog|description|.*description|.*checksums?|"
    r"md5sums?|sha\d+sums?|manifest|index|synthetic)",
    re.IGNORECASE,
)
"""Files that tell about a table."""

NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class TableFile:
    """A file of a table.

    Args:
        uri: Where it lies.
        size: Its bytes.
        values: What the names of its folders say, `NAME=VALUE`, as texts; None for no value.
    """

    uri: str
    size: int
    values: Mapping[str, str | None]

    @property
    def ending(self) -> str:
        """The last ending of its name that says what is in it."""
        return _ending(self.uri)

    @property
    def compression(self) -> str:
        """How it is compressed; empty for not at all."""
        last = file_name(self.uri).lower().rpartition(".")[2]
        return last if last in COMPRESSED else ""


@dataclass(frozen=True)
class TableFiles:
    """A table.

    Args:
        format: One of `table_format.FORMATS`.
        files: Its files.
        others: Names of files that lie beside them and are none of it.
    """

    format: str
    files: Sequence[TableFile]
    others: Sequence[str]

    @property
    def value_names(self) -> tuple[str, ...]:
        """Columns that are names of folders."""
        return tuple(dict.fromkeys(name for file in self.files for name in file.values))


def table_files(uri: str, given: str = "", entries: Sequence[storage.FileEntry] | None = None) -> TableFiles:
    """Lists the files of the table at `uri`. Files and folders that begin with `_` or `.` are none of it, at any depth.

    Args:
        uri: A file or a folder, with folders in it however deep; the path is taken literally.
        given: A format that somebody said it has.
        entries: What lies there, as far as somebody listed it already: files with something in them.

    Raises:
        BadInputError: if there is nothing, or no table, or tables of two formats, or folders of which only some say
            `NAME=VALUE`.
    """
    found = input_files(uri) if entries is None else list(entries)
    kinds = {entry.uri: _format(entry.uri) for entry in found}
    formats = {kind for kind in kinds.values() if kind}
    if formats == {"tfrecord", "json"}:  # beside the shards lies their manifest
        kinds = {
            name: kind if kind == "tfrecord" or file_name(name) != MANIFEST else "" for name, kind in kinds.items()
        }
        formats = {kind for kind in kinds.values() if kind}
    if given in formats or (not given and len(formats) == 1):
        form = given or formats.pop()
        chosen = [entry for entry in found if kinds[entry.uri] == form]
    elif given or not formats:
        chosen = [entry for entry in found if _may_be_text(entry.uri) and not kinds[entry.uri]]
        if given and len(found) == 1:
            chosen = found
        form = given or _by_content(chosen)
    else:
        listed = "; ".join(
            f"{form}: {_some(name for name, kind in kinds.items() if kind == form)}" for form in sorted(formats)
        )
        raise BadInputError(
            f"{uri!r} holds tables of several formats ({listed}). Give --input-format, or a folder with one of them."
        )
    if not chosen or not form:
        raise BadInputError(
            f"{uri!r} holds no table that is known by its name: {_some(kinds)}. Give a table with column names: "
            f"{', '.join(end for ends in ENDINGS.values() for end in ends)}; or say what it is with --input-format."
        )
    files = [TableFile(entry.uri, entry.size, _values(uri, entry.uri)) for entry in chosen]
    _require_same_folders(uri, files)
    kept = {file.uri for file in files}
    return TableFiles(form, files, [below(uri, entry.uri) for entry in found if entry.uri not in kept])


def below(root: str, uri: str) -> str:
    """Returns the path of a file below the root."""
    return uri.removeprefix(storage.join(root, "")).lstrip("/") if uri != root else file_name(uri)


def _ending(uri: str) -> str:
    parts = file_name(uri).lower().split(".")[1:]
    return next((part for part in reversed(parts) if part not in COMPRESSED), "")


def _format(uri: str) -> str:
    ending = _ending(uri)
    return next((form for form, endings in ENDINGS.items() if ending in endings), "")


def _may_be_text(uri: str) -> bool:
    name = file_name(uri)
    return _ending(uri) in PLAIN_TEXT and not ABOUT.fullmatch(name.partition(".")[0])


def _by_content(entries: Sequence[storage.FileEntry]) -> str:
    """What files without a telling name begin like."""
    if not entries:
        return ""
    with storage.open_input(entries[0].uri) as stream:
        head = bytes(stream.read(4096))
    if head[:4] == b"PAR1":
        return "parquet"
    if head[:3] == b"ORC":
        return "orc"
    if head.lstrip()[:1] in (b"{", b"["):
        try:
            json.loads(head.splitlines()[0])
        except ValueError:
            return "json" if head.lstrip()[:1] == b"[" else "csv"
        return "json"
    return "" if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")) else "csv"


def _values(root: str, uri: str) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    if uri == root:
        return found
    for part in below(root, uri).split("/")[:-1]:
        name, equals, value = part.partition("=")
        if equals and name:
            text = urllib.parse.unquote(value)
            found[urllib.parse.unquote(name)] = None if text == NO_VALUE else text
    return found


def _require_same_folders(uri: str, files: Sequence[TableFile]) -> None:
    kinds: dict[tuple[str, ...], str] = {}
    for file in files:
        kinds.setdefault(tuple(sorted(file.values)), file.uri)
    if len(kinds) > 1:
        listed = "; ".join(f"{' and '.join(names) or 'none'}: {below(uri, name)!r}" for names, name in kinds.items())
        raise BadInputError(
            f"The folders of {uri!r} that say NAME=VALUE have different names ({listed}). Give a folder in which all "
            "files lie below the same ones."
        )


def _some(names: object) -> str:
    listed = sorted(file_name(str(name)) for name in names)  # type: ignore[attr-defined]
    return ", ".join(map(repr, listed[:3])) + (f" and {len(listed) - 3:,} more" if len(listed) > 3 else "")
