"""etl of tables, beside an earlier build and beside Spark's own reader of CSV with quotes.

    python -m benchmarks.raw_tables [--quick] [--old CHECKOUT] [--repeats N]

CSV with quoted texts that hold separators, quotes and line breaks: Spark's reader with `multiLine` and ours read it,
count its rows and take the length of every text. With `--old`, etl by an earlier checkout and by this one, in turns: of
click rows in Criteo's format, and of quoted texts that hold separators. Printed are medians of ratios: above 1, ours is
faster.
"""

import csv
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks.ratios import print_json
from benchmarks.sizes import Size, sized_parser
from emberline.pipelines.datasets.readers.tables.table_reader import read_table
from emberline.pipelines.runtime.session import session

ROWS, QUICK_ROWS = 2_000_000, 300_000
CLICKS, QUICK_CLICKS = 5_000_000, 300_000
REPEATS, WARM_UP = 5, 2


def main() -> None:
    """Makes the tables, and measures in turns."""
    parser = sized_parser(__doc__, "few rows, once")
    parser.add_argument("--old", type=Path, help="checkout of an earlier build")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="turns whose median is printed")
    given = parser.parse_args()
    size: Size = given.size
    repeats = size.of(given.repeats, 1, 1)
    rows, click_rows = size.of((ROWS, CLICKS), (QUICK_ROWS, QUICK_CLICKS), (2_000, QUICK_CLICKS))
    with tempfile.TemporaryDirectory() as scratch:
        quoted = Path(scratch) / "quoted" / "rows.csv"
        write_quoted(quoted, rows)
        found = {key: _told(key, ratios) for key, ratios in _reading(quoted, repeats).items()}
        if given.old:
            clicks = Path(scratch) / "clicks"
            write_clicks(clicks, click_rows)
            plain = Path(scratch) / "plain" / "rows.csv"
            write_quoted(plain, rows, separators_alone=True)
            for name, source in (("clicks_wide_deep", clicks), ("quoted", plain.parent)):
                key = f"etl_{name}_vs_old"
                found[key] = _told(key, _etl(name, source, given.old, Path(scratch), repeats))
    print_json("raw_tables", found, size)


def _told(name: str, ratios: list[float]) -> list[float]:
    print(f"{name:<28} {statistics.median(ratios):.2f}", file=sys.stderr, flush=True)
    return ratios


def write_quoted(path: Path, rows: int, separators_alone: bool = False) -> None:
    """A CSV file in which every row has quotes, and every tenth a line break within them.

    Args:
        path: The file.
        rows: How many.
        separators_alone: Nothing but separators within quotes: all that the earlier build reads rightly.
    """
    path.parent.mkdir(parents=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "name", "note", "x", "y", "label"])
        for n in range(rows):
            if separators_alone:
                note = f"first, second, {n}"
            else:
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


def _reading(path: Path, repeats: int) -> dict[str, list[float]]:
    """How many times as long Spark's reader takes for the rows of the opened table, and with the opening."""
    rows, whole = [], []
    with session("tables", "local[2]") as spark:
        for turn in range(repeats + WARM_UP):
            ours = _seconds(lambda: read_table(spark, str(path.parent)))
            theirs = _seconds(lambda: _of_spark(spark, path))
            if turn >= WARM_UP:
                rows.append(theirs[1] / ours[1])
                whole.append(sum(theirs) / sum(ours))
    return {"read_quoted_vs_spark": rows, "open_quoted_vs_spark": whole}


def _of_spark(spark: SparkSession, path: Path) -> DataFrame:
    return spark.read.csv(str(path), header=True, multiLine=True, quote='"', escape='"')


def _seconds(opened: Callable[[], DataFrame]) -> tuple[float, float]:
    """Seconds to open the table, and to its sums."""
    start = time.perf_counter()
    table = opened()
    middle = time.perf_counter()
    table.agg(F.count(F.lit(1)), *(F.sum(F.length(name)) for name in table.columns)).collect()
    return middle - start, time.perf_counter() - middle


def _etl(name: str, source: Path, old: Path, scratch: Path, repeats: int) -> list[float]:
    ratios = []
    for turn in range(repeats):
        seconds = [
            _job(checkout, name, source, scratch / f"{name}-{turn}-{place}")
            for place, checkout in enumerate((Path(__file__).parents[1], old))
        ]
        ratios.append(seconds[1] / seconds[0])
    return ratios


def _job(checkout: Path, name: str, source: Path, output: Path) -> float:
    """Seconds that the etl of a checkout takes in a process of its own, Spark's start aside."""
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    # -P: the benchmarks beside the program have names that the older checkout imports.
    command = [
        sys.executable,
        "-P",
        str(Path(__file__).with_name("raw_tables_process.py")),
        name,
        str(source),
        str(output),
    ]
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=3600)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return float(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
