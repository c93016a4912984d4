"""Datasets: official file formats to raw rows. Not data itself: nothing is stored here."""

import importlib
from typing import TYPE_CHECKING

from emberline.features.errors import BadInputError, nearest
from emberline.pipelines.runtime.named_modules import named_modules

if TYPE_CHECKING:
    from emberline.pipelines.datasets.readers.raw_table import Dataset

HELPERS = ("generators", "readers")
"""Folders whose modules are no datasets: made-up rows, and formats without data of their own."""


def load_dataset(name: str) -> "Dataset":
    """The dataset in the module `name` of this package, at any depth.

    Raises:
        BadInputError: if there is none.
    """
    known = named_modules(__name__, __path__, skip=HELPERS)
    dataset: Dataset | None = None
    if name in known:
        dataset = getattr(importlib.import_module(known[name]), "DATASET", None)
    if dataset is None:
        raise BadInputError(f"Unknown dataset {name!r}. {nearest(name, sorted(known))}")
    return dataset
