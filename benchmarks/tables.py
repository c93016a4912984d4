"""etl of tables, beside an earlier build and beside Spark's own reader of CSV with quotes.

    python -m benchmarks.tables [--quick] [--old CHECKOUT]

Click rows in Criteo's format, and CSV with quoted texts that hold separators, quotes and line breaks. With `--old`, the
same etl by an earlier checkout, in turns. Spark's reader with `multiLine` and ours read the quoted CSV, count its rows
and take the length of every text. Printed are medians of ratios: above 1, ours is faster.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from emberline.pipelines.datasets.readers.tables.table_reader import read_table
from emberline.pipelines.runtime.session import session

ROWS, QUICK_ROWS = 2_000_000, 300_000
CLICKS, QUICK_CLICKS = 5_000_000, 300_000
REPEATS = 3


def main() -> None:
    """Makes the tables, and measures in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few rows, once")
    parser.add_argument("--old", type=Path, help="checkout of an earlier build")
    given = parser.parse_args()
    repeats = 1 if given.quick else REPEATS
    with tempfile.TemporaryDirectory() as scratch:
        quoted = Path(scratch) / "quoted" / "rows.csv"
        write_quoted(quoted, QUICK_ROWS if given.quick else ROWS)
        found = {"read_quoted_of_spark": _told("read_quoted_of_spark", _reading(quoted, repeats))}
        if given.old:
            clicks = Path(scratch) / "clicks"
            write_clicks(clicks, QUICK_CLICKS if given.quick else CLICKS)
            for name, source in (("clicks_wide_deep", clicks), ("quoted", quoted.parent)):
                key = f"etl_{name}_of_old"
                found[key] = _told(key, _etl(name, source, given.old, Path(scratch), repeats))
    print(json.dumps(found))


def _told(name: str, ratio: float) -> float:
    print(f"{name:<28} {ratio:.2f}", file=sys.stderr, flush=True)
    return ratio


def write_quoted(path: Path, rows: int) -> None:
    """A CSV file in which every row has quotes, and every tenth a line break within them."""
    path.parent.mkdir(parents=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "name", "note", "x", "y", "label"])
        for n in range(rows):
            note = f"first line\nsecond, {n}" if n % 10 == 0 else f'said "{n % 97}", twice'
            writer.writerow([n, f"Roe, {n % 1000}", note, n % 1009 / 8, n % 13, "yes" if n % 3 else "no"])


def write_clicks(folder: Path, rows: int) -> None:
    """Rows in Criteo's format: those that the data set generates, over and over."""
    from emberline.pipelines.datasets import load_dataset

    load_dataset("clicks").generate(str(folder), seed=1)
    (text,) = [path for path in folder.glob("*.txt") if path.name == "train.txt"]
    lines = text.read_bytes()
    held = lines.count(b"\n")
    with text.open("ab") as file:
        for _ in range(rows // held - 1):
            file.write(lines)


def _reading(path: Path, repeats: int) -> float:
    with session("tables", "local[2]") as spark:
        ratios = []
        for turn in range(repeats + 1):
            mine = _seconds(read_table(spark, str(path.parent)))
            theirs = _seconds(_of_spark(spark, path))
            if turn:
                ratios.append(theirs / mine)
    return statistics.median(ratios)


def _of_spark(spark: SparkSession, path: Path) -> DataFrame:
    return spark.read.csv(str(path), header=True, multiLine=True, quote='"', escape='"')


def _seconds(table: DataFrame) -> float:
    start = time.perf_counter()
    table.agg(F.count(F.lit(1)), *(F.sum(F.length(name)) for name in table.columns)).collect()
    return time.perf_counter() - start


def _etl(name: str, source: Path, old: Path, scratch: Path, repeats: int) -> float:
    ratios = []
    for turn in range(repeats + 1):
        seconds = [
            _job(checkout, name, source, scratch / f"{name}-{turn}-{place}")
            for place, checkout in enumerate((Path(__file__).parents[1], old))
        ]
        if turn or repeats == 1:
            ratios.append(seconds[1] / seconds[0])
    return statistics.median(ratios)


def _job(checkout: Path, name: str, source: Path, output: Path) -> float:
    """Seconds that the etl of a checkout takes in a process of its own, Spark's start aside."""
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    command = [sys.executable, str(Path(__file__).with_name("tables_process.py")), name, str(source), str(output)]
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=3600)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return float(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
