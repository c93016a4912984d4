"""Training: the loop against `fit`, two workers against one, our feed against TFoS's, files against Petastorm.

`python -m benchmarks.training [--quick] [--only KEY …]`. Opponent and we alternate in one process tree; the numbers are
medians of the ratios of neighbouring runs. What each comparison is, and what it leaves out, stands in its module.
"""

import argparse
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.ratios import Comparison, print_json, print_table

ROOT = Path(__file__).parents[1]
KEYS = ("scaling_2", "loop_vs_fit", "loop_vs_fit_tabular", "feed_vs_tfos", "input_vs_petastorm")

Found = tuple[dict[str, Comparison], str]
"""Comparisons by name, the one that counts under its key, and text for people."""


def scaling_2(quick: bool) -> Found:
    from benchmarks.training_scaling import compare_workers

    found, model = compare_workers(quick)
    return {"scaling_2": found}, model


def loop_vs_fit(quick: bool) -> Found:
    from benchmarks.training_fit import compare_cnn

    return _named("loop_vs_fit", compare_cnn(quick)), ""


def loop_vs_fit_tabular(quick: bool) -> Found:
    from benchmarks.training_fit import compare_tabular

    return _named("loop_vs_fit_tabular", compare_tabular(quick)), ""


def feed_vs_tfos(quick: bool) -> Found:
    from benchmarks.training_feed import compare_feeds

    return {"feed_vs_tfos": compare_feeds(quick)}, ""


def input_vs_petastorm(quick: bool) -> Found:
    from benchmarks.training_input import compare_readers

    return {"input_vs_petastorm": compare_readers(quick)}, ""


def _named(key: str, by_way: dict[str, Comparison]) -> dict[str, Comparison]:
    """The first way is what the key means; the others are shown beside it."""
    first, *others = by_way
    return {key: by_way[first]} | {f"  fit with {other}": by_way[other] for other in others}


def measure(key: str, quick: bool) -> Found:
    """One comparison in a process of its own: TensorFlow and Spark start afresh, and give everything back."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measure, key, quick).result()


def _measure(key: str, quick: bool) -> Found:
    function: Callable[[bool], Found] = globals()[key]
    return function(quick)


def main() -> None:
    """Print the tables and one JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer rows and turns; minutes instead of half an hour")
    parser.add_argument("--only", nargs="+", choices=KEYS, default=KEYS, metavar="KEY", help=", ".join(KEYS))
    given = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Spark's Python workers must find this folder, too.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    ratios: dict[str, Any] = {}
    for key in given.only:
        found, text = measure(key, given.quick)
        print_table(found)
        print(text, end="\n" if text else "", flush=True)
        ratios[key] = found[key].ratios
    print_json("training", ratios)


if __name__ == "__main__":
    main()
