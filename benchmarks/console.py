"""How long the console takes to answer, against an older build: `python -m benchmarks.console [--old FOLDER]`.

Without an older build there are seconds and no ratio. `FOLDER` is a checkout of a version whose command is
`python -m jobs` (0.1) or `python -m emberline`. Each turn runs both `list`s and ours of `--version` one after the
other, each in a process of its own. Printed are medians of the ratios: above 1, ours is faster.
"""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.ratios import print_json
from benchmarks.sizes import Size, sized_parser

ROOT = Path(__file__).parents[1]
TURNS = 5
TIMEOUT_SECONDS = 300


def main() -> None:
    """Print the seconds and one JSON line."""
    parser = sized_parser(__doc__, "two turns instead of five")
    parser.add_argument("--old", type=Path, metavar="FOLDER", help="checkout to compare with")
    given = parser.parse_args()
    size: Size = given.size
    seconds: dict[str, list[float]] = {"list": [], "version": []} | ({"old list": []} if given.old else {})
    for _ in range(size.of(TURNS, 2, 1)):
        if given.old:
            old = "emberline" if (given.old / "emberline").is_dir() else "jobs"
            seconds["old list"].append(answered(given.old, old, "list"))
        seconds["list"].append(answered(ROOT, "emberline", "list"))
        seconds["version"].append(answered(ROOT, "emberline", "--version"))
    for name, found in seconds.items():
        print(f"{name:<10} {statistics.median(found):6.2f} s", file=sys.stderr)
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    theirs = seconds.pop("old list", [])
    ratios = {f"{name}_vs_old": [b / a for a, b in zip(mine, theirs, strict=True)] for name, mine in seconds.items()}
    print_json("console", ratios if theirs else {}, size, seconds=medians)


def answered(root: Path, module: str, command: str) -> float:
    """Seconds of one command in a process of its own, run in the folder of its checkout."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", module, command],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        check=True,
        timeout=TIMEOUT_SECONDS,
    )
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
