"""Training: the loop against `fit`, two workers against one, our feed against TFoS's, files against Petastorm.

`python -m benchmarks.training [--quick] [--only KEY …]`. Opponent and we alternate in one process tree; the numbers are
medians of the ratios of neighbouring runs. What each comparison is, and what it leaves out, stands in its module.
"""

import multiprocessing
import os
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.petastorm_process import OpponentError
from benchmarks.ratios import Comparison, print_json, print_table
from benchmarks.sizes import Size, sized_parser

ROOT = Path(__file__).parents[1]
KEYS = ("scaling_2", "loop_vs_fit", "loop_vs_fit_tabular", "feed_vs_tfos", "input_vs_petastorm")

Found = tuple[dict[str, Comparison], str]
"""Comparisons by name, the one that counts under its key, and text for people."""


def scaling_2(size: Size) -> Found:
    from benchmarks.training_scaling import compare_workers

    found, model = compare_workers(size)
    return {"scaling_2": found}, model


def loop_vs_fit(size: Size) -> Found:
    from benchmarks.training_fit import compare_cnn

    return _named("loop_vs_fit", compare_cnn(size)), ""


def loop_vs_fit_tabular(size: Size) -> Found:
    from benchmarks.training_fit import compare_tabular

    return _named("loop_vs_fit_tabular", compare_tabular(size)), ""


def feed_vs_tfos(size: Size) -> Found:
    from benchmarks.training_feed import compare_feeds

    return {"feed_vs_tfos": compare_feeds(size)}, ""


def input_vs_petastorm(size: Size) -> Found:
    from benchmarks.training_input import compare_readers

    return {"input_vs_petastorm": compare_readers(size)}, ""


def _named(key: str, by_way: dict[str, Comparison]) -> dict[str, Comparison]:
    """The first way is what the key means; the others are shown beside it."""
    first, *others = by_way
    return {key: by_way[first]} | {f"  fit with {other}": by_way[other] for other in others}


def measure(key: str, size: Size) -> Found:
    """One comparison in a process of its own: TensorFlow and Spark start afresh, and give everything back."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measure, key, size).result()


def _measure(key: str, size: Size) -> Found:
    function: Callable[[Size], Found] = globals()[key]
    return function(size)


def main() -> None:
    """Print the tables and one JSON line."""
    parser = sized_parser(__doc__, "fewer rows and turns; minutes instead of half an hour")
    parser.add_argument("--only", nargs="+", choices=KEYS, default=KEYS, metavar="KEY", help=", ".join(KEYS))
    given = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Spark's Python workers must find this folder, too.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    ratios: dict[str, Any] = {}
    for key in given.only:
        try:
            found, text = measure(key, given.size)
        except OpponentError as error:
            print(f"{key} is not measured: {error}", file=sys.stderr)
            continue
        print_table(found)
        print(text, end="\n" if text else "", flush=True)
        ratios[key] = found[key].ratios
    print_json("training", ratios, given.size)


if __name__ == "__main__":
    main()
