"""Rows that executors read themselves, from files whose format Spark does not know.

Each task opens its parts, on whatever storage they lie, and gives Arrow batches: nothing passes through the driver.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from emberline.features.validation.rows import FAULT, RAW, SOURCE

BATCH_BYTES = 8 << 20


class ImageRow(NamedTuple):
    """A labelled image as its reader found it.

    Args:
        key: Tells rows apart, and follows the row to its prediction.
        image: A file's bytes or bare pixels; None where there are none.
        label: The text that stands for its class, None where it is not known.
        source: URI of the file that it came from.
        fault: What is wrong with the row, None for nothing.
    """

    key: str
    image: bytes | None
    label: str | None
    source: str
    fault: str | None = None


@dataclass(frozen=True)
class ExecutorRows:
    """Runs in executors: numbers of parts in, their rows out; for `mapInArrow`.

    Args:
        parts: What each number stands for.
        read: From one of them to its rows.
        schema: Of what goes out.
    """

    parts: tuple[Any, ...]
    read: Callable[[Any], Iterator[ImageRow]]
    schema: pa.Schema

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch.column(0).to_pylist():
                yield from in_batches(self.read(self.parts[number]), self.schema)


def image_rows(
    spark: SparkSession,
    parts: Sequence[Any],
    read: Callable[[Any], Iterator[ImageRow]],
    names: tuple[str, str, str],
) -> DataFrame:
    """Returns raw rows of labelled images: key, image, label, `_raw`, `_source` and `_fault`.

    Args:
        spark: The session.
        parts: Picklable descriptions of what a task reads; one task each.
        read: Picklable; from one of them to its rows.
        names: Of the columns of key, image and label.
    """
    key, image, label = names
    answer = f"`{key}` string, `{image}` binary, `{label}` string, {RAW} string, {SOURCE} string, {FAULT} string"
    schema = pa.schema([(name, pa.binary() if name == image else pa.string()) for name in (*names, RAW, SOURCE, FAULT)])
    tasks = spark.range(0, len(parts), 1, max(1, len(parts)))
    return tasks.mapInArrow(ExecutorRows(tuple(parts), read, schema), answer)


def in_batches(rows: Iterator[ImageRow], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yields rows in batches of some megabytes; `_raw` names the image by its source and key."""
    waiting: list[ImageRow] = []
    size = 0
    for row in rows:
        waiting.append(row)
        size += len(row.image or b"") + 256
        if size >= BATCH_BYTES:
            yield _batch(waiting, schema)
            waiting, size = [], 0
    if waiting:
        yield _batch(waiting, schema)


def _batch(rows: list[ImageRow], schema: pa.Schema) -> pa.RecordBatch:
    keys, images, labels, sources, faults = (list(column) for column in zip(*rows, strict=True))
    raw = [f"{source}#{key}" for source, key in zip(sources, keys, strict=True)]
    columns = (keys, images, labels, raw, sources, faults)
    return pa.RecordBatch.from_arrays(
        [pa.array(column, item.type) for column, item in zip(columns, schema, strict=True)], schema=schema
    )
