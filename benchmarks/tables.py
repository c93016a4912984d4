"""Embedding tables of any size: a step by rows against the same step with whole tables, and PyTorch.

`python -m benchmarks.tables [--quick] [--only KEY …]`. 26 tables of width 16, dense 64-32, batches of 1,024, Adagrad.
Both sides stay alive in a process each and take steps in turns; the numbers are medians of the ratios of neighbouring
turns. `step_vs_torch` needs a Python with PyTorch, whose path the variable EMBERLINE_TORCH holds.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.ratios import Comparison, print_json, print_table
from benchmarks.tables_process import WIDTH

ROOT = Path(__file__).parents[1]
TORCH = "EMBERLINE_TORCH"
KEYS = ("step_2m6_vs_dense", "step_26m_vs_dense", "speed_26m_vs_26k", "step_vs_torch")
SMALL, MIDDLE, LARGE = 26_000, 2_600_000, 26_000_000
"""Rows of all tables together."""

BATCH = 1024


class Side:
    """A process that trains one network.

    Args:
        rows: Of all tables.
        tables: `training.tables`.
        opponent: "torch", or empty for us.
    """

    def __init__(self, rows: int, tables: str = "rows", *, opponent: str = "") -> None:
        given = {"rows": rows, "tables": tables, "batch": BATCH, "optimizer": "adagrad", "opponent": opponent}
        python = os.environ[TORCH] if opponent == "torch" else sys.executable
        self.peak = 0.0
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.tables_process", json.dumps(given)],
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait(60)

    def steps(self, count: int) -> float:
        """Returns rows per second of so many steps."""
        print(count, file=self._process.stdin, flush=True)
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError(f"A process of the benchmark ended with exit code {self._process.wait(60)}.")
        said = json.loads(line)
        self.peak = said["peak"]
        return float(count * BATCH / said["seconds"])


def turns(ours: Side, theirs: Side, count: int, mine: int, other: int) -> Comparison:
    """Both sides in turns, after one that does not count; each with its own number of steps a turn."""
    found = Comparison("rows/s")
    for turn in range(count + 1):
        pair = ours.steps(mine), theirs.steps(other)
        if turn:
            found.ours.append(pair[0])
            found.theirs.append(pair[1])
    return found


def against_dense(rows: int, quick: bool, steps: int) -> tuple[Comparison, str]:
    with Side(rows) as ours, Side(rows, "dense") as theirs:
        found = turns(ours, theirs, 3 if quick else 7, 50, steps)
        allowed = 1.3 * 2 * rows * WIDTH * 4 + 2**30
        return found, (
            f"peak memory by rows {ours.peak / 1e9:.2f} GB ({ours.peak / allowed:.2f} of 1.3 x weights and slots + 1 "
            f"GiB), whole {theirs.peak / 1e9:.2f} GB\n"
        )


def step_2m6_vs_dense(quick: bool) -> tuple[Comparison, str]:
    return against_dense(MIDDLE, quick, 10)


def step_26m_vs_dense(quick: bool) -> tuple[Comparison, str]:
    return against_dense(LARGE, quick, 2)


def speed_26m_vs_26k(quick: bool) -> tuple[Comparison, str]:
    """The same step over a thousand times the rows; small tables as they are by default, whole."""
    with Side(LARGE) as ours, Side(SMALL, "auto") as theirs:
        return turns(ours, theirs, 3 if quick else 7, 50, 50), ""


def step_vs_torch(quick: bool) -> tuple[Comparison, str]:
    with Side(MIDDLE) as ours, Side(MIDDLE, opponent="torch") as theirs:
        return turns(ours, theirs, 3 if quick else 7, 50, 50), ""


def main() -> None:
    """Prints the table and one JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer turns")
    parser.add_argument("--only", nargs="+", choices=KEYS, default=KEYS, metavar="KEY", help=", ".join(KEYS))
    given = parser.parse_args()
    ratios: dict[str, Any] = {}
    for key in given.only:
        if key == "step_vs_torch" and not os.environ.get(TORCH):
            print(f"{key}: not measured, {TORCH} is not set")
            continue
        measure: Callable[[bool], tuple[Comparison, str]] = globals()[key]
        found, text = measure(given.quick)
        print_table({key: found})
        print(text, end="", flush=True)
        ratios[key] = found.ratios
    print_json("tables", ratios)


if __name__ == "__main__":
    main()
