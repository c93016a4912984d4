"""How the driver's work grows: 10,000 shards, 5,000 partitions of empty work, through the code of a real run.

`python -m benchmarks.scale [--quick]` measures each piece at a quarter, a half and the whole of its size: seconds, and
the peak of Python's memory; of Spark's tasks also what is left in the heap of its JVM. `growth` is the exponent between
the smallest and the largest: 1 is linear, 2 quadratic.
The ratios in the JSON line are (seconds per item at a quarter) / (seconds per item at the whole), 1 for linear work.
"""

import gc
import json
import math
import statistics
import subprocess
import sys
import tempfile
import tracemalloc
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
from pyspark import TaskContext

from benchmarks.ratios import print_json, seconds
from benchmarks.sizes import Size, sized_parser
from emberline.features import storage
from emberline.features.analysis.sources import file_splits
from emberline.features.columns import Numeric
from emberline.features.dataset_version import FEATURES, FORMAT, MANIFEST, SUCCESS, content_digest, open_version
from emberline.features.python_worker import keep_out_of_collections
from emberline.features.schema import Field, Label, Schema
from emberline.features.statistics import FieldStatistics, Statistics
from emberline.features.tfrecord.epoch_order import bounds_of, share_of
from emberline.features.tfrecord.manifest import Shard, ShardSet
from emberline.pipelines.preparation.row_transform import RowTransform
from emberline.pipelines.preparation.shard_writer import ShardWriter, publish, write_split
from emberline.pipelines.recipe import Preparation
from emberline.pipelines.runtime.version import code_version
from emberline.pipelines.scoring.destination import Destination

SHARDS, PARTITIONS, EXECUTORS, WORKERS = 10_000, 5_000, 1_000, 64
BLOCKS_PER_SHARD, ROWS_PER_BLOCK, GLOBAL_BATCH = 100, 50_000, 65_536
TURNS = 3
TASKS = "tasks of empty work"

SCHEMA = Schema((Field("amount", "float"),), Label("label", (("0",), ("1",))), "row")
COLUMNS = (Numeric("amount"),)
STORED = pa.schema([("amount", pa.float32()), ("label", pa.float32()), ("row", pa.string())])
STATISTICS = Statistics(1, (1, 0), None, {"amount": FieldStatistics(1, 0, mean=0.0)})


@dataclass(frozen=True)
class Piece:
    """One piece of the driver's work.

    Args:
        name: What it is.
        items: Of what there are many.
        most: How many.
        prepare: Makes what the work needs, in a fresh folder, for so many items.
    """

    name: str
    items: str
    most: int
    prepare: Callable[[Path, int], Callable[[], Any]]


def shard_set(shards: int) -> ShardSet:
    rows, size = BLOCKS_PER_SHARD * ROWS_PER_BLOCK, ROWS_PER_BLOCK * 320
    made = (
        Shard(
            f"part-{index:05d}-of-{shards:05d}.tfrecord",
            rows,
            BLOCKS_PER_SHARD,
            size * BLOCKS_PER_SHARD,
            index,
            ((BLOCKS_PER_SHARD, size),),
        )
        for index in range(shards)
    )
    return ShardSet(STORED, "block", None, ROWS_PER_BLOCK, tuple(made))


def writer(folder: Path, shards: int) -> ShardWriter:
    transform = RowTransform(SCHEMA, COLUMNS, STATISTICS, STORED)
    return ShardWriter(transform, Preparation(shards=shards), str(folder / "train"))


def publish_shards(folder: Path, shards: int) -> Callable[[], Any]:
    """What tasks have written gets its final names: a rename per file."""
    job, written = writer(folder, shards), []
    (folder / "train").mkdir()
    for index in range(shards):
        (folder / "train" / f"attempt-{index:032x}.tfrecord").touch()
        shard = {"path": f"attempt-{index:032x}.tfrecord", "rows": 1, "records": 1, "bytes": 0, "crc32c": 0}
        written.append(shard | {"blocks": [[1, 9]]})
    return lambda: publish(job, written)


def write_manifest(folder: Path, shards: int) -> Callable[[], Any]:
    """Digest and manifest of a new version."""
    found = shard_set(shards)
    features = {"schema": SCHEMA.to_json(), "columns": [], "cardinalities": {}, "statistics": STATISTICS.to_json()}

    def work() -> None:
        splits = {"train": found.to_json()}
        manifest = {
            "format": FORMAT,
            "digest": content_digest(features, splits),
            "code_version": code_version(),
            "source": {"uri": "none", "synthetic": None},
            "splits": splits,
        }
        storage.write_bytes_atomic(f"{folder}/{FEATURES}", json.dumps(features).encode())
        storage.write_bytes_atomic(f"{folder}/{MANIFEST}", json.dumps(manifest, indent=2).encode())
        storage.write_bytes_atomic(f"{folder}/{SUCCESS}", b"")

    return work


def open_and_plan(folder: Path, shards: int) -> Callable[[], Any]:
    """A training opens the version and plans equal steps."""
    write_manifest(folder, shards)()
    return lambda: open_version(str(folder)).split("train").plan(WORKERS, GLOBAL_BATCH)


def order_of_an_epoch(folder: Path, shards: int) -> Callable[[], Any]:
    """A worker works out which blocks it reads, in which order (on each worker, at the beginning of each epoch)."""
    found = shard_set(shards)
    low, high = bounds_of(found.rows, GLOBAL_BATCH // WORKERS, 0, WORKERS, True)
    return lambda: share_of(found, low, high, seed=1, epoch=1)


def publish_partitions(folder: Path, partitions: int) -> Callable[[], Any]:
    """Predictions of so many days replace those of the same days."""
    target = Destination(SimpleNamespace(), str(folder / "predictions"), "parquet", "day")  # type: ignore[arg-type]
    for base in (folder / "predictions", Path(target.staging) / "predictions"):
        for index in range(partitions):
            (base / f"day={index:06d}").mkdir(parents=True)
            (base / f"day={index:06d}" / "part-0.parquet").touch()
    return target.publish


def plan_a_pass(folder: Path, files: int) -> Callable[[], Any]:
    """Parquet files of 1 GB, cut into the parts that tasks read."""
    listed = [storage.FileEntry(f"hdfs://cluster/raw/part-{index:06d}.parquet", 1 << 30) for index in range(files)]
    return lambda: file_splits(listed, 2)


PIECES = (
    Piece("publish shards", "shards", SHARDS, publish_shards),
    Piece("write a manifest", "shards", SHARDS, write_manifest),
    Piece("open and plan", "shards", SHARDS, open_and_plan),
    Piece("order of an epoch", "shards", SHARDS, order_of_an_epoch),
    Piece("publish partitions", "partitions", PARTITIONS, publish_partitions),
    Piece("plan a pass", "files", SHARDS, plan_a_pass),
)


@dataclass(frozen=True)
class GroupMetrics:
    """One piece at one size: seconds of every turn, the peak of Python's memory, what is left in the JVM's (MiB)."""

    size: int
    seconds: tuple[float, ...]
    peak: float
    heap: float | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def measure(piece: Piece, size: int) -> GroupMetrics:
    times = []
    for _ in range(TURNS):
        with tempfile.TemporaryDirectory() as folder:
            times.append(seconds(piece.prepare(Path(folder), size)))
    with tempfile.TemporaryDirectory() as folder:
        work = piece.prepare(Path(folder), size)
        tracemalloc.start()
        work()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return GroupMetrics(size, tuple(times), peak / 2**20)


class EmptyWork(ShardWriter):
    """A task that reads its rows and writes a file without any: what is left is Spark's work and the driver's."""

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        if not gc.get_freeze_count():
            keep_out_of_collections()
        rows = sum(batch.num_rows for batch in batches)
        context = TaskContext.get()
        name = f"attempt-{uuid.uuid4().hex}.tfrecord"
        storage.write_bytes_atomic(storage.join(self.folder, name), b"")
        shard = asdict(Shard(name, max(rows, 1), 1, 0, 0, ((1, max(rows, 1)),)))
        yield pa.RecordBatch.from_pylist(
            [{"partition": context.partitionId() if context else 0, "shard": json.dumps(shard), "lengths": "{}"}],
            schema=pa.schema([("partition", pa.int32()), ("shard", pa.string()), ("lengths", pa.string())]),
        )


def tasks_of_empty_work(partitions: int) -> list[GroupMetrics]:
    """So many tasks, of some rows each, that report a shard; the driver collects the reports and publishes."""
    from emberline.pipelines.runtime.session import session

    found: list[GroupMetrics] = []
    with session("scale", "local[2]") as spark, tempfile.TemporaryDirectory() as scratch:
        for number, size in enumerate((16, partitions // 4, partitions)):  # the first starts Python
            rows = spark.range(8 * size).selectExpr("double(id) amount", "0f label", "string(id) row")
            job = EmptyWork(
                RowTransform(SCHEMA, COLUMNS, STATISTICS, STORED),
                Preparation(shards=size),
                str(Path(scratch) / str(number)),
            )
            tracemalloc.start()
            took = seconds(partial(write_split, rows, job))
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            if number:
                found.append(GroupMetrics(size, (took,), peak / 2**20, live_heap(spark)))
                show(TASKS, found)
    return found


def live_heap(spark: Any) -> float:
    """MiB in the driver's JVM that something still holds."""
    spark._jvm.System.gc()
    runtime = spark._jvm.Runtime.getRuntime()
    return float(runtime.totalMemory() - runtime.freeMemory()) / 2**20


def manifest_bytes(shards: int) -> float:
    """Bytes of `manifest.json` per shard of a split."""
    with tempfile.TemporaryDirectory() as folder:
        write_manifest(Path(folder), shards)()
        return (Path(folder) / MANIFEST).stat().st_size / shards


TABLE = """
import sys, tensorflow as tf
from emberline.features.columns.vocabulary_file import words_table
def resident():
    return int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmRSS"))) * 1024
words_table(sys.argv[1], 1000, counted=True).lookup(tf.constant(["a"]))
before = resident()
table = words_table(sys.argv[2], int(sys.argv[3]), counted=True)
assert int(table.lookup(tf.constant(["w000000001"]))[0]) == 1
print((resident() - before) / int(sys.argv[3]))
"""


def table_bytes(words: int) -> float:
    """Bytes of memory per word of 10 characters in a lookup table, in each process that has the transform graph."""
    with tempfile.TemporaryDirectory() as folder:
        for name, count in (("few.txt", 1000), ("many.txt", words)):
            (Path(folder) / name).write_text("".join(f"w{index:09d}\t1\n" for index in range(count)))
        command = [sys.executable, "-c", TABLE, f"{folder}/few.txt", f"{folder}/many.txt", str(words)]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def growth(found: list[GroupMetrics]) -> float:
    return math.log(found[-1].median / found[0].median) / math.log(found[-1].size / found[0].size)


def show(name: str, found: list[GroupMetrics]) -> None:
    """A line about what was measured last."""
    one = found[-1]
    grown = f"{growth(found):6.2f}" if len(found) > 1 else " " * 6
    heap = f"  heap {one.heap:.0f} MiB" if one.heap else ""
    line = f"{name:<28} {one.size:>8,} {one.median:>9.3f} {one.peak:>9.1f}  {grown}{heap}"
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    parser = sized_parser(__doc__, "a tenth of everything")
    size: Size = parser.parse_args().size
    part = size.of(1, 10, 250)
    print(f"{'':<28} {'items':>8} {'seconds':>9} {'peak MiB':>9}  growth", file=sys.stderr)
    measured: dict[str, list[GroupMetrics]] = {}
    for piece in PIECES:
        found = measured.setdefault(piece.name, [])
        for cut in (4, 2, 1):
            found.append(measure(piece, piece.most // part // cut))
            show(piece.name, found)
    measured[TASKS] = tasks_of_empty_work(PARTITIONS // part)
    ratios = {}
    for name, found in measured.items():
        base = found[0].median / found[0].size
        per_turn = [base / (took / found[-1].size) for took in found[-1].seconds]
        ratios[f"{name.replace(' ', '_')}_linear"] = per_turn
    pieces = {
        name: [{"items": one.size, "seconds": one.median, "peak_mib": one.peak, "heap_mib": one.heap} for one in found]
        for name, found in measured.items()
    }
    constants = {
        "manifest_bytes_per_shard": round(manifest_bytes(SHARDS // part)),
        "table_bytes_per_word": round(table_bytes(2_000_000 // part)),
    }
    for name, value in constants.items():
        print(f"{name:<28} {value:>8,}", file=sys.stderr)
    print_json("scale", ratios, size, pieces=pieces, constants=constants)


if __name__ == "__main__":
    main()
