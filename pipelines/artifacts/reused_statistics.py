"""Statistics that a dataset version takes over from an older one, so that its ids and numbers mean the same."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from emberline.features import storage
from emberline.features.dataset_version import differing_columns, open_version
from emberline.features.errors import BadInputError
from emberline.features.statistics import Statistics
from emberline.pipelines.artifacts.model_files import REGISTERED, model_files
from emberline.pipelines.artifacts.training_folder import TRAINING
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.tracking import Tracker


@dataclass(frozen=True)
class ReusedStatistics:
    """Statistics of an older dataset version.

    Args:
        name: What they were taken from.
        features: Its `features.json`.
        folder: URI of the folder of the vocabulary files.
        uri: As it was asked for.
    """

    name: str
    features: Mapping[str, Any]
    folder: str
    uri: str

    def place(self, folder: str) -> Statistics:
        """Returns the statistics, their vocabulary files copied to another folder."""
        return Statistics.from_json(self.features["statistics"], self.folder).copy_vocabularies(folder)


@contextmanager
def open_reused_statistics(tracker: Tracker, uri: str, recipe: Recipe) -> Iterator[ReusedStatistics]:
    """Yields the statistics of a model, of a training's model, or of a dataset version; they are there for the block.

    Args:
        tracker: The registry.
        uri: `models:/NAME@alias`, `models:/NAME/VERSION`, `runs:/ID/model`, or the URI of a training or a
            dataset version.
        recipe: What they are for.

    Raises:
        BadInputError: if there is nothing of the kind, or it was made for other columns than the recipe's.
    """
    if uri.startswith(REGISTERED) or storage.exists(storage.join(uri, TRAINING)):
        with model_files(tracker, uri) as model:
            yield _fitting(ReusedStatistics(model.name, model.features, model.folder, uri), recipe)
    else:
        version = open_version(uri)
        yield _fitting(ReusedStatistics(uri, version.features, uri, uri), recipe)


def _fitting(found: ReusedStatistics, recipe: Recipe) -> ReusedStatistics:
    if differing := differing_columns(found.features, recipe.stored_columns):
        raise BadInputError(
            f"The statistics of {found.name} are not for the columns that recipe {recipe.name!r} asks for: "
            f"{differing}. Run etl without --statistics-of, and train from the start."
        )
    return found
