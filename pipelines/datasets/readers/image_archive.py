"""Archives of many small files, as WebDataset keeps them: `train-0000.tar` with `0001.jpg`, `0001.cls`, `0002.jpg`, …

Members whose names agree up to the first dot belong together: an image, and its class as the text of a `.cls` file or
under `label` or `cls` in a `.json` one. An archive is read from beginning to end by one task, so that millions of
images are thousands of files; gzip and other compression around it is found by itself.

A data set of your own is a module in this folder with one line: `DATASET = ImageArchive("pets", ("cat", "dog"))`.
"""

import json
import tarfile
import zlib
from collections.abc import Iterator
from functools import partial
from lzma import LZMAError
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.features.schema import Purpose
from emberline.pipelines.datasets.readers.executor_rows import ImageRow, image_rows
from emberline.pipelines.datasets.readers.file_folder import MOST_BYTES
from emberline.pipelines.datasets.readers.image_folder import ENDINGS, image_schema
from emberline.pipelines.datasets.readers.raw_table import file_name, read_named, require_input
from emberline.pipelines.datasets.splits import is_held_out, named_split
from emberline.pipelines.datasets.synthetic import Synthetic, read_facts

KEPT = (*ENDINGS, "cls", "json")
"""Endings of the members that are read."""

MOST_NAMES = 64
"""Members of one image that are remembered by name."""

MOST_LABEL_BYTES = 1 << 20

MOST_NAME_BYTES = 1 << 20
"""Of a member's long name and its extended header, which tarfile reads as a whole."""

BROKEN = (tarfile.TarError, EOFError, zlib.error, LZMAError, TypeError, ValueError, OverflowError)
"""What a damaged archive ends in; the last three where tarfile trusts what it reads."""

HEADERS = (
    tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE
)  # fmt: skip

ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")


class ImageArchive:
    """Reads tar files.

    Args:
        name: Of the data set: that of its module.
        classes: By class id, the texts of the archives.
        purpose: Of models, where they do not predict the class; as of `Label`.
    """

    def __init__(self, name: str, classes: tuple[str, ...], purpose: Purpose = "") -> None:
        self.name = name
        self.schema = image_schema(classes, purpose)

    def read(self, spark: SparkSession, uri: str, split: str | None = None) -> DataFrame:
        """Returns raw rows of one split, or of all at `uri`; the key is the archive's name and that of the members.

        Args:
            spark: The session.
            uri: A folder of archives, or one of them.
            split: `train` or `eval`: archives whose names begin so (or with `test`, `val`), else a tenth of the images
                is held out, by a hash of their keys.

        Raises:
            BadInputError: if there is nothing, or no archive.
        """
        files = require_input(uri)
        if any(file.endswith(".parquet") for file in files):
            return read_named(spark, uri, self.schema)
        archives = sorted(file for file in files if file.endswith(ARCHIVES))
        if not archives:
            raise BadInputError(f"{uri!r} holds no archive. Expected files ending in {', '.join(ARCHIVES)}.")
        read = partial(read_archive, split=None)
        if split and any(named_split(file_name(file)) for file in archives):
            archives = [file for file in archives if named_split(file_name(file)) == split]
        elif split:
            read = partial(read_archive, split=split)
        return image_rows(spark, archives, read, ("path", "image", "label"))

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Refuses, since there are no synthetic rows for your own images.

        Raises:
            BadInputError: always.
        """
        raise BadInputError(f"The data set {self.name!r} has no synthetic stand-in: give its archives with --input.")

    def synthetic(self, uri: str) -> Synthetic | None:
        """Returns facts about generated data, None for real data."""
        return read_facts(uri)


class Member(tarfile.TarInfo):
    """A member whose headers may not be longer than any name: a megabyte of a compressed archive may stand for one of
    a gigabyte.
    """

    def _proc_member(self, archive: tarfile.TarFile) -> Any:
        if self.type in HEADERS and self.size > MOST_NAME_BYTES:
            raise tarfile.ReadError("A header of the archive is too long.")
        return super()._proc_member(archive)  # type: ignore[misc]


def read_archive(uri: str, split: str | None) -> Iterator[ImageRow]:
    """Yields the images of an archive, in an executor; the place where a damaged one breaks off is a row with a fault.

    Args:
        uri: The archive.
        split: Only what is held out (`eval`) or not (`train`); None for all.
    """
    name = file_name(uri)
    held = {"eval": True, "train": False}.get(split or "")
    waiting: dict[str, bytes | int] = {}
    stem = ""

    def row() -> Iterator[ImageRow]:
        key = f"{name}/{stem}"
        if waiting and (held is None or held == is_held_out(key)):
            yield _row(key, waiting, uri)

    with storage.open_input(uri) as stream:
        try:
            with tarfile.open(fileobj=stream, mode="r|*", tarinfo=Member) as archive:
                for member in archive:
                    if not member.isfile():
                        continue
                    folder, slash, base = _text(member.name).rpartition("/")
                    own, _, ending = base.partition(".")
                    if f"{folder}{slash}{own}" != stem:
                        yield from row()
                        stem, waiting = f"{folder}{slash}{own}", {}
                    ending = ending.lower()
                    room = MOST_BYTES if ending in ENDINGS else MOST_LABEL_BYTES
                    held_bytes = sum(len(part) for part in waiting.values() if isinstance(part, bytes))
                    if ending not in KEPT or member.size > room or held_bytes + member.size > MOST_BYTES:
                        if ending in KEPT or len(waiting) < MOST_NAMES:
                            waiting[ending] = member.size
                    elif (opened := archive.extractfile(member)) is not None:
                        waiting[ending] = opened.read()
            yield from row()
        except BROKEN as error:
            # What was being read is not whole, and what comes behind it cannot be found.
            yield ImageRow(f"{name}/{stem}…", None, None, uri, f"the archive breaks off: '{type(error).__name__}'")


def _row(key: str, parts: dict[str, bytes | int], uri: str) -> ImageRow:
    image = next((parts[ending] for ending in ENDINGS if ending in parts), None)
    if image is None:
        return ImageRow(key, None, None, uri, f"no image among the members: '{', '.join(sorted(parts))}'")
    if isinstance(image, int):
        return ImageRow(key, None, None, uri, f"the member has {image:,} bytes, more than {MOST_BYTES:,}")
    try:
        return ImageRow(key, image, _label(parts), uri)
    except (ValueError, AttributeError, RecursionError):
        return ImageRow(key, None, None, uri, "the member with the label cannot be read")


def _label(parts: dict[str, bytes | int]) -> str | None:
    if isinstance(text := parts.get("cls"), bytes):
        return text.decode().strip()
    if isinstance(text := parts.get("json"), bytes):
        described = json.loads(text)
        found = described.get("label", described.get("cls"))
        # JSON can spell halves of characters, which no text may hold.
        return None if found is None else str(found).encode().decode()
    if "cls" in parts or "json" in parts:
        raise ValueError("The label is too long.")
    return None


def _text(name: str) -> str:
    """A member's name as text that can be written; bytes of another encoding are spelt out."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
