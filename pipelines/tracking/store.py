"""The connection to one MLflow store."""

import logging
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from emberline.pipelines.runtime.output_folder import raw_mode
from emberline.pipelines.runtime.secrets_in_uris import without_secrets

Made = TypeVar("Made")
REACH_SECONDS = 5
"""How long an MLflow server may take to answer the first request."""

PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}
"""Of every later request, unless the environment says otherwise: MLflow's own is minutes, and what can wait is tried
again by `delivery`."""

PASSING = (408, 429)
"""Refusals of a client's request that a later try may not meet."""


class TrackingError(RuntimeError):
    """MLflow cannot be reached or refused; a later try may succeed."""


class Store:
    """One tracking store and registry.

    Args:
        uri: `sqlite:///…` (made if absent, artifacts beside it) or `http(s)://…`.

    Attributes:
        client: MLflow's own, of this store.

    Raises:
        TrackingError: if it does not answer.
    """

    def __init__(self, uri: str) -> None:
        for chatty in ("mlflow", "alembic", "urllib3"):
            logging.getLogger(chatty).setLevel(logging.ERROR if chatty == "urllib3" else logging.WARNING)
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # our own lines tell
        self.uri = without_secrets(uri)
        self._artifacts: str | None = None
        if uri.startswith("sqlite:///"):
            folder = Path(uri.removeprefix("sqlite:///")).parent
            folder.mkdir(parents=True, exist_ok=True)
            _make_private(Path(uri.removeprefix("sqlite:///")), folder / "mlartifacts")
            self._artifacts = (folder / "mlartifacts").as_uri()
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        self.client = MlflowClient(uri, uri)
        self._reach()
        for key, value in PATIENCE.items():
            os.environ.setdefault(key, value)

    def _reach(self) -> None:
        """The first request: migrates a fresh store, and finds a dead server in seconds instead of minutes."""
        patience = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": str(REACH_SECONDS)}
        before = {key: os.environ.get(key) for key in patience}
        os.environ.update(patience)
        try:
            self.client.search_experiments(max_results=1)
        except Exception as error:  # what a dead server raises depends on the client library underneath
            raise TrackingError(
                f"MLflow at {self.uri} does not answer: {str(error).splitlines()[0][:300]}. "
                "Start it, or correct --tracking-uri or MLFLOW_TRACKING_URI."
            ) from error
        finally:
            for key, value in before.items():
                os.environ.pop(key) if value is None else os.environ.__setitem__(key, value)

    def _require_refusal(self, error: MlflowException) -> None:
        """Checks that a request failed because nothing is there; a server that is away says nothing about that.

        Raises:
            TrackingError: if it failed for another reason, which may pass.
        """
        if not is_refusal(error):
            raise TrackingError(f"MLflow at {self.uri} does not answer: {str(error).splitlines()[0][:300]}") from error

    def _claim(self, name: str) -> bool:
        """True for exactly one of all who ever ask for `name`, in whatever process.

        The names of experiments are the one thing that MLflow keeps unique in every store: whoever could make one was
        first. It is deleted at once, which hides it and keeps its name taken.
        """
        try:
            claimed = self.client.create_experiment(f"emberline/claims/{name}")
        except MlflowException as error:
            if error.error_code == "RESOURCE_ALREADY_EXISTS":
                return False
            raise
        self.client.delete_experiment(claimed)
        return True


def is_refusal(error: Exception) -> bool:
    """Returns whether the store answered, and will never do what it was asked."""
    return isinstance(error, MlflowException) and (
        400 <= error.get_http_status_code() < 500 and error.get_http_status_code() not in PASSING
    )


def quoted_text(text: str) -> str:
    """Returns a text as MLflow's filters take it: they know no escape, but both kinds of quotes."""
    return f'"{text}"' if "'" in text else f"'{text}'"


def _make_private(database: Path, artifacts: Path) -> None:
    """Makes a new store for its owner alone, as raw rows are: example rows of every model lie among its artifacts."""
    mode = raw_mode()
    if not artifacts.exists():
        artifacts.mkdir(mode, exist_ok=True)
        artifacts.chmod(mode)  # whatever the umask
    if not database.exists():
        database.touch(mode & 0o666)
        database.chmod(mode & 0o666)


def against_others(look_and_make: Callable[[], Made]) -> Made:
    """Calls a function that looks for a row of MLflow and makes it if it is absent, up to four times.

    A call fails if another process makes the row in between; the next call finds that row.
    """
    for pause in (0.1, 0.5, 2.0):
        try:
            return look_and_make()
        except MlflowException:
            time.sleep(pause * (1 + random.random()))
    return look_and_make()
