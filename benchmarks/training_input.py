"""Shuffled batches for one worker: our `block` TFRecords against Petastorm's `make_batch_reader` from Parquet.

The same 40 columns (label, 13 numbers, 26 ids, as the ETL stores them) in batches of 1,024. Both sides shuffle what
lies together (our blocks, their row groups) and the rows within, and end in a dict of tensors per batch, all of which
are taken. Petastorm is given its faster pool of two workers, threads or processes, as measured on these files.
"""

import os
import tempfile
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.petastorm_process import OpponentError, Petastorm
from benchmarks.ratios import Comparison, compare
from benchmarks.sizes import Size
from emberline.features.tfrecord.manifest import ShardSet

BATCH, GROUP, BLOCK = 1024, 20_000, 1_250
"""Rows of a batch, of a row group of Parquet, and of a block; 16 blocks are shuffled together, like one row group."""


def compare_readers(size: Size) -> Comparison:
    """Measures both sides in turns."""
    rows, repeats = size.of((3_000_000, 5), (2_000_000, 3), (40_000, 1))
    with tempfile.TemporaryDirectory() as folder, Petastorm(install=size is not Size.TINY) as petastorm:
        shards = _write(folder, rows)

        def ours() -> float:
            import tensorflow as tf

            from emberline.features.tfrecord.input import read_epoch

            start = time.perf_counter()
            batches = read_epoch(f"{folder}/tfrecord", shards, batch_size=BATCH, seed=1)
            # Taken inside TensorFlow, as a training step would.
            count = int(batches.reduce(0, lambda count, batch: count + tf.shape(batch["label"])[0]))
            return _all(count, rows) / (time.perf_counter() - start)

        def theirs(pool: str) -> float:
            seconds, count = petastorm.read(f"{folder}/parquet", BATCH, pool)
            return _all(count, rows) / seconds

        petastorm.read(f"{folder}/parquet", BATCH, "thread")  # imports and traces
        pool = max(("thread", "process"), key=theirs)
        print(f"petastorm reads with a {pool} pool", flush=True)
        return compare(ours, lambda: theirs(pool), repeats=repeats)


def _all(count: int, rows: int) -> int:
    if count != rows // BATCH * BATCH:
        raise OpponentError(f"{count:,} of {rows:,} rows were read in batches of {BATCH}.")
    return count


def _write(folder: str, rows: int) -> ShardSet:
    from emberline.features.tfrecord.layouts import write_shard

    generator = np.random.default_rng(1)
    columns = {"label": generator.integers(0, 2, rows).astype(np.float32)}
    columns |= {f"f{index:02d}": generator.random(rows, np.float32) for index in range(13)}
    columns |= {f"c{index:02d}": generator.integers(0, 1000, rows) for index in range(26)}
    table = pa.table(columns)
    os.makedirs(f"{folder}/parquet")
    os.makedirs(f"{folder}/tfrecord")
    shards, files = [], 4
    for index in range(files):
        part = table.slice(index * rows // files, rows // files)
        pq.write_table(part, f"{folder}/parquet/part-{index}.parquet", row_group_size=GROUP)
        path = f"{folder}/tfrecord/part-{index}.tfrecord"
        shards.append(
            write_shard(
                path, part.to_batches(GROUP), schema=table.schema, layout="block", codec=None, rows_per_block=BLOCK
            )
        )
    return ShardSet(table.schema, "block", None, BLOCK, tuple(shards))
