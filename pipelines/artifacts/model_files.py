"""The files of a model, from the registry or a training's folder: on this machine, and compared with their digest."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from emberline.features import storage
from emberline.features.statistics import Statistics
from emberline.pipelines.artifacts.training_folder import open_training
from emberline.pipelines.saved_model.digest import model_digest, require_unchanged
from emberline.pipelines.tracking import Tracker, local_copy

REGISTERED = ("models:/", "runs:/")


@dataclass(frozen=True)
class ModelFiles:
    """A model.

    Args:
        name: `models:/NAME/VERSION`, or the URI of its training.
        folder: Local folder of its SavedModel.
        digest: Of its files.
    """

    name: str
    folder: str
    digest: str

    @property
    def features(self) -> dict[str, Any]:
        """Its `features.json`."""
        found: dict[str, Any] = json.loads((Path(self.folder) / "features.json").read_text())
        return found

    @property
    def statistics(self) -> Statistics:
        """What Spark had learned of the rows that it was trained on."""
        return Statistics.from_json(self.features["statistics"], self.folder)


@contextmanager
def model_files(tracker: Tracker, uri: str) -> Iterator[ModelFiles]:
    """Yields a model's files, for the block.

    Args:
        tracker: The registry.
        uri: `models:/NAME@alias`, `models:/NAME/VERSION`, `runs:/ID/model`, or the URI of a finished training.

    Raises:
        BadInputError: if there is no such model or training, or its files were changed.
    """
    with TemporaryDirectory() as scratch:
        if uri.startswith(REGISTERED):
            version = tracker.find(uri)
            folder = tracker.fetch(version, scratch)
            name = f"models:/{version.name}/{version.version}" if version.version else uri
        else:
            trained = open_training(uri)
            folder, name = local_copy(storage.join(uri, "model"), scratch), uri
            require_unchanged(folder, trained.model_digest, uri)
        yield ModelFiles(name, folder, model_digest(folder))
