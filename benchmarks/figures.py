"""Runs the benchmarks and writes docs/figures.md: `python -m benchmarks.figures [NAME …] [--size SIZE] [--old FOLDER]`.

Every ratio that a benchmark prints becomes a line of `benchmarks/figures.jsonl`, with its opponent and the version of
it, the size, the machine, the commit and the date; the page is made of these lines. Those of other benchmarks stay as
they are. Nothing else writes to either file, so a figure of the page is one that a run has printed.

Without a name all run that measure speed, in the size `quick`. Those that measure quality have to be trained to the
end, and run with `--size whole` alone. A benchmark that fails keeps its earlier figures, and the exit code is 1.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.catalogue import CATALOGUE
from benchmarks.sizes import Size

ROOT = Path(__file__).parents[1]
LINES, PAGE = ROOT / "benchmarks" / "figures.jsonl", ROOT / "docs" / "figures.md"

OLDEST = 100
"""Commits to the measured code, after which a figure has to be measured anew: two or three days of much work, in which
a folder has changed enough for nobody to know its speed."""


@dataclass(frozen=True)
class Figure:
    """A ratio as it was measured. Above 1, ours is ahead.

    Args:
        benchmark: Module of this folder.
        figure: Key of the ratio.
        median, smallest, largest: Of the turns.
        turns: How many there were.
        opponent: What the ratio is over, with versions.
        size: Of the benchmark.
        machine: Processor, cores and memory.
        commit: What was checked out.
        date: Of the measurement, with the time in UTC.
        load: Processes that wanted a processor in the minute before: how busy others kept the machine; None if unknown.
    """

    benchmark: str
    figure: str
    median: float
    smallest: float
    largest: float
    turns: int
    opponent: str
    size: str
    machine: str
    commit: str
    date: str
    load: float | None = None


def main() -> None:
    """Runs what is asked for, and writes both files after each."""
    parser = argparse.ArgumentParser(
        description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="benchmarks; default: all of the size")
    parser.add_argument("--size", type=Size, choices=(Size.QUICK, Size.WHOLE), default=Size.QUICK)
    parser.add_argument("--old", type=Path, metavar="FOLDER", help="checkout of an earlier build to compare with")
    given = parser.parse_args()
    fit = [name for name, one in CATALOGUE.items() if given.size is Size.WHOLE or not one.quality]
    if wrong := [name for name in given.names if name not in fit]:
        parser.error(f"{', '.join(wrong)}: not of the size {given.size}. Choose from {', '.join(fit)}.")
    failed = []
    for name in given.names or fit:
        try:
            found = measured(name, given.size, given.old if CATALOGUE[name].old else None)
        except (RuntimeError, KeyError) as error:
            failed.append(name)
            print(f"{name}: {error}", file=sys.stderr, flush=True)
            continue
        kept = merged(read(LINES), found)
        LINES.write_text("".join(f"{json.dumps(asdict(one), ensure_ascii=False)}\n" for one in kept))
        PAGE.write_text(page(kept))
        print(f"{name}: {len(found)} figures", file=sys.stderr, flush=True)
    if failed:
        sys.exit(f"Not measured: {', '.join(failed)}.")


def measured(name: str, size: Size, old: Path | None = None) -> list[Figure]:
    """Returns the figures of one benchmark, run in a process of its own.

    Raises:
        RuntimeError: if it failed, or the code that it measures differs from the commit.
    """
    benchmark = CATALOGUE[name]
    paths = [*benchmark.measures, f"benchmarks/{name}.py"]
    if changed := _git("status", "--porcelain", "--", *paths):
        raise RuntimeError(
            f"What it measures is not committed, so no commit could be named: {changed}. Commit it first."
        )
    command = [sys.executable, "-m", f"benchmarks.{name}", *([] if size is Size.WHOLE else [f"--{size}"])]
    command += ["--old", str(old)] if old else []
    load = round(os.getloadavg()[0], 1)
    here = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    done = subprocess.run(command, cwd=ROOT, env=here, stdout=subprocess.PIPE, text=True, check=False)
    print(done.stdout, file=sys.stderr, flush=True)
    if done.returncode:
        raise RuntimeError(f"It ended with exit code {done.returncode}; its own words are above.")
    told = json.loads(done.stdout.strip().splitlines()[-1])
    return figures_of(
        told,
        machine=machine(),
        commit=_git("rev-parse", "HEAD"),
        date=f"{datetime.now(UTC):%Y-%m-%dT%H:%MZ}",
        load=load,
    )


def figures_of(told: dict[str, Any], *, machine: str, commit: str, date: str, load: float | None) -> list[Figure]:
    """Returns the figures of a benchmark's last line.

    Raises:
        KeyError: if the catalogue names no opponent for one of them.
    """
    name = told["benchmark"]
    return [
        Figure(
            name,
            key,
            found["median"],
            found["min"],
            found["max"],
            found["turns"],
            CATALOGUE[name].opponent(key),
            told["size"],
            machine,
            commit,
            date,
            load,
        )
        for key, found in told["ratios"].items()
    ]


def machine() -> str:
    """Returns processor, cores and memory of this machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{(models or [platform.machine()])[0]}, {cores} cores, {memory:.0f} GiB"


def read(lines: Path) -> list[Figure]:
    """Returns what was measured earlier."""
    return [Figure(**json.loads(line)) for line in lines.read_text().splitlines()] if lines.exists() else []


def merged(earlier: Iterable[Figure], found: Sequence[Figure]) -> list[Figure]:
    """Returns earlier figures with the found ones in place of those of the same keys, ordered."""
    by_key = {(one.benchmark, one.figure): one for one in (*earlier, *found)}
    return [by_key[key] for key in sorted(by_key)]


def page(figures: Sequence[Figure]) -> str:
    """Returns the text of docs/figures.md."""
    machines = sorted({one.machine for one in figures})
    text = [INTRODUCTION]
    text += ["", *(f"- machine {number}: {name}" for number, name in enumerate(machines, 1))] if machines else []
    for name, benchmark in CATALOGUE.items():
        found = [one for one in figures if one.benchmark == name]
        if not found:
            continue
        paths = ", ".join(f"`{path}`" for path in benchmark.measures)
        text += ["", f"## Figures of `{name}`", "", f"`python -m benchmarks.{name}`, about the code of {paths}.", ""]
        text += ["| figure | median | smallest to largest | turns | over | size | machine | load | commit | date |"]
        text += ["|---|---|---|---|---|---|---|---|---|---|"]
        text += [
            f"| `{one.figure}` | {one.median:.2f} | {one.smallest:.2f} to {one.largest:.2f} | {one.turns} | "
            f"{one.opponent} | {one.size} | {machines.index(one.machine) + 1} | "
            f"{'–' if one.load is None else one.load} | {one.commit[:9]} | {one.date[:10]} |"
            for one in found
        ]
    lacking = [f"`{name}`" for name in CATALOGUE if all(one.benchmark != name for one in figures)]
    if lacking:
        text += ["", "## Benchmarks without figures here", "", f"{', '.join(lacking)}."]
    return "\n".join(text) + "\n"


INTRODUCTION = f"""# Figures

Ratios that the benchmarks measured, each over what is named beside it: above 1, emberline is ahead. `make figures`
runs the benchmarks and writes this page; `make figures ONLY="scoring text"` measures some of them again and keeps the
other lines. A line stands only for its own size, machine and commit, and sizes named `quick` have few rows and turns.
The load is the number of processes that wanted a processor in the minute before: far above zero, others kept the
machine busy, and the ratio is a rough one. A test fails when more than {OLDEST} commits have changed the measured code
since a line's commit."""


def age(figure: Figure, root: Path = ROOT) -> int | None:
    """Returns how many commits have changed the code that a figure measures since it was measured.

    Of a commit that this repository does not hold, as after a cherry-pick, the date decides.

    Args:
        figure: The figure.
        root: The checkout.

    Returns:
        The number of commits; None without git, or where the history is cut off.
    """
    if not shutil.which("git") or not (root / ".git").exists():
        return None
    if _git("rev-parse", "--is-shallow-repository", root=root) != "false":
        return None
    known = _git("merge-base", "--is-ancestor", figure.commit, "HEAD", root=root, otherwise="unknown") != "unknown"
    since = [f"{figure.commit}..HEAD"] if known else [f"--since={figure.date}", "HEAD"]
    return int(_git("rev-list", "--count", *since, "--", *CATALOGUE[figure.benchmark].measures, root=root))


def _git(*arguments: str, root: Path = ROOT, otherwise: str | None = None) -> str:
    """Returns what git says, or `otherwise` if it refuses."""
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    if done.returncode and otherwise is None:
        raise RuntimeError(f"Git refused `{arguments[0]}`: {done.stderr.strip()}")
    return done.stdout.strip() if not done.returncode else str(otherwise)


if __name__ == "__main__":
    main()
