"""How partial results of a pass travel: one Arrow blob per field and task, brought together by field.

Spark moves blobs, not their rows: a million counted words are one value for it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeAlias

import pyarrow as pa
from pyspark.sql import DataFrame

PARTIAL = "field int, part binary"

Merge: TypeAlias = Callable[[int, Iterator[pa.RecordBatch]], bytes]
"""Given the number of a field and all its blobs, unpacked, the bytes that the driver gets."""


def packed(columns: Mapping[str, Any]) -> bytes:
    """Returns the columns of equal length as bytes."""
    batch = pa.record_batch(dict(columns))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def unpacked(blob: bytes | pa.Buffer) -> pa.RecordBatch:
    """Returns what `packed` packed."""
    return pa.ipc.open_stream(blob).read_next_batch()


def partial(field: int, blob: bytes) -> pa.RecordBatch:
    """Returns what a pass yields: `blob` about field number `field`."""
    return pa.record_batch({"field": pa.array([field], pa.int32()), "part": pa.array([blob], pa.binary())})


def gather(partials: DataFrame, merge: Merge) -> dict[int, bytes]:
    """Merges what a pass has yielded, in executors, each field in one task; answers by number of the field."""
    # Sorted, so that a task holds the blobs of one field at a time.
    together = partials.repartition("field").sortWithinPartitions("field")
    merged = together.mapInArrow(_MergeFields(merge), PARTIAL).toArrow()
    return _answers(merged)


def gather_here(partials: Iterable[pa.RecordBatch], merge: Merge) -> dict[int, bytes]:
    """Returns the same of what a pass yields in this process."""
    rising = sorted(partials, key=lambda part: int(part.column(0)[0].as_py()))
    return _answers(pa.Table.from_batches(_MergeFields(merge)(iter(rising))))


def _answers(merged: pa.Table) -> dict[int, bytes]:
    return dict(zip(merged.column("field").to_pylist(), merged.column("part").to_pylist(), strict=True))


@dataclass(frozen=True)
class _MergeFields:
    merge: Merge

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        blobs = (pair for batch in batches for pair in zip(batch.column(0).to_pylist(), batch.column(1), strict=True))
        for field, pairs in groupby(blobs, key=itemgetter(0)):
            yield partial(field, self.merge(field, (unpacked(blob.as_buffer()) for _, blob in pairs)))
