"""What the page shows of a training, of the present champion, and of any run that was evaluated."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from emberline.features import storage
from emberline.features.dataset_version import DatasetVersion
from emberline.features.errors import BadInputError
from emberline.pipelines.artifacts.training_folder import TRAINING, open_training
from emberline.pipelines.evaluation.page import PageModel
from emberline.pipelines.evaluation.result import EVALUATION, EvaluateResult, open_evaluation
from emberline.pipelines.recipe import flatten
from emberline.pipelines.tracking import Tracker, model_name


def model_of_result(
    name: str, result: EvaluateResult, facts: Mapping[str, str], params: Mapping[str, Any]
) -> PageModel:
    """Returns an evaluation as the page takes it.

    Args:
        name: What it is called there.
        result: What was found.
        facts: What to say of it beside the training.
        params: Its settings.
    """
    return PageModel(
        name,
        result.metrics,
        result.details,
        result.slices,
        result.dataset_digest,
        {"training": result.training, "rows of version": result.dataset_digest[:12], **facts},
        {key: str(value) for key, value in params.items()},
        result.smaller_is_better,
    )


def model_of_champion(tracker: Tracker, recipe: str, version: DatasetVersion) -> PageModel | None:
    """Returns the present champion's evaluation, as its run keeps it; None without a champion, or one that has none."""
    held = tracker.champion(model_name(recipe, synthetic=bool(version.synthetic)))
    found = tracker.read_json(held.run_id, EVALUATION) if held else None
    if held is None or found is None:
        return None
    facts = {"model": f"{held.name} version {held.version}", "run": held.run_id}
    return model_of_result(f"champion, version {held.version}", EvaluateResult(**found), facts, {})


def model_of_run(tracker: Tracker, run: str) -> PageModel:
    """Returns an evaluated training.

    Args:
        tracker: Knows runs by their ids.
        run: Id of an MLflow run, or URI of a training.

    Raises:
        BadInputError: if there is none, or it was not evaluated.
    """
    if storage.exists(storage.join(run, TRAINING)):
        trained, result = open_training(run), open_evaluation(run)
        params = flatten(json.loads(storage.read_bytes(storage.join(run, TRAINING)))["recipe"])
        name = f"{params['name']} {trained.run_id[:8]}"
        return model_of_result(name, result, {"run": trained.run_id}, _without_names(params))
    known = tracker.read_run(run)
    found = tracker.read_json(run, EVALUATION)
    if found is None:
        raise BadInputError(f"The run {run!r} ({known.name}) has no {EVALUATION}. Run evaluate on its training first.")
    facts = {"run": run, **({"model": known.tags["emberline.model"]} if "emberline.model" in known.tags else {})}
    recipe = known.tags.get("emberline.recipe", known.name)
    return model_of_result(f"{recipe} {run[:8]}", EvaluateResult(**found), facts, _without_names(known.params))


def distinct(models: list[PageModel]) -> list[PageModel]:
    """Returns the same models, those of one name told apart by a number."""
    seen: dict[str, int] = {}
    for model in models:
        seen[model.name] = seen.get(model.name, 0) + 1
    counts: dict[str, int] = {}
    named = []
    for model in models:
        counts[model.name] = counts.get(model.name, 0) + 1
        twice = seen[model.name] > 1
        named.append(replace(model, name=f"{model.name} ({counts[model.name]})") if twice else model)
    return named


def _without_names(params: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings without those that say only where the recipe came from."""
    return {key: value for key, value in params.items() if key != "source"}
