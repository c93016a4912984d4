"""The seconds of `make demo`, beside those of an earlier build.

    python -m benchmarks.demo [--quick] [--old CHECKOUT] [--repeats N]

Every turn runs all steps of `census_wide_deep` on its synthetic rows in a process of its own, with a new workspace and
the default master. The rows are few: most of it is starting things. With `--old`, an earlier checkout does the same in
turns. Printed are the medians of the seconds of each step and of the whole command, and `demo_vs_today`, the median of
ratios of the sums of the steps' seconds: above 1, ours is faster. What both made must be the same.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.ratios import print_json
from benchmarks.sizes import Size, sized_parser

REPEATS = 3
OURS = Path(__file__).parents[1]
ALIKE = ("rows_read", "rows_rejected", "records", "dataset_digest", "steps", "metrics", "rows_scored")
"""Of the summaries: what must not depend on the build."""


def main() -> None:
    """Runs the pipeline in turns."""
    parser = sized_parser(__doc__, "once")
    parser.add_argument("--old", type=Path, help="checkout of an earlier build")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="turns whose median is printed")
    given = parser.parse_args()
    size: Size = given.size
    settings = size.of((), (), ("--set", "training.epochs=1"))
    ours: list[dict[str, Any]] = []
    theirs: list[dict[str, Any]] = []
    for turn in range(size.of(given.repeats, 1, 1)):
        sides = [(OURS, ours), (given.old, theirs)] if given.old else [(OURS, ours)]
        for checkout, found in sides if turn % 2 else reversed(sides):
            found.append(_run(checkout, settings))
            print(f"{checkout.name:<12} {json.dumps(found[-1]['seconds'])}", file=sys.stderr, flush=True)
        if given.old:
            _require_alike(ours[-1], theirs[-1])
    told, ratios = {"seconds": _medians(ours)}, {}
    if given.old:
        told["seconds_old"] = _medians(theirs)
        ratios["demo_vs_today"] = [_steps(old) / _steps(new) for old, new in zip(theirs, ours, strict=True)]
    print_json("demo", ratios, size, **told)


def _run(checkout: Path, settings: Sequence[str]) -> dict[str, Any]:
    """The summary of a run, with the seconds of the whole command among those of its steps."""
    with tempfile.TemporaryDirectory() as workspace:
        command = [sys.executable, "-m", "emberline", "run", "census_wide_deep", "--workspace", workspace, *settings]
        environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
        environment["PYTHONPATH"] = str(checkout)
        start = time.perf_counter()
        done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=3600)
        whole = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    summary: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    summary["seconds"] = {name: round(value, 2) for name, value in (summary["seconds"] | {"command": whole}).items()}
    return summary


def _require_alike(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Raises an error unless both made the same rows, and metrics that differ by no more than two runs of one build."""
    for name in ALIKE:
        mine, other = ours[name], theirs[name]
        if name == "metrics":
            same = all(abs(mine[metric] - value) < 1e-6 for metric, value in other.items())
        else:
            same = mine == other
        if not same:
            raise RuntimeError(f"{name}: {mine} with this build, {other} with the other.")


def _steps(summary: dict[str, Any]) -> float:
    return sum(value for name, value in summary["seconds"].items() if name != "command")


def _medians(summaries: list[dict[str, Any]]) -> dict[str, float]:
    names = summaries[0]["seconds"]
    return {name: statistics.median(summary["seconds"][name] for summary in summaries) for name in names} | {
        "steps": statistics.median(map(_steps, summaries))
    }


if __name__ == "__main__":
    main()
