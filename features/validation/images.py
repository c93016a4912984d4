"""Checks images by decoding them, in executors: good rows continue with bare pixels, bad ones with a reason."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, IntegerType, StructField, StructType

from emberline.features.images.reading import read_images
from emberline.features.names import quoted
from emberline.features.schema import Field, Schema

SIZE = "{}__size"
"""Column of the height and width that an image had before it was fitted."""

UNREADABLE = "is not an image that can be read"

PIECE_BYTES = 16 << 20
"""Pixels that are sent on at a time: files are much smaller than what is in them."""


def check_images(rows: DataFrame, schema: Schema, reason: str) -> DataFrame:
    """Reads every image that has a shape.

    Args:
        rows: Checked otherwise: images as bytes, and the column `reason`.
        schema: The fields.
        reason: Name of the column with the verdict so far, null for a good row; images of bad rows are not read.

    Returns:
        The same rows, images as bare pixels, with their size before that beside them (`SIZE`); as they are if no
        image has a shape.
    """
    images = tuple(field for field in schema.fields if field.kind == "image" and field.shape)
    if not images:
        return rows
    names = tuple(rows.columns)
    # PySpark stumbles over dots in names.
    plain = rows.select(*(F.col(quoted(name)).alias(f"c{index}") for index, name in enumerate(names)))
    sizes = [StructField(f"s{index}", ArrayType(IntegerType())) for index in range(len(images))]
    # A verdict that is given here may be the first: whatever the plan says, the column may hold nulls and texts.
    answer = StructType([*(StructField(item.name, item.dataType) for item in plain.schema.fields), *sizes])
    checked = plain.mapInArrow(ImageCheck(images, names, reason), answer)
    return checked.toDF(*names, *(SIZE.format(field.name) for field in images))


@dataclass(frozen=True)
class ImageCheck:
    """Runs in executors.

    Args:
        images: The fields to read.
        names: Of the columns, in order.
        reason: The column with the verdict.
    """

    images: tuple[Field, ...]
    names: tuple[str, ...]
    reason: str

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        rows = max(1, PIECE_BYTES // sum(prod(field.shape) for field in self.images))
        for batch in batches:
            for start in range(0, batch.num_rows, rows):
                yield self._read(batch.slice(start, rows))

    def _read(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        columns = dict(zip(self.names, batch.columns, strict=True))
        reasons = columns[self.reason].to_pylist()
        sizes = []
        for field in self.images:
            given = columns[field.name]
            if any(reasons):
                given = pa.array(
                    [None if bad else one for bad, one in zip(reasons, given.to_pylist(), strict=True)], pa.binary()
                )
            read = read_images(given, field)
            for index, fault in enumerate(read.faults):
                if fault:
                    said = f"{field.name}: {UNREADABLE}: it {fault}"
                    reasons[index] = f"{reasons[index]}; {said}" if reasons[index] else said
            columns[field.name] = read.pixels
            sizes.append(pa.array(read.sizes, pa.list_(pa.int32())))
        columns[self.reason] = pa.array(reasons, pa.string())
        arrays = [*columns.values(), *sizes]
        return pa.RecordBatch.from_arrays(
            arrays, names=[*(f"c{n}" for n in range(len(columns))), *(f"s{n}" for n in range(len(sizes)))]
        )
