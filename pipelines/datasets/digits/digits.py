"""Optical recognition of handwritten digits: grey images of 8 × 8 pixels, the table that scikit-learn calls `digits`.

Official format: 64 whole numbers from 0 to 16 and the digit, separated by commas; `optdigits.tra` (3,823 rows) and
`optdigits.tes` (1,797). scikit-learn's own `digits.csv.gz` is the latter. Of one file alone, every fifth row is held
out.
Source: Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998.
"""

import gzip
from collections.abc import Iterator
from typing import ClassVar, NamedTuple

import numpy as np
from pyspark.sql import DataFrame, SparkSession

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.pipelines.datasets.generators import digit_images
from emberline.pipelines.datasets.readers.executor_rows import ImageRow, image_rows
from emberline.pipelines.datasets.readers.raw_table import file_name, read_named, require_input
from emberline.pipelines.datasets.synthetic import Synthetic, read_facts, write_facts, write_lines

SCHEMA = Schema(
    fields=(Field("image", "image", required=True),),
    label=Label("digit", classes=tuple((str(digit),) for digit in range(10))),
    key="row",
)

FILES = {"train": "optdigits.tra", "eval": "optdigits.tes"}
ALONE = ("digits.csv", "digits.csv.gz")
SIZE, LEVELS = 8, 16
HELD_OUT = 5

ROWS = {"train": 3_000, "eval": 1_000}
MISREAD = 0.02
"""Share of synthetic digits whose label is drawn anew."""


class RecordRange(NamedTuple):
    """A file, or some of its rows.

    Args:
        uri: The file.
        held_out: True for every fifth only, False for the others, None for all.
    """

    uri: str
    held_out: bool | None


class Digits:
    """Reads the official files, or a Parquet table with the same column names."""

    name: ClassVar[str] = "digits"
    schema: ClassVar[Schema] = SCHEMA

    def read(self, spark: SparkSession, uri: str, split: str | None = None) -> DataFrame:
        """Returns raw rows of one split, or of everything at `uri`.

        Args:
            spark: The session.
            uri: The folder of the official files, or one file.
            split: `train` or `eval`.

        Raises:
            BadInputError: if the path does not exist or holds no such file.
        """
        files = {file_name(file): file for file in require_input(uri)}
        if any(name.endswith(".parquet") for name in files):
            return read_named(spark, uri, SCHEMA)
        known = [files[name] for name in (*FILES.values(), *ALONE) if name in files]
        if not known:
            raise BadInputError(f"{uri!r} holds none of {', '.join((*FILES.values(), *ALONE))}.")
        if split and all(name in files for name in FILES.values()):
            parts = [RecordRange(files[FILES[split]], None)]
        else:
            parts = [RecordRange(known[0], split == "eval")] if split else [RecordRange(file, None) for file in known]
        return image_rows(spark, parts, read_part, ("row", "image", "digit"))

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Writes both official files with synthetic digits; see `digit_images`."""
        best: dict[str, float] = {}
        for index, (split, name) in enumerate(FILES.items()):
            drawn = digit_images.draw(ROWS[split], seed * 2 + index, size=SIZE, misread=MISREAD)
            levels = np.round(drawn.images.reshape(ROWS[split], -1) * (LEVELS / 255)).astype(int)
            table = np.concatenate([levels, drawn.labels[:, np.newaxis]], axis=1)
            write_lines(directory, name, [",".join(map(str, row)) for row in table.tolist()])
            best = drawn.best
        return write_facts(directory, Synthetic(best, seed))

    def synthetic(self, uri: str) -> Synthetic | None:
        """Returns facts about generated data, None for real data."""
        return read_facts(uri)


DATASET = Digits()


def read_part(part: RecordRange) -> Iterator[ImageRow]:
    """Yields the rows of a file, in an executor."""
    data, name = storage.read_bytes(part.uri), file_name(part.uri).partition(".csv")[0]
    lines = (gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data).decode("ascii", "replace").splitlines()
    for index, line in enumerate(lines):
        if part.held_out is None or part.held_out == (index % HELD_OUT == HELD_OUT - 1):
            yield _row(line, f"{name}-{index:04d}", part.uri)


def _row(line: str, key: str, uri: str) -> ImageRow:
    *levels, label = line.split(",")
    if len(levels) != SIZE * SIZE:
        wrong = f"expected {SIZE * SIZE + 1} comma-separated numbers, got {len(levels) + 1}"
        return ImageRow(key, None, None, uri, wrong)
    try:
        values = np.array(levels, float)
    except ValueError:
        values = np.array([np.nan])
    if not ((values >= 0) & (values <= LEVELS)).all():
        return ImageRow(key, None, None, uri, f"expected numbers from 0 to {LEVELS}")
    pixels = np.round(values * (255 / LEVELS)).astype(np.uint8)
    return ImageRow(key, pixels.tobytes(), label.strip(), uri)
