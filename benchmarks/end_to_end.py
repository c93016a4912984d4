"""From raw files to a registered model and predictions of every row, against what people would pick instead.

`python -m benchmarks.end_to_end [--quick] [--sides NAME …]`. Click logs of two days in Criteo's format (tab-separated,
13 counts and 26 categories), nine tenths of the rows in the first; the second is held out. Every side learns quantiles
and vocabularies from the first day. It trains one network on it, a linear model beside 8 numbers for each of 39 ids and
layers of 64 and 32, for three epochs in batches of 512 by Adam, and evaluates it after every epoch. It registers the
model with MLflow, and writes a prediction of every row of both days. Sides run in turns, each in a process tree of its
own:

- `ours`: `emberline run` on `local-cluster[2,1,2048]`;
- `spark_stack`: QuantileDiscretizer and StringIndexer of Spark ML on such a cluster, Parquet, tf.data over pyarrow,
  `keras.Model.fit` in the driver, `mlflow.pyfunc.spark_udf`;
- `polars`: one process without Spark: Polars with its streaming engine, Parquet, the same training, batch prediction.

Measured are seconds of wall clock from the start of the process to its end, and the largest memory of all processes
together, sampled every second (pages that processes share count once). Of the held-out rows every side has the same
area under the ROC curve within 0.003, which is checked with scikit-learn from what it wrote.
"""

import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from benchmarks.polars_library import OpponentError, library
from benchmarks.ratios import print_json
from benchmarks.sizes import Size, sized_parser
from emberline.pipelines.datasets.generators.clicks import _Truth
from emberline.pipelines.datasets.readers.raw_table import KEY_LENGTH

ROOT = Path(__file__).parents[1]
SIDES = ("ours", "spark_stack", "polars")
PROGRAMS = {"ours": "end_to_end_ours", "spark_stack": "end_to_end_spark", "polars": "end_to_end_polars"}
DRAWN = 250_000
"""Rows that are drawn at a time."""

HELD_OUT = 10
"""One row in so many belongs to the second day."""

TOLERANCE = 0.003
MARKER = "EMBERLINE_END_TO_END"
SAMPLED_SECONDS = 1.0
TIMEOUT_SECONDS = 4 * 3600


@dataclass(frozen=True)
class Found:
    """What one side took for all of it.

    Args:
        seconds: Of wall clock.
        peak: Bytes of memory of all its processes together, at their largest.
        steps: Seconds by step; the rest of the seconds is starting and ending.
        auc: Area under the ROC curve of the held-out rows.
    """

    seconds: float
    peak: int
    steps: dict[str, float]
    auc: float


def write_days(folder: Path, rows: int) -> tuple[int, int]:
    """Writes both days; returns how many rows they have."""
    generator = np.random.default_rng(1)
    truth = _Truth(generator)
    folder.mkdir()
    counts = rows - rows // HELD_OUT, rows // HELD_OUT
    for day, count in enumerate(counts):
        with (folder / f"day_{day}").open("w") as file:
            for first in range(0, count, DRAWN):
                size = min(DRAWN, count - first)
                fields, probability = truth.draw(generator, size)
                label = np.where(generator.random(size) < probability, "1", "0").tolist()
                file.writelines("\t".join(row) + "\n" for row in zip(label, *fields, strict=True))
    return counts


def run_side(side: str, told: dict[str, Any], counts: tuple[int, int]) -> Found:
    """Runs one side in a new folder, and looks at what it wrote.

    Raises:
        RuntimeError: if it failed, or did not predict every row.
    """
    mark = uuid.uuid4().hex
    paths = [str(ROOT), *([str(library())] if side == "polars" else []), os.environ.get("PYTHONPATH", "")]
    here = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    here |= {MARKER: mark, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "TF_CPP_MIN_LOG_LEVEL": "3"}
    with tempfile.TemporaryDirectory() as work, tempfile.TemporaryFile("w+") as log:
        command = [sys.executable, "-m", f"benchmarks.{PROGRAMS[side]}", json.dumps(told | {"work": work})]
        peak: list[int] = []
        began = time.perf_counter()
        with watched(mark, peak):
            done = subprocess.run(
                command, cwd=work, env=here, stdout=subprocess.PIPE, stderr=log, text=True, timeout=TIMEOUT_SECONDS
            )
        seconds = time.perf_counter() - began
        if done.returncode:
            log.seek(0)
            raise RuntimeError(f"The side {side} ended with exit code {done.returncode}:\n{log.read()[-3000:]}")
        said = json.loads(done.stdout.strip().splitlines()[-1])
        score = score_ours if side == "ours" else score_theirs
        return Found(seconds, max(peak), said["seconds"], score(said["predictions"], Path(told["raw"]), counts))


@contextmanager
def watched(mark: str, peak: list[int]) -> Iterator[None]:
    """Appends what all processes with the mark in their environment hold together, at its largest in the block."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(SAMPLED_SECONDS):
            peak.append(resident(f"{MARKER}={mark}".encode()))

    peak.append(0)
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def resident(mark: bytes) -> int:
    """Bytes in memory of all processes with the mark; what several of them share counts once."""
    total = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if mark in (entry / "environ").read_bytes():
                line = next(line for line in (entry / "smaps_rollup").open() if line.startswith("Pss:"))
                total += int(line.split()[1]) * 1024
        except (OSError, StopIteration):  # it has ended meanwhile
            continue
    return total


def score_ours(predictions: str, raw: Path, counts: tuple[int, int]) -> float:
    """Area under the ROC curve of our predictions of the second day, whose keys are hashes of their rows.

    Raises:
        RuntimeError: if rows are missing.
    """
    table = pq.read_table(predictions.removeprefix("file://"), columns=["row", "score"])
    if table.num_rows != sum(counts):
        raise RuntimeError(f"{table.num_rows:,} of {sum(counts):,} rows were predicted.")
    scores = dict(zip(table["row"].to_pylist(), table["score"].to_pylist(), strict=True))
    with (raw / "day_1").open() as file:
        lines = [line.rstrip("\n") for line in file]
    keys = [hashlib.sha256(line.encode()).hexdigest()[:KEY_LENGTH] for line in lines]
    return _auc([float(line[0]) for line in lines], [scores[key] for key in keys])


def score_theirs(predictions: str, raw: Path, counts: tuple[int, int]) -> float:
    """The same of an opponent, which writes `label` and `score` into a folder for each day.

    Raises:
        RuntimeError: if rows are missing.
    """
    tables = [pq.read_table(f"{predictions}/day_{day}", columns=["label", "score"]) for day in range(len(counts))]
    if (found := tuple(table.num_rows for table in tables)) != counts:
        raise RuntimeError(f"{found} of {counts} rows were predicted.")
    return _auc(tables[1]["label"].to_numpy(), tables[1]["score"].to_numpy())


def _auc(label: Any, score: Any) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(label, score))


def print_sides(found: dict[str, list[Found]]) -> None:
    """Medians of every side, then of its steps."""
    print(f"{'':14}{'seconds':>9}{'peak GiB':>10}{'AUC':>8}   seconds of steps")
    for side, runs in found.items():
        seconds, peak = (statistics.median(getattr(run, name) for run in runs) for name in ("seconds", "peak"))
        steps = {name: statistics.median(run.steps[name] for run in runs) for name in runs[0].steps}
        steps["starting and ending"] = seconds - sum(steps.values())
        told = ", ".join(f"{name} {value:.1f}" for name, value in steps.items())
        print(f"{side:14}{seconds:>9.1f}{peak / 2**30:>10.2f}{runs[0].auc:>8.4f}   {told}", flush=True)


def main() -> None:
    """Prints the table and one JSON line."""
    parser = sized_parser(__doc__, "500,000 rows instead of 5,000,000, one turn")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=SIDES, metavar="NAME", help=", ".join(SIDES))
    given = parser.parse_args()
    size: Size = given.size
    rows, epochs, turns = size.of((5_000_000, 3, 3), (500_000, 3, 1), (4_000, 1, 1))
    sides = list(given.sides)
    try:
        library(install=size is not Size.TINY)
    except OpponentError as error:
        print(f"polars is not measured: {error}", file=sys.stderr)
        sides = [side for side in sides if side != "polars"]
    found: dict[str, list[Found]] = {side: [] for side in sides}
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw"
        counts = write_days(raw, rows)
        told = {"raw": str(raw), "epochs": epochs, "batch": 512, "master": "local-cluster[2,1,2048]"}
        for _ in range(turns):
            for side in sides:
                found[side].append(run_side(side, told, counts))
                print_sides({side: found[side][-1:]})
    print_sides(found)
    ratios = {}
    for side in set(sides) - {"ours"} if "ours" in sides else ():
        pairs = list(zip(found["ours"], found[side], strict=True))
        ratios[f"total_vs_{side}"] = [theirs.seconds / ours.seconds for ours, theirs in pairs]
        ratios[f"memory_vs_{side}"] = [ours.peak / theirs.peak for ours, theirs in pairs]
        apart = max(abs(ours.auc - theirs.auc) for ours, theirs in pairs)
        if apart > TOLERANCE and size is not Size.TINY:
            raise RuntimeError(f"The areas under the ROC curve of {side} and ours are {apart:.4f} apart.")
    runs = {side: [vars(run) for run in runs] for side, runs in found.items()}
    print_json("end_to_end", dict(sorted(ratios.items())), size, runs=runs)


if __name__ == "__main__":
    main()
