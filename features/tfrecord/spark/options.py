"""The options of `format("tfrecord")`, parsed once into frozen dataclasses.

Names are case-insensitive, as in Spark. The names and values of spark-tfrecord (`recordType`, `codec` with a
Hadoop codec class) and those of Spark's own file sources (`compression`, `maxRecordsPerFile`, `pathGlobFilter`,
`recursiveFileLookup`, `basePath`) mean the same thing here. An unknown option is an error: a misspelt
`codce=gzip` that is silently ignored costs a night of recomputing.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from emberline.features.errors import BadInputError, nearest

RECORD_TYPES = ("Example", "SequenceExample", "ByteArray")
DAMAGE_MODES = ("FAILFAST", "DROPMALFORMED")
SAVE_MODES = ("append", "overwrite", "ignore", "error")
LAYOUTS = ("plain", "packed", "block")

# Hadoop's DefaultCodec writes zlib streams, which TensorFlow calls ZLIB.
CODECS = {
    "none": "none",
    "uncompressed": "none",
    "": "none",
    "gzip": "gzip",
    "gz": "gzip",
    "gzipcodec": "gzip",
    "zlib": "zlib",
    "deflate": "zlib",
    "defaultcodec": "zlib",
    "deflatecodec": "zlib",
}


class TFRecordOptionError(BadInputError):
    """An option of `format("tfrecord")` that cannot be understood."""


def parse_codec(value: str) -> str:
    """Returns `none`, `gzip` or `zlib` for any usual spelling, Hadoop codec classes included."""
    name = value.strip().lower()
    if name.startswith("org.apache.hadoop."):
        name = name.rpartition(".")[2]
    if name not in CODECS:
        raise TFRecordOptionError(
            f"Codec {value!r} is not a codec that TensorFlow reads. Use 'none', 'gzip' or 'zlib' "
            "(or org.apache.hadoop.io.compress.GzipCodec / DefaultCodec)."
        )
    return CODECS[name]


def _choice(name: str, known: Iterable[str]) -> Callable[[str], str]:
    spellings = {choice.lower(): choice for choice in known}

    def parse(value: str) -> str:
        if value.strip().lower() not in spellings:
            raise TFRecordOptionError(f"{name} is {value!r}. {nearest(value, spellings.values())}")
        return spellings[value.strip().lower()]

    return parse


def _count(name: str, smallest: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        try:
            number = int(value)
        except ValueError:
            number = smallest - 1
        if number < smallest:
            raise TFRecordOptionError(f"{name} is {value!r}, expected a whole number of at least {smallest}.")
        return number

    return parse


def _flag(name: str) -> Callable[[str], bool]:
    def parse(value: str) -> bool:
        if value.strip().lower() not in ("true", "false"):
            raise TFRecordOptionError(f"{name} is {value!r}, expected 'true' or 'false'.")
        return value.strip().lower() == "true"

    return parse


def _save_mode(value: str) -> str:
    aliases = {"errorifexists": "error", "default": "error"}
    return _choice("saveMode", SAVE_MODES)(aliases.get(value.strip().lower(), value))


def parse_names(value: str) -> tuple[str, ...]:
    """Returns the column names in `a,b` or, when a name holds a comma, in a JSON list."""
    if value.lstrip().startswith("["):
        try:
            names = json.loads(value)
        except json.JSONDecodeError as error:
            raise TFRecordOptionError(f"{value!r} starts like a JSON list of names but is none: {error}.") from None
        if not all(isinstance(name, str) for name in names):
            raise TFRecordOptionError(f"{value!r} is expected to be a JSON list of strings.")
        return tuple(names)
    return tuple(name.strip() for name in value.split(",") if name.strip())


@dataclass(frozen=True)
class ReadOptions:
    """How to read. Every field is documented in docs/tfrecord.md.

    Args:
        record_type: One of `RECORD_TYPES`.
        mode: `FAILFAST`, or `DROPMALFORMED` to skip from damage to the end of that file.
        columns: Read only these columns; empty means all.
        filters: Conditions on partition columns that Spark's optimizer handed down (see `pushdown`).
        infer_records: Upper bound of the records that schema inference reads.
        batch_rows: Rows per Arrow batch handed to Spark.
        partition_bytes: Small files share a Spark task up to this size.
        case_sensitive: Whether a column and a feature that differ by case only are two; as `spark.sql.caseSensitive`.
    """

    record_type: str = "Example"
    mode: str = "FAILFAST"
    codec: str | None = None
    columns: tuple[str, ...] = ()
    filters: str = "[]"
    infer_records: int = 1000
    batch_rows: int = 32768
    partition_bytes: int = 128 << 20
    path_glob: str = ""
    recursive: bool = False
    base_path: str = ""
    infer_partition_types: bool = True
    case_sensitive: bool = True


@dataclass(frozen=True)
class WriteOptions:
    """How to write. Every field is documented in docs/tfrecord.md.

    Args:
        record_type: One of `RECORD_TYPES`.
        codec: `none`, `gzip` or `zlib`.
        partition_by: Columns that become directories, not features.
        save_mode: One of `SAVE_MODES`, or None where Spark's own mode decides.
        shard_records: Start a new file after this many records; 0 means never.
        shard_bytes: Start a new file after about this many bytes before compression; 0 means never.
        max_open_files: Partition directories a task keeps open at once.
    """

    record_type: str = "Example"
    codec: str = "none"
    partition_by: tuple[str, ...] = ()
    save_mode: str | None = None
    shard_records: int = 0
    shard_bytes: int = 0
    max_open_files: int = 64


PUSHED_FILTERS = "__partitionfilters"

_READ: dict[str, tuple[str, Callable[[str], Any]]] = {
    "recordtype": ("record_type", _choice("recordType", RECORD_TYPES)),
    "mode": ("mode", _choice("mode", DAMAGE_MODES)),
    "codec": ("codec", parse_codec),
    "compression": ("codec", parse_codec),
    "columns": ("columns", parse_names),
    PUSHED_FILTERS: ("filters", str),
    "inferrecords": ("infer_records", _count("inferRecords", 1)),
    "batchrows": ("batch_rows", _count("batchRows", 1)),
    "maxpartitionbytes": ("partition_bytes", _count("maxPartitionBytes", 1)),
    "pathglobfilter": ("path_glob", str),
    "recursivefilelookup": ("recursive", _flag("recursiveFileLookup")),
    "basepath": ("base_path", str),
    "casesensitive": ("case_sensitive", _flag("caseSensitive")),
    "partitioncolumntypeinference": ("infer_partition_types", _flag("partitionColumnTypeInference")),
}

_WRITE: dict[str, tuple[str, Callable[[str], Any]]] = {
    "recordtype": ("record_type", _choice("recordType", RECORD_TYPES)),
    "codec": ("codec", parse_codec),
    "compression": ("codec", parse_codec),
    "partitionby": ("partition_by", parse_names),
    "savemode": ("save_mode", _save_mode),
    "recordspershard": ("shard_records", _count("recordsPerShard", 0)),
    "maxrecordsperfile": ("shard_records", _count("maxRecordsPerFile", 0)),
    "bytespershard": ("shard_bytes", _count("bytesPerShard", 0)),
    "maxopenfiles": ("max_open_files", _count("maxOpenFiles", 1)),
}

# Names that Spark itself adds or that belong to it.
_SPARK = {"path", "paths", "checkpointlocation", "queryname", "outputmode"}


def _parse(
    options: Mapping[str, str], table: dict[str, tuple[str, Callable[[str], Any]]], other: set[str]
) -> dict[str, Any]:
    parsed: dict[str, Any] = {}
    for name, value in options.items():
        key = name.lower()
        if key in table:
            field, parse = table[key]
            result = parse(value)
            if field in parsed and parsed[field] != result:
                raise TFRecordOptionError(
                    f"Option {name!r} says {result!r}, but another option with the same meaning says "
                    f"{parsed[field]!r}. Give one of them."
                )
            parsed[field] = result
        elif key == "partitionoverwritemode":
            if value.strip().lower() != "static":
                raise TFRecordOptionError(
                    f"partitionOverwriteMode={value!r} is not supported: overwrite replaces the whole target. "
                    "Write each partition directory on its own to replace only that one."
                )
        elif key not in _SPARK and key not in other:
            raise TFRecordOptionError(f"format('tfrecord') has no option {name!r}. {nearest(key, table)}")
    return parsed


def read_options(options: Mapping[str, str]) -> ReadOptions:
    """Returns the options of a read.

    Raises:
        TFRecordOptionError: An unknown name, a value out of range, or two options that contradict each other.
    """
    # A shared dict of options for reading and writing is common, so names of the other side are not an error.
    return ReadOptions(**_parse(options, _READ, set(_WRITE)))


def write_options(options: Mapping[str, str]) -> WriteOptions:
    """Returns the options of a write, batch or streaming.

    Raises:
        TFRecordOptionError: An unknown name, a value out of range, or two options that contradict each other.
    """
    mode = options.get("mode", "failfast").strip()
    if mode.upper() not in DAMAGE_MODES:
        raise TFRecordOptionError(f"The option 'mode' is for reading. Write with .mode({mode!r}) instead.")
    return WriteOptions(**_parse(options, _WRITE, set(_READ)))


def read_paths(options: Mapping[str, str]) -> list[str]:
    """Returns the locations given to `load`: Spark passes one as `path` and several as a JSON list in `paths`."""
    paths = json.loads(options["paths"]) if "paths" in options else []
    if "path" in options:
        paths.append(options["path"])
    if not paths:
        raise TFRecordOptionError("No location given. Use .load(uri) or .load([uri, ...]).")
    return paths
