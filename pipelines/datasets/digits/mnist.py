"""MNIST: which digit did a person write? Grey images of 28 × 28 pixels.

Official files, gzipped or not: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` (60,000) and `t10k-images-…`,
`t10k-labels-…` (10,000). Where only the `t10k` files are, every fifth of their digits is held out: 8,000 for training
and 2,000 for evaluation, both with as many from either group of writers. Fashion-MNIST has files of the same names.
Source: LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", 1998.
"""

from collections.abc import Iterator
from typing import ClassVar, NamedTuple

from pyspark.sql import DataFrame, SparkSession

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.pipelines.datasets.generators import digit_images
from emberline.pipelines.datasets.readers.executor_rows import ImageRow, image_rows
from emberline.pipelines.datasets.readers.idx import read_idx, write_idx
from emberline.pipelines.datasets.readers.raw_table import file_name, read_named, require_input
from emberline.pipelines.datasets.synthetic import Synthetic, read_facts, write_facts

SCHEMA = Schema(
    fields=(Field("image", "image", required=True),),
    label=Label("digit", classes=tuple((str(digit),) for digit in range(10))),
    key="row",
)

FILES = {"train": "train", "eval": "t10k"}
IMAGES, LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"
PART_ROWS = 5_000
HELD_OUT = 5
"""One digit in so many is held out, where there are no files for training."""

ROWS = {"train": 4_000, "eval": 1_000}
MISREAD = 0.02
"""Share of synthetic digits whose label is drawn anew."""


class RecordRange(NamedTuple):
    """Some digits of a pair of files.

    Args:
        name: `train` or `t10k`.
        images: URI of the images.
        labels: URI of the labels, empty where there are none.
        first: Its first digit, counted from 0.
        last: The one behind its last; 0 for all that there are.
        held_out: True for every fifth only, False for the others, None for all.
    """

    name: str
    images: str
    labels: str
    first: int
    last: int
    held_out: bool | None


class Mnist:
    """Reads the official files, or a Parquet table with the same column names."""

    name: ClassVar[str] = "mnist"
    schema: ClassVar[Schema] = SCHEMA

    def read(self, spark: SparkSession, uri: str, split: str | None = None) -> DataFrame:
        """Returns raw rows of one split, or of everything at `uri`.

        Args:
            spark: The session.
            uri: The folder of the official files. Labels may be missing where no split is asked for.
            split: `train` or `eval`.

        Raises:
            BadInputError: if the path does not exist or holds no such files.
        """
        files = require_input(uri)
        if any(file.endswith(".parquet") for file in files):
            return read_named(spark, uri, SCHEMA)
        return image_rows(spark, list(_parts(uri, files, split)), read_part, ("row", "image", "digit"))

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Writes the four official files with synthetic digits; see `digit_images`."""
        best: dict[str, float] = {}
        for index, (split, name) in enumerate(FILES.items()):
            drawn = digit_images.draw(ROWS[split], seed * 2 + index, size=28, misread=MISREAD)
            write_idx(storage.join(directory, f"{name}-{IMAGES}.gz"), drawn.images[..., 0])
            write_idx(storage.join(directory, f"{name}-{LABELS}.gz"), drawn.labels)
            best = drawn.best
        return write_facts(directory, Synthetic(best, seed))

    def synthetic(self, uri: str) -> Synthetic | None:
        """Returns facts about generated data, None for real data."""
        return read_facts(uri)


DATASET = Mnist()


def _parts(uri: str, files: list[str], split: str | None) -> Iterator[RecordRange]:
    found = {file_name(file).removesuffix(".gz"): file for file in files}
    sets = [name for name in FILES.values() if f"{name}-{IMAGES}" in found]
    if not sets:
        raise BadInputError(f"{uri!r} holds no {' or '.join(FILES.values())}-{IMAGES}(.gz).")
    only = len(sets) == 1
    for name in sets if only or split is None else [FILES[split]]:
        labels = found.get(f"{name}-{LABELS}", "")
        if split and not labels:
            raise BadInputError(f"{uri!r} holds {name}-{IMAGES} without {name}-{LABELS}.")
        held_out = None if split is None or not only else split == "eval"
        # The driver does not open the files: the last part takes whatever there is beyond.
        for first in range(0, 60_000 if name == "train" else 10_000, PART_ROWS):
            last = 0 if first + PART_ROWS >= (60_000 if name == "train" else 10_000) else first + PART_ROWS
            yield RecordRange(name, found[f"{name}-{IMAGES}"], labels, first, last, held_out)


def read_part(part: RecordRange) -> Iterator[ImageRow]:
    """Yields the digits of a part, in an executor; those that a damaged file declares and lacks have a fault."""
    images, promised = read_idx(part.images)
    if images.ndim != 3:
        raise BadInputError(f"{part.images!r} holds an array of {images.ndim} dimensions, expected images: 3.")
    labels = read_idx(part.labels)[0] if part.labels else None
    last = min(part.last or promised, promised)
    for index in range(part.first, last):
        if part.held_out is not None and part.held_out != (index % HELD_OUT == HELD_OUT - 1):
            continue
        label = str(labels[index]) if labels is not None and index < len(labels) else None
        key = f"{part.name}-{index:05d}"
        if index < len(images):
            yield ImageRow(key, images[index].tobytes(), label, part.images)
        else:
            yield ImageRow(key, None, label, part.images, f"the file ends after {len(images):,} of its digits")
