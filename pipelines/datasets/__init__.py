"""Datasets: official file formats to raw rows. Not data itself: nothing is stored here."""

import importlib
import pkgutil
from typing import TYPE_CHECKING

from features.errors import BadInputError, nearest

if TYPE_CHECKING:
    from pipelines.datasets.raw_table import Dataset


def load_dataset(name: str) -> "Dataset":
    """The dataset in the module `name` of this folder.

    Raises:
        BadInputError: if there is none.
    """
    known = [module.name for module in pkgutil.iter_modules(__path__)]
    dataset: Dataset | None = None
    if name in known:
        dataset = getattr(importlib.import_module(f"{__name__}.{name}"), "DATASET", None)
    if dataset is None:
        raise BadInputError(f"Unknown dataset {name!r}. {nearest(name, known)}")
    return dataset
