"""What a training's folder says about it: what is trained on which data, how far it came, and its result."""

import json
from dataclasses import dataclass, fields
from typing import Any

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.pipelines.recipe import Optimizer, Training
from emberline.pipelines.recipe.recipe import network_name
from emberline.pipelines.runtime.shown import ShownAsTable

TRAINING = "training.json"

HOW_IT_RUNS = (
    "workers", "parameter_servers", "gpus_per_worker", "launcher", "stall_seconds", "max_restarts", "checkpoint_every",
    "keep_checkpoints", "tensorboard", "profile_steps",
)  # fmt: skip
"""Fields of `Training` that may differ when an unfinished training goes on: the global batch is the same for any."""

LATER = ("evaluation", "gate")
"""Fields of a recipe that only the steps behind a training read."""


@dataclass(frozen=True, kw_only=True, repr=False)
class TrainResult(ShownAsTable):
    """A finished training.

    Args:
        training: URI of its folder; the SavedModel is in `model/` below.
        recipe: Its name.
        run_id: MLflow run.
        dataset: URI of the dataset version.
        dataset_digest: Its content.
        metrics: Of the last epoch, and `best_…` of the best if one is chosen; `examples_per_second` over all epochs of
            this attempt.
        steps: Steps done in all.
        resumed_from: Step at which this attempt began; 0 for a fresh start.
        model_digest: Of the files of the exported model.
        warm_start: The model whose weights it began with; empty for none.
    """

    training: str
    recipe: str
    run_id: str
    dataset: str
    dataset_digest: str
    metrics: dict[str, float]
    steps: int
    resumed_from: int
    model_digest: str = ""
    warm_start: str = ""


def open_training(uri: str) -> TrainResult:
    """Returns the result of a finished training.

    Raises:
        BadInputError: if there is none at `uri`, or it was not finished.
    """
    path = storage.join(uri, TRAINING)
    if not storage.exists(path):
        raise BadInputError(f"No training at {uri!r}: it has no {TRAINING}. Run train with this --output first.")
    state = json.loads(storage.read_bytes(path))
    if not state["finished"]:
        raise BadInputError(
            f"The training at {uri!r} was not finished. Run train again with this --output; it resumes."
        )
    return TrainResult(**state["result"])


def is_resumable(output: str, identity: dict[str, Any]) -> bool:
    """Returns whether an unfinished training of the same settings and data is at `output`."""
    path = storage.join(output, TRAINING)
    if not storage.exists(path):
        return False
    state = json.loads(storage.read_bytes(path))
    return not state["finished"] and _what(state) == _what(identity)


def _what(state: dict[str, Any]) -> Any:
    """What is trained on which data and from which weights on, apart from how it runs."""
    training = _with_defaults(Training, state["recipe"]["training"])
    training["optimizers"] = [_with_defaults(Optimizer, one) for one in training["optimizers"]]
    kept = {name: value for name, value in training.items() if name not in HOW_IT_RUNS}
    recipe = {name: value for name, value in state["recipe"].items() if name not in LATER}
    recipe["network"] = network_name(recipe["network"])
    return recipe | {"training": kept}, state["dataset_digest"], state.get("warm_start")


def _with_defaults(declared: type[Training] | type[Optimizer], stored: dict[str, Any]) -> dict[str, Any]:
    """What a recipe said, with the fields that did not exist yet when it was stored."""
    plain = {item.name: item.default for item in fields(declared) if isinstance(item.default, str | int | float)}
    made: dict[str, Any] = {"settings": {}} if declared is Optimizer else {"callbacks": [], "loss_weights": {}}
    return plain | made | stored


def unfinished_run(output: str, identity: dict[str, Any]) -> str | None:
    """Returns the run to resume, if an interrupted training of the same settings is at `output`.

    Raises:
        BadInputError: if something else is there.
    """
    path = storage.join(output, TRAINING)
    if not storage.exists(path):
        if storage.exists(output):
            raise BadInputError(
                f"The output {output!r} exists and is no training. Choose another, or pass --overwrite."
            )
        return None
    state = json.loads(storage.read_bytes(path))
    if state["finished"]:
        raise BadInputError(
            f"The output {output!r} already holds a finished training. Choose another, or pass --overwrite."
        )
    if not is_resumable(output, identity):
        raise BadInputError(
            f"The unfinished training at {output!r} has other settings or data than this one. "
            "Choose another output, or pass --overwrite to start anew."
        )
    return str(state["run_id"])


def write_state(output: str, state: dict[str, Any]) -> None:
    """Keeps what is known of a training in its folder."""
    storage.write_bytes_atomic(storage.join(output, TRAINING), json.dumps(state, indent=2).encode())
