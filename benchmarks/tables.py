"""Embedding tables of any size: a step by rows against the same step with whole tables, PyTorch, and two workers.

`python -m benchmarks.tables [--quick | --tiny] [--only KEY …]`. 26 tables of width 16, dense 64-32, batches of 1,024,
Adagrad.
Both sides stay alive in a process each and take steps in turns; the numbers are medians of the ratios of neighbouring
turns. `step_vs_torch` needs a Python with PyTorch, whose path the variable EMBERLINE_TORCH holds.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.ratios import Comparison, print_json, print_table
from benchmarks.sizes import Size, sized_parser
from benchmarks.tables_process import WIDTH

ROOT = Path(__file__).parents[1]
TORCH = "EMBERLINE_TORCH"
KEYS = (
    "step_2m6_vs_dense",
    "step_26m_vs_dense",
    "speed_26m_vs_26k",
    "step_vs_torch",
    "workers_2",
    "workers_2_vs_dense",
)
SMALL, MIDDLE, LARGE = 26_000, 2_600_000, 26_000_000
"""Rows of all tables together."""

BATCH = 1024


class Side:
    """Processes that train one network together.

    Args:
        rows: Of all tables.
        tables: `training.tables`.
        workers: How many processes.
        batch: Rows of a step, over all of them.
        one_core: Whether each has a core of its own, or all have all.
        opponent: "torch", or empty for us.

    Attributes:
        peak: Most resident memory of a process, in bytes.
        cpu: CPU seconds of a step in the process that takes most, of each turn.
    """

    def __init__(
        self,
        rows: int,
        tables: str = "rows",
        workers: int = 1,
        batch: int = BATCH,
        *,
        one_core: bool = False,
        opponent: str = "",
    ) -> None:
        self._batch = batch
        self.peak = 0.0
        self.cpu: list[float] = []
        ports = [_free_port() for _ in range(workers)]
        self._ranks = []
        for rank in range(workers):
            given = {
                "rows": rows, "tables": tables, "workers": workers, "rank": rank, "batch": batch,
                "optimizer": "adagrad", "opponent": opponent, "cores": [rank] if one_core else [],
            }  # fmt: skip
            cluster = {"cluster": {"worker": [f"127.0.0.1:{port}" for port in ports]}}
            config = {"TF_CONFIG": json.dumps(cluster | {"task": {"type": "worker", "index": rank}})}
            python = os.environ[TORCH] if opponent == "torch" else sys.executable
            self._ranks.append(
                subprocess.Popen(
                    [python, "-m", "benchmarks.tables_process", json.dumps(given)],
                    env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | (config if workers > 1 else {}),
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
                )
            )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for rank in self._ranks:
            if rank.stdin:
                rank.stdin.close()
        for rank in self._ranks:
            rank.wait(60)

    def steps(self, count: int) -> float:
        """Returns rows per second of so many steps."""
        for rank in self._ranks:
            print(count, file=rank.stdin, flush=True)
        said = []
        for rank in self._ranks:
            line = rank.stdout.readline() if rank.stdout else ""
            if not line:
                raise RuntimeError(f"A process of the benchmark ended with exit code {rank.wait(60)}.")
            said.append(json.loads(line))
        self.peak = max(one["peak"] for one in said)
        self.cpu.append(max(one["cpu"] for one in said) / count)
        return count * self._batch / max(one["seconds"] for one in said)


def _free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


def rows_of(size: Size, whole: int) -> int:
    """Returns the rows of all tables."""
    return size.of(whole, whole, SMALL)


def turns_of(size: Size) -> int:
    """Returns how many turns count."""
    return size.of(7, 3, 1)


def turns(ours: Side, theirs: Side, count: int, mine: int, other: int) -> Comparison:
    """Both sides in turns, after one that does not count; each with its own number of steps a turn."""
    found = Comparison("rows/s")
    for turn in range(count + 1):
        pair = ours.steps(mine), theirs.steps(other)
        if turn:
            found.ours.append(pair[0])
            found.theirs.append(pair[1])
    return found


def against_dense(rows: int, size: Size, steps: int) -> tuple[Comparison, str]:
    with Side(rows) as ours, Side(rows, "dense") as theirs:
        found = turns(ours, theirs, turns_of(size), 50, steps)
        allowed = 1.3 * 2 * rows * WIDTH * 4 + 2**30
        return found, (
            f"peak memory by rows {ours.peak / 1e9:.2f} GB ({ours.peak / allowed:.2f} of 1.3 x weights and slots + 1 "
            f"GiB), whole {theirs.peak / 1e9:.2f} GB\n"
        )


def step_2m6_vs_dense(size: Size) -> tuple[Comparison, str]:
    return against_dense(rows_of(size, MIDDLE), size, 10)


def step_26m_vs_dense(size: Size) -> tuple[Comparison, str]:
    return against_dense(rows_of(size, LARGE), size, 2)


def speed_26m_vs_26k(size: Size) -> tuple[Comparison, str]:
    """The same step over a thousand times the rows; small tables as they are by default, whole."""
    with Side(rows_of(size, LARGE)) as ours, Side(SMALL, "auto") as theirs:
        return turns(ours, theirs, turns_of(size), 50, 50), ""


def step_vs_torch(size: Size) -> tuple[Comparison, str]:
    rows = rows_of(size, MIDDLE)
    with Side(rows) as ours, Side(rows, opponent="torch") as theirs:
        return turns(ours, theirs, turns_of(size), 50, 50), ""


def cpu_of(ours: Side, theirs: Side) -> str:
    """Returns what a step costs a process: other load on the machine lengthens waits more than this."""
    mine, other = (1e3 * statistics.median(side.cpu[1:]) for side in (ours, theirs))
    return f"CPU time of a step in one process: ours {mine:.1f} ms, theirs {other:.1f} ms\n"


def workers_2(size: Size) -> tuple[Comparison, str]:
    """Two workers of a core each against one of a core, with the same global batch, four times that of the others."""
    with (
        Side(rows_of(size, MIDDLE), workers=2, batch=4 * BATCH, one_core=True) as ours,
        Side(rows_of(size, MIDDLE), batch=4 * BATCH, one_core=True) as theirs,
    ):
        return turns(ours, theirs, turns_of(size), 20, 20), cpu_of(ours, theirs)


def workers_2_vs_dense(size: Size) -> tuple[Comparison, str]:
    """The same two workers against two that sum whole tables."""
    with (
        Side(rows_of(size, MIDDLE), workers=2, batch=4 * BATCH, one_core=True) as ours,
        Side(rows_of(size, MIDDLE), "dense", workers=2, batch=4 * BATCH, one_core=True) as theirs,
    ):
        return turns(ours, theirs, turns_of(size), 20, 4), cpu_of(ours, theirs)


def main() -> None:
    """Prints the table and one JSON line."""
    parser = sized_parser(__doc__, "fewer turns")
    parser.add_argument("--only", nargs="+", choices=KEYS, default=KEYS, metavar="KEY", help=", ".join(KEYS))
    given = parser.parse_args()
    ratios: dict[str, Any] = {}
    for key in given.only:
        if key == "step_vs_torch" and not os.environ.get(TORCH):
            print(f"{key}: not measured, {TORCH} is not set")
            continue
        measure: Callable[[Size], tuple[Comparison, str]] = globals()[key]
        found, text = measure(given.size)
        print_table({key: found})
        print(text, end="", flush=True)
        ratios[key] = found.ratios
    print_json("tables", ratios, given.size)


if __name__ == "__main__":
    main()
