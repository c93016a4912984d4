"""How much a benchmark measures: all, `--quick`, or `--tiny`, in which the tests run every one of them.

A tiny run says that a benchmark still works, and nothing about speed.
"""

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


class Size(StrEnum):
    """How much a benchmark measures."""

    WHOLE = "whole"
    QUICK = "quick"
    TINY = "tiny"

    def of(self, whole: T, quick: T, tiny: T) -> T:
        """Returns what belongs to this size."""
        return {Size.WHOLE: whole, Size.QUICK: quick, Size.TINY: tiny}[self]


def sized_parser(doc: str | None, quick: str) -> argparse.ArgumentParser:
    """Returns the parser of a benchmark, whose `size` is a `Size`.

    Args:
        doc: Docstring of the module.
        quick: What `--quick` leaves out.
    """
    made = argparse.ArgumentParser(
        description=doc, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sizes = made.add_mutually_exclusive_group()
    sizes.add_argument("--quick", dest="size", action="store_const", const=Size.QUICK, help=quick)
    sizes.add_argument("--tiny", dest="size", action="store_const", const=Size.TINY, help="so little that it only runs")
    made.set_defaults(size=Size.WHOLE)
    return made


@contextmanager
def data_of(dataset: str, given: str | None) -> Iterator[str]:
    """Yields the folder that was given, or one with synthetic data, which is removed at the end.

    Args:
        dataset: Name of the dataset.
        given: The folder of a person's own files, None for synthetic ones.
    """
    if given:
        yield str(Path(given).resolve())
        return
    from emberline.pipelines.datasets import load_dataset

    with tempfile.TemporaryDirectory() as folder:
        load_dataset(dataset).generate(f"{folder}/{dataset}", seed=1)
        yield f"{folder}/{dataset}"
