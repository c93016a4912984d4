"""Memory and size by the width of a row: `python -m benchmarks.memory [--quick]`.

Tables of 10, 40 and 160 columns (a third numbers, the rest texts of 8 letters out of 1,000) go through the steps of
the ETL on `local[2]`: rows checked and staged, statistics with all vocabularies, the transform graph, block TFRecords.
Shown are bytes of a row raw (Parquet) and stored, rows per second of the whole, and the largest resident memory of a
Python worker of Spark's, with TensorFlow imported and no row seen (idle) and at its largest (peak). The setting
`spark.executor.memoryOverhead` has to hold the peak for each task that runs at a time. No opponent: the ratios in the
JSON line are (MiB beyond idle per column at 10 columns) / (the same at the width); above 1, memory grows slower than
rows get wide.
"""

import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.ratios import print_json
from benchmarks.sizes import Size, sized_parser
from emberline.features import storage
from emberline.features.analysis.analyze import analyze
from emberline.features.columns import Numeric, Transformed, Vocabulary, arrow_schema, needs
from emberline.features.schema import Field, Label, Schema
from emberline.features.validation.rows import check_rows
from emberline.pipelines.datasets.readers.raw_table import named_rows
from emberline.pipelines.preparation.checked_rows import CheckedRows
from emberline.pipelines.preparation.row_transform import RowTransform
from emberline.pipelines.preparation.shard_writer import ShardWriter, write_split
from emberline.pipelines.recipe import Preparation

WIDTHS = (10, 40, 160)
ROWS, QUICK_ROWS = 100_000, 20_000
MARKER = f"EMBERLINE_MEMORY={os.getpid()}"


@dataclass(frozen=True)
class Found:
    """One width: bytes of a row, rows per second, and MiB of a Python worker idle and at its largest."""

    columns: int
    raw_bytes: float
    stored_bytes: float
    rows_per_second: float
    worker_idle_mib: float
    worker_peak_mib: float


def table(spark: Any, columns: int, rows: int, uri: str) -> Schema:
    from pyspark.sql import functions as F

    numbers = [f"n{index}" for index in range(columns // 3)]
    texts = [f"t{index}" for index in range(columns - columns // 3)]
    values = [F.rand(index).alias(name) for index, name in enumerate(numbers)]
    values += [
        F.substring(F.md5(F.floor(F.rand(1000 + index) * 1000).cast("string")), 1, 8).alias(name)
        for index, name in enumerate(texts)
    ]
    label = (F.rand(7) < 0.5).cast("int").cast("string").alias("label")
    spark.range(0, rows, 1, 4).select(F.col("id").cast("string").alias("key"), label, *values).write.parquet(uri)
    fields = (*(Field(name, "float") for name in numbers), *(Field(name, "string") for name in texts))
    return Schema(fields, Label("label", (("0",), ("1",))), "key")


def python_workers() -> dict[int, float]:
    """Largest resident memory of every Python worker that this process started, in MiB."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            ours = entry.name.isdigit() and MARKER.encode() in (entry / "environ").read_bytes()
            if ours and b"pyspark.daemon" in (entry / "cmdline").read_bytes():
                status = dict(line.split(":", 1) for line in (entry / "status").read_text().splitlines() if ":" in line)
                found[int(entry.name)] = int(status["VmHWM"].split()[0]) / 1024
        except OSError:
            continue
    return found


@contextmanager
def watched(largest: list[float]) -> Iterator[None]:
    """Appends the largest memory of any Python worker while the block ran."""
    over, seen = threading.Event(), [0.0]

    def watch() -> None:
        while not over.wait(0.1):
            seen[0] = max([seen[0], *python_workers().values()])

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    yield
    over.set()
    thread.join()
    largest.append(max([seen[0], *python_workers().values()]))


def measure(columns: int, rows: int, folder: str) -> Found:
    """In a session of its own: workers live on, and remember the largest table they met."""
    from emberline.pipelines.runtime.session import session

    with session("memory", "local[2]") as spark:
        raw = storage.join(folder, "raw")
        schema = table(spark, columns, rows, raw)
        idle: list[float] = []
        with watched(idle):
            spark.range(0, 2, 1, 2).mapInArrow(_import, "id long").collect()
        declared: tuple[Transformed, ...] = tuple(
            Numeric(item.name, "zscore") if item.kind == "float" else Vocabulary(item.name) for item in schema.fields
        )
        peak: list[float] = []
        began = time.perf_counter()
        with watched(peak):
            from pyspark.sql import functions as F

            read = named_rows(spark.read.parquet(raw), schema, F.col("_metadata.file_path"))
            checked = CheckedRows.write(check_rows(read, schema, labelled=True), storage.join(folder, "checked"))
            statistics = analyze(checked.stored, schema, folder, needs(declared))
            stored = arrow_schema(declared)
            stored = stored.append(pa.field("label", pa.float32())).append(pa.field("key", pa.string()))
            job = ShardWriter(
                RowTransform(schema, declared, statistics, stored), Preparation(), storage.join(folder, "train")
            )
            shards = write_split(checked.good, job)
        took = time.perf_counter() - began
    size = sum(file.size for file in storage.list_files(raw))
    return Found(
        columns, size / rows, sum(shard.bytes for shard in shards.shards) / rows, rows / took, idle[0], peak[0]
    )


def _import(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    import tensorflow as tf

    tf.constant(0)
    yield from batches


def main() -> None:
    """Print the table and one JSON line."""
    parser = sized_parser(__doc__, "a fifth of the rows")
    os.environ.update([MARKER.split("=")])
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    size: Size = parser.parse_args().size
    rows, widths = size.of((ROWS, WIDTHS), (QUICK_ROWS, WIDTHS), (1_000, WIDTHS[:2]))
    found = []
    print(f"{'columns':>8} {'raw B':>7} {'stored B':>9} {'rows/s':>9} {'idle MiB':>9} {'peak MiB':>9}", file=sys.stderr)
    for columns in widths:
        with tempfile.TemporaryDirectory() as folder:
            one = measure(columns, rows, folder)
        found.append(one)
        print(
            f"{one.columns:>8} {one.raw_bytes:>7.0f} {one.stored_bytes:>9.0f} {one.rows_per_second:>9,.0f} "
            f"{one.worker_idle_mib:>9.0f} {one.worker_peak_mib:>9.0f}",
            file=sys.stderr,
            flush=True,
        )
    per_column = [(one.worker_peak_mib - one.worker_idle_mib) / one.columns for one in found]
    ratios = {
        f"memory_follows_width_{one.columns}": [per_column[0] / mine]
        for one, mine in zip(found, per_column, strict=True)
    }
    print_json("memory", ratios, size, widths=[asdict(one) for one in found])


if __name__ == "__main__":
    main()
