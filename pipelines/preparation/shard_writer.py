"""Raw rows through the transform graph into shards: what executors write, and how the driver publishes it."""

import json
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from math import prod
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark import TaskContext
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from emberline.features import storage
from emberline.features.columns import Transformed
from emberline.features.named_columns import map_in_arrow
from emberline.features.names import quoted
from emberline.features.tfrecord.layouts import Groups, shard_name, write_shard
from emberline.features.tfrecord.manifest import Shard, ShardSet
from emberline.pipelines.preparation.row_transform import RowTransform
from emberline.pipelines.recipe import Preparation
from emberline.pipelines.runtime.logs import tell

BLOCK_BYTES = 4 << 20
"""A reader holds the blocks of some windows in memory."""

SHARD_REPORT = "partition int, shard string, lengths string"
"""What `ShardWriter` answers: the partition, its `Shard`, and by list column how many rows have how many elements; the
latter two as JSON."""

RANKS = 100
"""Parts of equally many rows, between which a manifest tells lengths."""


def fitted(preparation: Preparation, columns: Iterable[Transformed]) -> Preparation:
    """Returns the same preparation with blocks of at most `BLOCK_BYTES`: some rows of images fill one."""
    pixels = sum(prod(size or 0 for size in item.stored_shape) for item in columns if item.stored_type == "uint8")
    if not pixels:
        return preparation
    return replace(preparation, rows_per_block=min(preparation.rows_per_block, max(1, BLOCK_BYTES // pixels)))


class ShardWriter:
    """Turns raw Arrow batches of one partition into one shard in the staging folder; for `mapInArrow`.

    Args:
        transform: Raw rows to stored columns.
        preparation: Codec and block size.
        folder: URI of the staging folder.
    """

    def __init__(self, transform: RowTransform, preparation: Preparation, folder: str) -> None:
        self.transform = transform
        self.preparation = preparation
        self.folder = folder
        self.codec = None if preparation.codec == "none" else preparation.codec

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        context = TaskContext.get()
        partition = context.partitionId() if context else 0
        # The attempt is in the name: a retried or speculative task never touches another's file, and the
        # driver publishes only the file whose name came back.
        name = f"attempt-{uuid.uuid4().hex}.tfrecord"
        lengths: dict[str, Counter[int]] = {
            name: Counter() for name, _ in Groups.of(self.transform.stored_schema).lists
        }
        shard = write_shard(
            storage.join(self.folder, name),
            _counted(self.transform(batches), lengths),
            schema=self.transform.stored_schema,
            layout="block",
            codec=self.codec,
            rows_per_block=self.preparation.rows_per_block,
        )
        tell("shard written", rows=shard.rows, bytes=shard.bytes, folder=self.folder)
        yield pa.RecordBatch.from_pylist(
            [{"partition": partition, "shard": json.dumps(asdict(shard)), "lengths": json.dumps(lengths)}],
            schema=pa.schema([("partition", pa.int32()), ("shard", pa.string()), ("lengths", pa.string())]),
        )


def _counted(batches: Iterator[pa.RecordBatch], lengths: Mapping[str, Counter[int]]) -> Iterator[pa.RecordBatch]:
    """The same batches; how long their lists are is added to `lengths`."""
    for batch in batches:
        for name, counts in lengths.items():
            for one in pc.value_counts(batch.column(name).value_lengths()).to_pylist():
                counts[one["values"]] += one["counts"]
        yield batch


def write_split(rows: DataFrame, job: ShardWriter) -> ShardSet:
    """Shuffles rows into shards and moves the finished files to their final names.

    Args:
        rows: Good rows of one split.
        job: What makes shards of them.
    """
    schema = job.transform.schema
    # By a hash of the row, not at random: a recomputed partition holds the same rows in the same order.
    order = F.xxhash64(F.col(quoted(schema.key)), F.lit(job.preparation.seed))
    shuffled = rows.repartition(job.preparation.shards, order).sortWithinPartitions(order, quoted(schema.key))
    reports = map_in_arrow(shuffled, schema.names, job, SHARD_REPORT).collect()
    lengths: dict[str, Counter[int]] = {}
    for row in reports:
        for name, counts in json.loads(row["lengths"]).items():
            lengths.setdefault(name, Counter()).update({int(length): rows for length, rows in counts.items()})
    written = [json.loads(row["shard"]) for row in sorted(reports, key=lambda row: int(row["partition"]))]
    return publish(job, written, {name: at_ranks(counts) for name, counts in sorted(lengths.items()) if counts})


def at_ranks(counts: Mapping[int, int]) -> tuple[int, ...]:
    """Returns the smallest of counted numbers, and those at each hundredth of their ranks, rank ceil(n i / 100)."""
    numbers = sorted(counts)
    ends = np.cumsum([counts[number] for number in numbers])
    ranks = -(-int(ends[-1]) * np.arange(RANKS + 1) // RANKS)
    return tuple(int(numbers[place]) for place in np.searchsorted(ends, np.maximum(ranks, 1)))


def publish(
    job: ShardWriter, written: Sequence[dict[str, Any]], lengths: Mapping[str, tuple[int, ...]] | None = None
) -> ShardSet:
    """Gives the files that tasks reported their final names, and deletes those of other attempts.

    Args:
        job: Who wrote them.
        written: `Shard`s as plain values, in the order of their partitions.
        lengths: Of the `ShardSet`.
    """
    kept = [shard for shard in written if shard["rows"]]
    finals = [shard_name(index, len(kept), job.codec) for index in range(len(kept))]

    def move(pair: tuple[dict[str, Any], str]) -> None:
        storage.move(storage.join(job.folder, pair[0]["path"]), storage.join(job.folder, pair[1]))

    storage.each_at_once(move, zip(kept, finals, strict=True))
    shards = [
        Shard(**{**shard, "path": final, "blocks": tuple(map(tuple, shard["blocks"]))})
        for shard, final in zip(kept, finals, strict=True)
    ]
    left = [entry.uri for entry in storage.list_files(job.folder)]
    storage.each_at_once(storage.delete, [uri for uri in left if uri.rpartition("/")[2].startswith("attempt-")])
    rows_per_block = job.preparation.rows_per_block
    return ShardSet(job.transform.stored_schema, "block", job.codec, rows_per_block, tuple(shards), lengths or {})
