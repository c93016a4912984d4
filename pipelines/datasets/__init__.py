"""Datasets: official file formats to raw rows. Not data itself: nothing is stored here.

Those of other people's projects are found by entry points of the group `emberline.datasets`, and any by `module:NAME`.
"""

from typing import TYPE_CHECKING, cast

from emberline.features.errors import BadInputError
from emberline.pipelines.runtime.catalogue import Catalogue, Place

if TYPE_CHECKING:
    from emberline.pipelines.datasets.readers.raw_table import Dataset
    from emberline.pipelines.recipe.recipe import RawData

HELPERS = ("generators", "readers")
"""Folders whose modules are no datasets: synthetic rows, and formats without data of their own."""

_DATASETS = Catalogue("dataset", "DATASET", "emberline.datasets", __name__, __path__, HELPERS)


def dataset_places() -> dict[str, list[Place]]:
    """Returns where all datasets are declared, by name, those of projects among them; modules beside them too."""
    return _DATASETS.places()


def load_dataset(dataset: "str | RawData") -> "Dataset":
    """Returns the dataset that a recipe names.

    Args:
        dataset: Module of this package at any depth, name of a project's dataset, `module:NAME`, or the dataset itself.

    Raises:
        BadInputError: if there is none, or its module cannot be imported.
    """
    if not isinstance(dataset, str):
        return cast("Dataset", dataset)
    place = _DATASETS.place(dataset)
    found = _DATASETS.load(place)
    if lacking := [name for name in ("name", "schema", "read") if not hasattr(found, name)]:
        raise BadInputError(
            f"{place.full} is no dataset: a {type(found).__name__} has no {' and no '.join(lacking)}. "
            "`emberline.pipelines.datasets.readers.raw_table.Dataset` says what one has."
        )
    dataset_found: Dataset = found
    return dataset_found
