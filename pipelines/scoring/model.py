"""A model that scores: which version it is, what it asks of rows, what it saw, and where executors find it."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import SparkSession

from emberline.features import storage
from emberline.features.dataset_version import FEATURES
from emberline.features.errors import BadInputError, nearest
from emberline.features.schema import Schema
from emberline.features.statistics import Statistics
from emberline.pipelines.saved_model.executors import ship
from emberline.pipelines.tasks import task_of
from emberline.pipelines.tasks.task import PredictionColumn
from emberline.pipelines.tracking import ModelVersion, Tracker, local_copy


@dataclass(frozen=True)
class ScoringModel:
    """A model that the executors of an application have.

    Args:
        version: Which one.
        schema: Fields it asks for, and the key.
        training: Statistics of the rows it was trained on.
        archive: Its files, as `ship` named them.
    """

    version: ModelVersion
    schema: Schema
    training: Statistics
    archive: str

    @property
    def predicted(self) -> tuple[PredictionColumn, ...]:
        """Columns of a prediction."""
        return task_of(self.schema).columns

    @property
    def called(self) -> str:
        """Its name for people."""
        name = self.version.name
        return f"{name} version {self.version.version}" if self.version.version else name


def open_model(spark: SparkSession, tracker: Tracker, uri: str) -> ScoringModel:
    """Fetches a model and sends it to the executors.

    Args:
        spark: The session.
        tracker: The registry.
        uri: `models:/NAME@alias`, `models:/NAME/VERSION` or `runs:/ID/model`.

    Raises:
        BadInputError: if there is no such model.
    """
    version = tracker.find(uri)
    with tempfile.TemporaryDirectory() as scratch:
        return _shipped(spark, version, tracker.fetch(version, scratch))


def open_folder(spark: SparkSession, uri: str) -> ScoringModel:
    """Sends a model that no registry has to the executors.

    Args:
        spark: The session.
        uri: URI of the SavedModel's folder.

    Raises:
        BadInputError: if there is no model.
    """
    if not storage.exists(storage.join(uri, FEATURES)):
        raise BadInputError(f"No model of emberline's at {uri!r}: it has no {FEATURES}.")
    with tempfile.TemporaryDirectory() as scratch:
        version = ModelVersion(uri.rstrip("/").rpartition("/")[2], 0, "", uri, {})
        return _shipped(spark, version, local_copy(uri, str(Path(scratch) / "model")))


def _shipped(spark: SparkSession, version: ModelVersion, folder: str) -> ScoringModel:
    facts = json.loads((Path(folder) / FEATURES).read_text())
    name = "".join(letter if letter.isalnum() else "-" for letter in f"{version.name}-{version.version}")
    archive = ship(spark, folder, name)
    return ScoringModel(version, Schema.from_json(facts["schema"]), Statistics.from_json(facts["statistics"]), archive)


def require_columns(wanted: Schema, known: Schema, called: str) -> None:
    """Refuses a model for a data set that does not have what it asks for.

    Args:
        wanted: Fields of the model.
        known: Those of the data set.
        called: Name of the model, for the error.

    Raises:
        BadInputError: if the model asks for a column the rows do not have, or have in another type.
    """
    have = {field.name: field for field in known.fields}
    faults = []
    for field in wanted.fields:
        if field.name not in have:
            faults.append(f"it wants column {field.name!r}, which the rows lack. {nearest(field.name, have)}")
        elif have[field.name].kind != field.kind:
            faults.append(f"it wants {field.name!r} as {field.kind}, the rows have {have[field.name].kind}")
    if faults:
        raise BadInputError(f"The model {called} does not fit the rows: {'; '.join(faults)}")
