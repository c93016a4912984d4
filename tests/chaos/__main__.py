"""A trial of whole pipelines under random faults: `make test-chaos MINUTES=60 SEED=7`, or `python -m tests.chaos`.

It runs no test of its own: whatever happens, every pipeline must succeed in the end, count every row once, and leave
nothing behind. It prints what it does to stderr, one JSON line to stdout, and ends with code 1 if anything was found.
The seed decides recipes, data and plan; what a fault meets depends on the machine's speed too. Ctrl-C ends it early.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from tests.chaos import checker
from tests.chaos.faults import Faults
from tests.chaos.pipeline import Pipeline, Violation
from tests.chaos.world import open_world


def main() -> int:
    """Runs the trial; returns the exit code."""
    parser = argparse.ArgumentParser(prog="tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="after these no further pipeline begins")
    parser.add_argument("--seed", type=int, default=None, help="default: another one each time")
    parser.add_argument("--folder", type=Path, default=None, help="takes everything that is written; kept")
    parser.add_argument("--store", action="store_true", help="every second pipeline writes to an S3 server; needs Go")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(10_000) if given.seed is None else given.seed
    folder = given.folder or Path(tempfile.mkdtemp(prefix="emberline-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {line}", file=sys.stderr, flush=True)

    say(f"seed {seed}, {given.minutes:g} minutes, in {folder}")
    done, restarts = 0, 0
    violations: list[Violation] = []
    with open_world(folder.resolve(), with_store=given.store) as world:
        faults = Faults(world, random.Random(f"{seed} faults"))
        for number in range(1, sys.maxsize):
            if time.monotonic() - began > given.minutes * 60:
                break
            pipeline = Pipeline(world, faults, random.Random(f"{seed} {number}"), number, say)
            interrupted = False
            try:
                done += pipeline.run()
            except KeyboardInterrupt:
                interrupted = True
            restarts += pipeline.restarts
            violations += pipeline.violations
            if interrupted:
                say("interrupted; the servers are stopped")
                break
            say(f"pipeline {number} of {pipeline.recipe} is over, {len(pipeline.violations)} violations")
    violations += [Violation(0, "the end", one, []) for one in checker.check_ports(faults.sockets)]
    result = {
        "minutes": round((time.monotonic() - began) / 60, 1),
        "seed": seed,
        "pipelines": done,
        "faults": faults.counted(),
        "restarts": {"steps": restarts, **world.revived},
        "violations": [asdict(one) for one in violations],
    }
    print(json.dumps(result), flush=True)
    if violations:
        say(f"{len(violations)} violations; everything is in {folder}")
        return 1
    if given.folder is None:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
