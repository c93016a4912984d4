"""Measuring two ways of doing the same, in turns: medians of ratios, a table for people, one JSON line for machines."""

import json
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks.sizes import Size


@dataclass
class Comparison:
    """Speeds of both sides, measured in turns. A ratio above 1 means that we are ahead.

    Attributes:
        unit: what the speeds count, per second.
        ours, theirs: speeds, one pair per turn.
    """

    unit: str
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """One ratio per turn."""
        return [a / b for a, b in zip(self.ours, self.theirs, strict=True)]


def seconds(action: Callable[[], object]) -> float:
    """Wall clock of one call."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def compare(
    ours: Callable[[], float], theirs: Callable[[], float], *, repeats: int, unit: str = "rows/s"
) -> Comparison:
    """Measure both sides in turns, after one turn that does not count.

    Args:
        ours, theirs: measure once and return a speed.
        repeats: turns that count.
    """
    found = Comparison(unit)
    for turn in range(repeats + 1):
        mine, other = ours(), theirs()
        if turn:
            found.ours.append(mine)
            found.theirs.append(other)
    return found


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process (and children that it starts meanwhile) on one processor core."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def summary(ratios: Mapping[str, Sequence[float]]) -> dict[str, dict[str, float]]:
    """Median, smallest and largest ratio by key, and how many turns there were."""
    return {
        key: {
            "median": round(statistics.median(found), 3),
            "min": round(min(found), 3),
            "max": round(max(found), 3),
            "turns": len(found),
        }
        for key, found in ratios.items()
    }


def print_table(comparisons: Mapping[str, Comparison]) -> None:
    """Speeds and ratios, one line per comparison."""
    print(f"{'':34}{'ours':>14}{'theirs':>14}  {'unit':10}{'ratio':>8}{'min':>8}{'max':>8}")
    for key, found in comparisons.items():
        mine, other = statistics.median(found.ours), statistics.median(found.theirs)
        ratio = statistics.median(found.ratios)
        print(
            f"{key:34}{mine:14,.0f}{other:14,.0f}  {found.unit:10}{ratio:8.2f}"
            f"{min(found.ratios):8.2f}{max(found.ratios):8.2f}"
        )


def print_json(benchmark: str, ratios: Mapping[str, Sequence[float]], size: Size = Size.WHOLE, **more: object) -> None:
    """The last line of every benchmark."""
    print(json.dumps({"benchmark": benchmark, "size": size, "ratios": summary(ratios), **more}))
