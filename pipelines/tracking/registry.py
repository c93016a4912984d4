"""Registered models: versions, aliases, and the files behind them."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import mlflow
from mlflow.exceptions import MlflowException

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.features.schema import Schema
from emberline.pipelines.saved_model.digest import TAG, model_digest, require_unchanged
from emberline.pipelines.tracking import flavor
from emberline.pipelines.tracking.promotion_lock import PromotionLock
from emberline.pipelines.tracking.run_facts import CODE

CHAMPION, CHALLENGER = "champion", "challenger"
HISTORY = "emberline.champions"
"""Tag of a registered model: versions that were champion, in order, as JSON."""


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


def model_name(recipe: str, synthetic: bool) -> str:
    """Returns the name of the registered model of a recipe."""
    return f"emberline-{recipe}" + ("-synthetic" if synthetic else "")


class Registry(PromotionLock):
    """The models of a store."""

    def register(
        self, run_id: str, name: str, saved_model: str, schema: Schema, tags: Mapping[str, str], examples: str
    ) -> ModelVersion:
        """Logs a SavedModel to a run and makes it a version of a registered model, unless it is one already.

        A registration that was ended behind this point begins again, and finds the version that it has made.

        Args:
            run_id: The training's run.
            name: Registered model; made if absent.
            saved_model: Local folder of the SavedModel.
            schema: Its raw input columns.
            tags: Metrics and origin.
            examples: Local Parquet file with a few raw rows.
        """
        digest = model_digest(saved_model)
        for made in self.client.search_model_versions(f"run_id = '{run_id}'"):
            if made.name == name and made.tags.get(TAG) == digest:
                return self.version(name, int(made.version))
        # The flavour logs into the current experiment, wherever the run is: its files would land elsewhere.
        run = self.client.get_run(run_id)
        mlflow.set_experiment(experiment_id=run.info.experiment_id)
        info = flavor.log(saved_model, schema, run_id, examples)
        # Of the code that trained it, which need not be that of this process.
        code = {name: value for name, value in run.data.tags.items() if name in CODE}
        tags = {**code, **tags, TAG: digest, flavor.LOADER_TAG: flavor.loader_digest(schema)}
        with suppress(MlflowException):  # it exists already
            self.client.create_registered_model(name)
        version = self.client.create_model_version(name, info.model_uri, run_id, tags=tags, model_id=info.model_id)
        return self.version(name, int(version.version))

    def version(self, name: str, version: int) -> ModelVersion:
        """Returns one version by number.

        Raises:
            BadInputError: if there is none.
            TrackingError: if the registry does not answer.
        """
        try:
            found = self.client.get_model_version(name, str(version))
        except MlflowException as error:
            self._require_refusal(error)
            raise BadInputError(
                f"No version {version} of model {name!r} in {self.uri}. {self._known_models()}"
            ) from error
        source = self.client.get_model_version_download_uri(name, str(version))
        return ModelVersion(name, int(found.version), str(found.run_id), source, dict(found.tags))

    def champion(self, name: str) -> ModelVersion | None:
        """Returns the present champion, if there is one.

        Raises:
            TrackingError: if the registry does not answer.
        """
        try:
            found = self.client.get_model_version_by_alias(name, CHAMPION)
        except MlflowException as error:
            self._require_refusal(error)
            return None
        return self.version(name, int(found.version))

    def promote(self, version: ModelVersion, instead_of: ModelVersion | None) -> bool:
        """Makes a version champion, unless another than `instead_of` is champion by now: then it has to be judged anew.

        Args:
            version: The winner.
            instead_of: The champion that it was judged against.

        Returns:
            Whether it is champion.

        Raises:
            TrackingError: if the registry does not answer, or this process slept through its turn.
        """
        with self.hold(version.name) as turn:
            held = self.champion(version.name)
            if (held and held.version) != (instead_of and instead_of.version):
                return False
            past = self._past_champions(version.name, held.version) if held else []
            self._crown(version.name, version.version, [*past, version.version], turn)
        if self._has_alias(version, CHALLENGER):
            self.client.delete_registered_model_alias(version.name, CHALLENGER)
        return True

    def challenge(self, version: ModelVersion) -> None:
        """Gives a version the alias `challenger`."""
        self.client.set_registered_model_alias(version.name, CHALLENGER, str(version.version))

    def roll_back(self, name: str) -> tuple[int, int]:
        """Makes the version champion that was it before the present one.

        Returns:
            The champion before, and the champion now.

        Raises:
            BadInputError: if there is no such model, or no version was champion before.
            TrackingError: if the registry does not answer, or this process slept through its turn.
        """
        if not self.champion(name):
            raise BadInputError(f"No model {name!r} with a champion in {self.uri}. {self._known_models()}")
        with self.hold(name) as turn:
            held = self.champion(name)
            past = self._past_champions(name, held.version) if held else []
            if held is None or len(past) < 2:
                raise BadInputError(
                    f"No version of {name!r} was champion before the present one: nothing to go back to."
                )
            self._crown(name, past[-2], past[:-1], turn)
        return held.version, past[-2]

    def _crown(self, name: str, version: int, history: list[int], turn: int) -> None:
        """Writes the history before the alias: whoever dies between leaves one that still leads to the champion."""
        self.require_held(name, turn)
        self.client.set_registered_model_tag(name, HISTORY, json.dumps(history))
        self.client.set_registered_model_alias(name, CHAMPION, str(version))

    def _past_champions(self, name: str, present: int) -> list[int]:
        """Versions that were champion and still exist, up to the present one, which comes last."""
        listed = json.loads(self.client.get_registered_model(name).tags.get(HISTORY, "[]"))
        known = listed[: listed.index(present)] if present in listed else listed
        exist = {int(found.version) for found in self.client.search_model_versions(f"name = '{name}'")}
        return [*(version for version in known if version in exist), present]

    def _has_alias(self, version: ModelVersion, alias: str) -> bool:
        return int(self.client.get_registered_model(version.name).aliases.get(alias, "0")) == version.version

    def find(self, uri: str) -> ModelVersion:
        """Returns the version of `models:/NAME@alias` or `models:/NAME/VERSION`, or a run's model `runs:/ID/model`.

        A run's model that is not registered is version 0 of a model called like its URI.

        Raises:
            BadInputError: if the text is not of that form, or nothing is registered there.
            TrackingError: if the registry does not answer.
        """
        if uri.startswith("runs:/"):
            return self._of_run(uri)
        name, at, alias = uri.removeprefix("models:/").partition("@")
        if not uri.startswith("models:/"):
            raise BadInputError(
                f"Not a model: {uri!r}. Expected models:/NAME@alias, models:/NAME/VERSION or runs:/ID/model."
            )
        if at:
            try:
                found = self.client.get_model_version_by_alias(name, alias)
            except MlflowException as error:
                self._require_refusal(error)
                raise BadInputError(
                    f"No alias {alias!r} of model {name!r} in {self.uri}. {self._known_models()}"
                ) from error
            return self.version(name, int(found.version))
        name, _, number = name.rpartition("/")
        if not name or not number.isdigit():
            raise BadInputError(f"Not a model version: {uri!r}. Expected models:/NAME@alias or models:/NAME/VERSION.")
        return self.version(name, int(number))

    def _of_run(self, uri: str) -> ModelVersion:
        run_id = storage.below("runs:/", uri.removeprefix("runs:/")).removeprefix("runs:/").partition("/")[0]
        try:
            found = self.client.search_model_versions(f"run_id = '{run_id}'", max_results=1)
            tags = self.client.get_run(run_id).data.tags
        except MlflowException as error:
            self._require_refusal(error)
            raise BadInputError(f"No run {run_id!r} in {self.uri}; expected runs:/ID/model.") from error
        if found:
            return self.version(found[0].name, int(found[0].version))
        return ModelVersion(uri, 0, run_id, uri, {TAG: tags.get(TAG, "")})

    def fetch(self, version: ModelVersion, folder: str) -> str:
        """Downloads a version and returns the folder of its SavedModel.

        Raises:
            BadInputError: if it is a run that has no model.
            ModelChangedError: if its files are not those that were registered.
        """
        try:
            local = mlflow.artifacts.download_artifacts(artifact_uri=version.source, dst_path=folder)
        except MlflowException as error:
            if version.version:
                raise
            reason = str(error).splitlines()[0]
            raise BadInputError(
                f"{version.source} cannot be fetched from {self.uri}: {reason} The run of a training has a model once "
                "it is registered: `emberline register`."
            ) from error
        saved_model = str(Path(local) / flavor.SAVED_MODEL)
        called = f"{version.name} version {version.version}" if version.version else version.name
        require_unchanged(saved_model, version.tags.get(TAG, ""), called)
        flavor.require_loader(local, version.tags.get(flavor.LOADER_TAG, ""), called)
        return saved_model

    def _known_models(self) -> str:
        names = [model.name for model in self.client.search_registered_models(max_results=20)]
        return f"Registered: {', '.join(names)}." if names else "Nothing is registered there yet."


def local_copy(uri: str, scratch: str) -> str:
    """Returns a local folder with the files of `uri`: itself when it is local."""
    if storage.is_local(uri):
        return storage.local_path(uri)
    storage.copy_folder(uri, scratch)
    return scratch
