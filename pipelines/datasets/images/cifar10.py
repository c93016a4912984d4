"""CIFAR-10: which of ten kinds of thing is in a photograph of 32 × 32 pixels?

Official binary files, unpacked from `cifar-10-binary.tar.gz`: `data_batch_1.bin` … `data_batch_5.bin` (50,000 images)
and `test_batch.bin` (10,000). A record is a byte for the class, then all red pixels, all green ones, and all blue.
Source: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
"""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from pyspark.sql import DataFrame, SparkSession

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.pipelines.datasets.generators import digit_images
from emberline.pipelines.datasets.readers.executor_rows import ImageRow, image_rows
from emberline.pipelines.datasets.readers.raw_table import file_name, read_named, require_input
from emberline.pipelines.datasets.synthetic import Synthetic, read_facts, write_facts

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

SCHEMA = Schema(
    fields=(Field("image", "image", required=True),),
    label=Label("kind", classes=tuple((name,) for name in CLASSES)),
    key="row",
)

FILES = {"train": "data_batch_", "eval": "test_batch"}
SIZE, CHANNELS = 32, 3
RECORD = 1 + SIZE * SIZE * CHANNELS

ROWS = {"train": ("data_batch_1.bin", 4_000), "eval": ("test_batch.bin", 1_000)}
MISREAD = 0.02
"""Share of synthetic images whose class is drawn anew."""


class Cifar10:
    """Reads the official files, or a Parquet table with the same column names."""

    name: ClassVar[str] = "cifar10"
    schema: ClassVar[Schema] = SCHEMA

    def read(self, spark: SparkSession, uri: str, split: str | None = None) -> DataFrame:
        """Returns raw rows of one split, or of everything at `uri`.

        Args:
            spark: The session.
            uri: The folder of the official files.
            split: `train` or `eval`.

        Raises:
            BadInputError: if the path does not exist or holds no such files.
        """
        files = require_input(uri)
        if any(file.endswith(".parquet") for file in files):
            return read_named(spark, uri, SCHEMA)
        begins = tuple(FILES.values()) if split is None else (FILES[split],)
        parts = sorted(file for file in files if file_name(file).startswith(begins) and file.endswith(".bin"))
        if not parts:
            raise BadInputError(f"{uri!r} holds no {' or '.join(f'{name}….bin' for name in begins)}.")
        return image_rows(spark, parts, read_batch, ("row", "image", "kind"))

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Writes two files in the official format; their photographs are coloured digits, see `digit_images`."""
        best: dict[str, float] = {}
        for index, (name, rows) in enumerate(ROWS.values()):
            drawn = digit_images.draw(rows, seed * 2 + index, size=SIZE, misread=MISREAD, channels=CHANNELS)
            planes = drawn.images.transpose(0, 3, 1, 2).reshape(rows, -1)
            records = np.concatenate([drawn.labels[:, np.newaxis], planes], axis=1)
            storage.write_bytes_atomic(storage.join(directory, name), records.tobytes())
            best = drawn.best
        return write_facts(directory, Synthetic(best, seed))

    def synthetic(self, uri: str) -> Synthetic | None:
        """Returns facts about generated data, None for real data."""
        return read_facts(uri)


DATASET = Cifar10()


def read_batch(uri: str) -> Iterator[ImageRow]:
    """Yields the images of a file, in an executor; a record that is not there whole carries a fault."""
    data, name = storage.read_bytes(uri), file_name(uri).removesuffix(".bin")
    whole, rest = divmod(len(data), RECORD)
    records = np.frombuffer(data, np.uint8, whole * RECORD).reshape(whole, RECORD)
    pixels = records[:, 1:].reshape(whole, CHANNELS, SIZE, SIZE).transpose(0, 2, 3, 1)
    for index in range(whole):
        kind = int(records[index, 0])
        label = CLASSES[kind] if kind < len(CLASSES) else str(kind)
        yield ImageRow(f"{name}-{index:05d}", pixels[index].tobytes(), label, uri)
    if rest:
        yield ImageRow(f"{name}-{whole:05d}", None, None, uri, f"the record has {rest:,} bytes, expected {RECORD:,}")
