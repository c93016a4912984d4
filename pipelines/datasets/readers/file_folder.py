"""Folders of files, one row each: executors list and open them through Spark's `binaryFile`."""

from urllib.parse import urlsplit

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.features.validation.rows import FAULT, RAW, SOURCE
from emberline.pipelines.datasets.readers.raw_table import file_name, hidden
from emberline.pipelines.datasets.splits import NAMES

MOST_BYTES = 256 << 20
"""A larger file is not read at all."""


def root_of(uri: str) -> str:
    """Returns the path of a folder, or of the folder of a file, with a slash at its end: what `file_rows` takes."""
    folder = uri if storage.is_folder(uri) else uri.rpartition("/")[0]
    return urlsplit(folder).path.rstrip("/") + "/"


def require_files(uri: str, what: str) -> None:
    """Refuses a path that does not exist.

    Raises:
        BadInputError: saying what kind of files a folder should have.
    """
    if not storage.exists(uri):
        raise BadInputError(f"No input at {uri!r}: the path does not exist. Give a folder of {what} that does.")


def file_rows(spark: SparkSession, uri: str, root: str, field: str, endings: tuple[str, ...]) -> DataFrame:
    """Returns a row per file: `path`, its bytes, the name of the `folder` it lies in, `_raw`, `_source` and `_fault`.

    Args:
        spark: The session.
        uri: The folder, or one file.
        root: Path of the folder that `path` is below, with a slash at its end.
        field: Name of the column of bytes.
        endings: Of the files to take, in small letters without the dot.
    """
    glob = f"*.{{{','.join([*endings, *map(str.upper, endings)])}}}"
    files = spark.read.format("binaryFile").option("pathGlobFilter", glob).option("recursiveFileLookup", "true")
    found = files.load(uri)
    small, large = F.col("length") <= MOST_BYTES, F.col("length") > MOST_BYTES
    nothing = F.lit(None).cast("string")
    # Of two readings, because the bytes of a file are read unless nobody asks for them.
    read = found.where(small).select("path", "content", nothing.alias(FAULT))
    fault = F.concat(F.lit("the file has "), F.col("length").cast("string"), F.lit(f" bytes, more than {MOST_BYTES:,}"))
    refused = found.where(large).select("path", F.lit(None).cast("binary").alias("content"), fault.alias(FAULT))
    listed = read.unionByName(refused)
    if empty := _empty_files(uri, endings):  # which Spark's reader leaves out
        rows = [(file, b"", None) for file in empty]
        listed = listed.unionByName(spark.createDataFrame(rows, listed.select("path", "content", FAULT).schema))
    path = F.col("path")
    key = F.substring(path, F.instr(path, root) + len(root), F.length(path))
    return listed.select(
        key.alias("path"),
        F.col("content").alias(field),
        F.try_element_at(F.split(key, "/"), F.lit(-2)).alias("folder"),
        path.alias(RAW),
        path.alias(SOURCE),
        F.col(FAULT),
    )


def folder_of_split(uri: str, path: Column, split: str) -> Column | None:
    """Returns whether a file lies in the folder of a split, or None where there are no such folders.

    Args:
        uri: The folder of all.
        path: Of a file below it.
        split: `train` or `eval`: folders of these names, or `test`, `val`.
    """
    if not any(storage.exists(storage.join(uri, word)) for words in NAMES.values() for word in words):
        return None
    return F.lower(F.element_at(F.split(path, "/"), 1)).isin(*NAMES[split])


def _empty_files(uri: str, endings: tuple[str, ...]) -> list[str]:
    entries = storage.list_files(uri, recursive=True) if storage.is_folder(uri) else []
    return [
        entry.uri
        for entry in entries
        if entry.size == 0 and entry.uri.lower().rpartition(".")[2] in endings and not hidden(file_name(entry.uri))
    ]
