"""How long the console takes to answer, against an older build: `python -m benchmarks.console --old FOLDER`.

`FOLDER` is a checkout of a version whose command is `python -m jobs` (0.1) or `python -m emberline`. Each turn runs
both `list`s and ours of `--version` one after the other, each in a process of its own. Printed are
medians of the ratios.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.ratios import print_json

ROOT = Path(__file__).parents[1]
TURNS = 5
TIMEOUT_SECONDS = 300


def main() -> None:
    """Print the seconds and one JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--old", required=True, type=Path, metavar="FOLDER", help="checkout to compare with")
    parser.add_argument("--quick", action="store_true", help="two turns instead of five")
    given = parser.parse_args()
    old = "emberline" if (given.old / "emberline").is_dir() else "jobs"
    seconds: dict[str, list[float]] = {"old list": [], "list": [], "version": []}
    for _ in range(2 if given.quick else TURNS):
        seconds["old list"].append(answered(given.old, old, "list"))
        seconds["list"].append(answered(ROOT, "emberline", "list"))
        seconds["version"].append(answered(ROOT, "emberline", "--version"))
    for name, found in seconds.items():
        print(f"{name:<10} {statistics.median(found):6.2f} s", file=sys.stderr)
    ratios = {
        f"{name} / old list": [mine / other for mine, other in zip(seconds[name], seconds["old list"], strict=True)]
        for name in ("list", "version")
    }
    print_json("console", ratios)


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
