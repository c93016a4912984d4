"""Where something came from and what became of it: raw data, dataset version, training, model version, predictions.

Nothing is stored for it beside the tags that steps write: each names what it read and what it made.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mlflow.exceptions import MlflowException

from emberline.features.errors import BadInputError
from emberline.pipelines.tracking.registry import Registry

STEPS = ("validate", "etl", "train", "evaluate", "register", "score", "drift")


@dataclass(frozen=True)
class Link:
    """One step on the way.

    Args:
        step: Such as `train`.
        run_id: Its run.
        status: Of the run.
        read: What went in.
        made: What came out.
    """

    step: str
    run_id: str
    status: str
    read: str
    made: str


@dataclass(frozen=True)
class Lineage:
    """The steps before and after something, in order."""

    links: tuple[Link, ...]


def trace(store: Registry, what: str) -> Lineage:
    """Follows the tags of runs both ways.

    Args:
        store: Where the runs and models are.
        what: A run's id, `models:/NAME/VERSION` or `models:/NAME@ALIAS`, the digest or URI of a dataset version, the
            URI of raw data or of predictions.

    Raises:
        BadInputError: if no run knows it.
    """
    runs = _Runs(store)
    trainings = {run.info.run_id: run for run in _trainings(runs, what)}
    digests = {run.data.tags["emberline.dataset_digest"] for run in trainings.values()}
    found = [*runs.tagged("emberline.dataset_digest", digests, "etl"), *trainings.values()]
    for step in ("evaluate", "register"):
        found += runs.tagged("emberline.training_run", trainings, step)
    models = {run.data.tags["emberline.model"] for run in trainings.values() if "emberline.model" in run.data.tags}
    found += runs.tagged("emberline.model", models, "score")
    if not found:
        found = runs.named(what)
    if not found:
        raise BadInputError(
            f"No run in {store.uri} knows {what!r}. Give a run's id, models:/NAME/VERSION, the digest or URI of a "
            "dataset version, or the URI of raw data or predictions."
        )
    order = {step: place for place, step in enumerate(STEPS)}
    found.sort(key=lambda run: (order.get(run.data.tags.get("emberline.step", ""), 9), run.info.start_time))
    return Lineage(tuple(_link(run) for run in found))


def _trainings(runs: "_Runs", what: str) -> list[Any]:
    """The trainings that something comes from, or that come from it."""
    if what.startswith("models:/"):
        return runs.of_model(what)
    found = []
    for run in runs.named(what):
        tags = run.data.tags
        match tags.get("emberline.step"):
            case "train":
                found.append(run)
            case "etl":
                found += runs.tagged("emberline.dataset_digest", [tags.get("emberline.dataset_digest", "")], "train")
            case "evaluate" | "register":
                found += runs.by_id(tags.get("emberline.training_run", ""))
            case "score":
                found += runs.tagged("emberline.model", [tags.get("emberline.model", "")], "train")
    return found


class _Runs:
    """Runs of all experiments of the product, by what their tags say."""

    def __init__(self, store: Registry) -> None:
        self._store = store
        self._client = store.client
        found = self._client.search_experiments(filter_string="name LIKE 'emberline/%'")
        self._experiments = [experiment.experiment_id for experiment in found]

    def tagged(self, tag: str, values: Iterable[str], step: str) -> list[Any]:
        found = []
        for value in values:
            if value:
                found += self._search(f"tags.`{tag}` = '{value}' AND tags.`emberline.step` = '{step}'")
        return found

    def named(self, what: str) -> list[Any]:
        """Returns the run with this id, or all runs that read or made this."""
        found = self.by_id(what)
        for tag in ("emberline.predictions", "emberline.dataset", "emberline.dataset_digest", "emberline.source"):
            if not found:
                found = self._search(f"tags.`{tag}` = '{what}'")
        return found

    def by_id(self, run_id: str) -> list[Any]:
        try:
            return [self._client.get_run(run_id)] if run_id else []
        except MlflowException:
            return []

    def of_model(self, uri: str) -> list[Any]:
        """Returns the training behind a model version."""
        return self.by_id(self._store.find(uri).run_id)

    def _search(self, condition: str) -> list[Any]:
        return list(self._client.search_runs(self._experiments, condition, max_results=1000))


def _link(run: Any) -> Link:
    tags = run.data.tags
    dataset = f"{tags.get('emberline.dataset', '')} ({tags.get('emberline.dataset_digest', '')[:12]})"
    model = f"models:/{tags['emberline.model']}" if "emberline.model" in tags else ""
    source, training = tags.get("emberline.source", ""), tags.get("emberline.training", "")
    ways = {
        "validate": (source, "a report"),
        "drift": (f"{source} with {model}", "a report"),
        "etl": (source, dataset),
        "train": (dataset, model or training),
        "evaluate": (training or tags.get("emberline.training_run", ""), "metrics"),
        "register": (training or tags.get("emberline.training_run", ""), model),
        "score": (f"{source} with {model}", tags.get("emberline.predictions", "")),
    }
    step = tags.get("emberline.step", "")
    read, made = ways.get(step, ("", ""))
    return Link(step, run.info.run_id, run.info.status, read, made)
