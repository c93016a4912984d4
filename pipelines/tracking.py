"""MLflow: runs, artifacts and the model registry; the only module that imports it.

The driver alone writes here. Experiments and models carry the product's name, and those of synthetic data a
suffix, so that a demonstration never competes with a real champion.
"""

import json
import logging
import os
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import mlflow
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from features import storage
from features.errors import BadInputError
from features.schema import Schema
from pipelines import mlflow_flavor

CHAMPION = "champion"
PARAM_LIMIT = 6000
BATCH_LIMIT = 100
Made = TypeVar("Made")
REACH_SECONDS = 5
"""How long an MLflow server may take to answer the first request."""


class TrackingError(RuntimeError):
    """MLflow cannot be reached or refused; a later try may succeed."""


@dataclass(frozen=True)
class ModelVersion:
    """One registered version.

    Args:
        name: Registered model.
        version: Its number.
        run_id: Run it came from.
        source: URI of its files.
        tags: Metrics and origin, as text.
    """

    name: str
    version: int
    run_id: str
    source: str
    tags: dict[str, str]


@dataclass(frozen=True)
class TrackedRun:
    """What the store knows of one run.

    Args:
        run_id: Identifies it.
        name: As people call it.
        params: Its settings, as text.
        tags: What else was noted.
        metrics: The last value of each.
    """

    run_id: str
    name: str
    params: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, float]


def default_uri(workspace: str) -> str:
    """The tracking server named by `MLFLOW_TRACKING_URI`, or an SQLite store in the workspace."""
    database = Path(workspace).absolute() / "mlflow.db"
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{database}"


def model_name(recipe: str, synthetic: bool) -> str:
    """Name of the registered model of a recipe."""
    return f"emberline-{recipe}" + ("-synthetic" if synthetic else "")


class Tracker:
    """One tracking store and registry.

    Args:
        uri: `sqlite:///…` (made if absent, artifacts beside it) or `http(s)://…`.

    Raises:
        TrackingError: if it does not answer.
    """

    def __init__(self, uri: str) -> None:
        for chatty in ("mlflow", "alembic"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # our own lines tell
        self.uri = uri
        self._artifacts: str | None = None
        if uri.startswith("sqlite:///"):
            folder = Path(uri.removeprefix("sqlite:///")).parent
            folder.mkdir(parents=True, exist_ok=True)
            self._artifacts = (folder / "mlartifacts").as_uri()
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        self._client = MlflowClient(uri, uri)
        self._reach()

    def _reach(self) -> None:
        """The first request: migrates a fresh store, and finds a dead server in seconds instead of minutes."""
        patience = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": str(REACH_SECONDS)}
        before = {key: os.environ.get(key) for key in patience}
        os.environ.update(patience)
        try:
            self._client.search_experiments(max_results=1)
        except Exception as error:  # what a dead server raises depends on the client library underneath
            raise TrackingError(
                f"MLflow at {self.uri} does not answer: {str(error).splitlines()[0][:300]}. "
                "Start it, or correct --tracking-uri or MLFLOW_TRACKING_URI."
            ) from error
        finally:
            for key, value in before.items():
                os.environ.pop(key) if value is None else os.environ.__setitem__(key, value)

    def start_run(
        self, experiment: str, name: str, params: Mapping[str, Any], tags: Mapping[str, str], parent: str | None = None
    ) -> str:
        """Begins a run, below `parent` if there is one, and returns its id."""
        experiment_id = _against_others(lambda: self._experiment(experiment))
        above = {"mlflow.parentRunId": parent} if parent else {}
        run = self._client.create_run(experiment_id, run_name=name, tags=dict(tags) | above)
        texts = [Param(key, str(value)[:PARAM_LIMIT]) for key, value in params.items()]
        for start in range(0, len(texts), BATCH_LIMIT):
            self._client.log_batch(run.info.run_id, params=texts[start : start + BATCH_LIMIT])
        return str(run.info.run_id)

    def _experiment(self, name: str) -> str:
        """Id of an experiment, which is made if absent."""
        if found := self._client.get_experiment_by_name(name):
            return str(found.experiment_id)
        location = f"{self._artifacts}/{name.replace('/', '-')}" if self._artifacts else None
        # Without a kind, MLflow's page opens on the views for language-model applications.
        kind = {"mlflow.experimentKind": "custom_model_development"}
        return str(self._client.create_experiment(name, artifact_location=location, tags=kind))

    def resume_run(self, run_id: str) -> bool:
        """Marks an unfinished run as running again; False if the store does not know it."""
        try:
            self._client.update_run(run_id, status="RUNNING")
        except MlflowException:
            return False
        return True

    def finish_run(self, run_id: str, status: Literal["FINISHED", "FAILED", "KILLED"]) -> None:
        """Ends a run."""
        self._client.set_terminated(run_id, status)

    def log_metrics(self, run_id: str, metrics: Mapping[str, float], step: int, milliseconds: int) -> None:
        """Writes metrics of one step."""
        values = [Metric(key, float(value), milliseconds, step) for key, value in metrics.items()]
        self._client.log_batch(run_id, metrics=values)

    def log_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Writes tags."""
        self._client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])

    def log_json(self, run_id: str, value: Any, file: str) -> None:
        """Writes an artifact of plain values."""
        self._client.log_text(run_id, json.dumps(value, indent=2), file)

    def log_dataset(self, run_id: str, name: str, digest: str, source: str, profile: Mapping[str, Any]) -> None:
        """Records the dataset version a run read; nothing is iterated for it."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        entity = Dataset(name, digest[:36], "emberline", json.dumps({"uri": source}), profile=json.dumps(dict(profile)))
        read = [DatasetInput(entity, [InputTag("mlflow.data.context", "training")])]
        _against_others(lambda: self._client.log_inputs(run_id, read))

    def register(
        self, run_id: str, name: str, saved_model: str, schema: Schema, tags: Mapping[str, str]
    ) -> ModelVersion:
        """Logs a SavedModel to a run and makes it a version of a registered model.

        Args:
            run_id: The training's run.
            name: Registered model; made if absent.
            saved_model: Local folder of the SavedModel.
            schema: Its raw input columns.
            tags: Metrics and origin.
        """
        # The flavour logs into the current experiment, wherever the run is: its files would land elsewhere.
        mlflow.set_experiment(experiment_id=self._client.get_run(run_id).info.experiment_id)
        info = mlflow_flavor.log(saved_model, schema, run_id)
        with suppress(MlflowException):  # it exists already
            self._client.create_registered_model(name)
        version = self._client.create_model_version(
            name, info.model_uri, run_id, tags=dict(tags), model_id=info.model_id
        )
        return self.version(name, int(version.version))

    def version(self, name: str, version: int) -> ModelVersion:
        """One version by number.

        Raises:
            BadInputError: if there is none.
        """
        try:
            found = self._client.get_model_version(name, str(version))
        except MlflowException as error:
            raise BadInputError(
                f"No version {version} of model {name!r} in {self.uri}. {self._known_models()}"
            ) from error
        source = self._client.get_model_version_download_uri(name, str(version))
        return ModelVersion(name, int(found.version), str(found.run_id), source, dict(found.tags))

    def champion(self, name: str) -> ModelVersion | None:
        """The present champion, if there is one."""
        try:
            found = self._client.get_model_version_by_alias(name, CHAMPION)
        except MlflowException:
            return None
        return self.version(name, int(found.version))

    def promote(self, version: ModelVersion) -> None:
        """Moves the alias `champion` to a version."""
        self._client.set_registered_model_alias(version.name, CHAMPION, str(version.version))

    def find(self, uri: str) -> ModelVersion:
        """The version behind `models:/NAME@alias` or `models:/NAME/VERSION`.

        Raises:
            BadInputError: if the text is not of that form, or nothing is registered there.
        """
        name, at, alias = uri.removeprefix("models:/").partition("@")
        if not uri.startswith("models:/"):
            raise BadInputError(f"Not a model: {uri!r}. Expected models:/NAME@alias or models:/NAME/VERSION.")
        if at:
            try:
                found = self._client.get_model_version_by_alias(name, alias)
            except MlflowException as error:
                raise BadInputError(
                    f"No alias {alias!r} of model {name!r} in {self.uri}. {self._known_models()}"
                ) from error
            return self.version(name, int(found.version))
        name, _, number = name.rpartition("/")
        if not name or not number.isdigit():
            raise BadInputError(f"Not a model version: {uri!r}. Expected models:/NAME@alias or models:/NAME/VERSION.")
        return self.version(name, int(number))

    def fetch(self, version: ModelVersion, folder: str) -> str:
        """Downloads a version and returns the folder of its SavedModel."""
        local = mlflow.artifacts.download_artifacts(artifact_uri=version.source, dst_path=folder)
        return str(Path(local) / mlflow_flavor.SAVED_MODEL)

    def log_text(self, run_id: str, text: str, file: str) -> None:
        """Writes an artifact of text."""
        self._client.log_text(run_id, text, file)

    def read_json(self, run_id: str, file: str) -> Any:
        """A JSON artifact of a run; None if there is no such file."""
        try:
            return mlflow.artifacts.load_dict(f"runs:/{run_id}/{file}")
        except (MlflowException, OSError):
            return None

    def read_run(self, run_id: str) -> TrackedRun:
        """Name, settings, tags and last metrics of a run.

        Raises:
            BadInputError: if there is none.
        """
        try:
            run = self._client.get_run(run_id)
        except MlflowException as error:
            raise BadInputError(f"No run {run_id!r} in {self.uri}, and no training there.") from error
        data = run.data
        return TrackedRun(run_id, str(run.info.run_name), dict(data.params), dict(data.tags), dict(data.metrics))

    def _known_models(self) -> str:
        names = [model.name for model in self._client.search_registered_models(max_results=20)]
        return f"Registered: {', '.join(names)}." if names else "Nothing is registered there yet."


def _against_others(look_and_make: Callable[[], Made]) -> Made:
    """MLflow looks whether a row is there, then makes it: who loses that race finds the other's at the next try."""
    for pause in (0.1, 0.5, 2.0):
        try:
            return look_and_make()
        except MlflowException:
            time.sleep(pause * (1 + random.random()))
    return look_and_make()


def local_copy(uri: str, scratch: str) -> str:
    """A local folder with the files of `uri`: itself when it is local."""
    if storage.is_local(uri):
        return storage.local_path(uri)
    storage.copy_folder(uri, scratch)
    return scratch
