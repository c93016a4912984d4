"""A training that starts from the weights of an older model instead of random ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from emberline.features import storage
from emberline.features.dataset_version import DatasetVersion, equal_meaning
from emberline.features.errors import BadInputError
from emberline.pipelines.artifacts.model_files import model_files
from emberline.pipelines.tracking import Tracker

WEIGHTS = "warm_start"
"""Folder of the weights below a training's: executors may not reach MLflow, and an alias may move meanwhile."""


@dataclass(frozen=True)
class Start:
    """The model to start from.

    Args:
        model: `models:/NAME/VERSION`, or the URI of its training.
        digest: Of its files.
        folder: Local folder of its SavedModel, while `open_start` lasts.
    """

    model: str
    digest: str
    folder: str

    def to_json(self) -> dict[str, str]:
        """Returns what identifies it."""
        return {"model": self.model, "digest": self.digest}

    @property
    def tags(self) -> dict[str, str]:
        """What the training's run says about it."""
        return {f"emberline.warm_start.{key}": value for key, value in self.to_json().items()}

    def place(self, training: str) -> str:
        """Copies the weights into a training's folder; returns their URI."""
        target = storage.join(training, WEIGHTS)
        storage.copy_folder(str(Path(self.folder) / "variables"), target)
        return target


@contextmanager
def open_start(
    tracker: Tracker, uri: str | None, version: DatasetVersion, *, transfer: bool = False
) -> Iterator[Start | None]:
    """Yields the model to start from, for the block; None without a `uri`.

    Args:
        tracker: The registry.
        uri: As `emberline.pipelines.artifacts.model_files.model_files` takes it.
        version: What will be trained on.
        transfer: Whether only some of its weights are taken: then only ids must mean the same.

    Raises:
        BadInputError: if there is no such model, or ids and numbers of the dataset version mean something else to it.
    """
    if not uri:
        yield None
        return
    with model_files(tracker, uri) as model:
        means_something = not transfer or bool(version.cardinalities)
        if means_something and not equal_meaning(model.features, version.features):
            raise BadInputError(
                f"The model {model.name} knows other statistics than the dataset version {version.uri!r} was written "
                f"with: its ids and numbers mean something else. Run etl with --statistics-of {uri}, and train on that."
            )
        yield Start(model.name, model.digest, model.folder)
