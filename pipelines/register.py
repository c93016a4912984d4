"""An evaluated model becomes a registered version, and the champion if it passes the gate."""

import json
import tempfile
from dataclasses import asdict, dataclass

from features import storage
from features.dataset_version import open_version
from features.errors import BadInputError, nearest
from pipelines.evaluate import open_evaluation
from pipelines.progress import Progress
from pipelines.recipe import Gate, Recipe
from pipelines.tasks.task import SMALLER_IS_BETTER
from pipelines.tracking import CHAMPION, Tracker, local_copy, model_name
from pipelines.train import open_training

REGISTERED = "registered.json"


@dataclass(frozen=True)
class RegisterResult:
    """Where the model stands in the registry.

    Args:
        name: Registered model.
        version: Its new version.
        alias: `champion`, or None when the gate kept it out.
        champion: Version that is champion now, if any.
        verdict: Why.
        metric: Value of the gate's metric.
    """

    name: str
    version: int
    alias: str | None
    champion: int | None
    verdict: str
    metric: float


def register(recipe: Recipe, training: str, tracker: Tracker) -> RegisterResult:
    """Registers the model of an evaluated training; registering the same training twice changes nothing.

    Args:
        recipe: Its name and gate.
        training: URI of a finished, evaluated training.
        tracker: Run store and registry.

    Raises:
        BadInputError: if the training was not finished or not evaluated, or the gate names an unknown metric.
    """
    progress = Progress("register")
    done = storage.join(training, REGISTERED)
    if storage.exists(done):
        result = RegisterResult(**json.loads(storage.read_bytes(done)))
        progress.say(f"{result.name} version {result.version} was registered before; nothing to do")
        return result
    trained, evaluated = open_training(training), open_evaluation(training)
    gate = recipe.gate
    if gate.metric not in evaluated.metrics:
        raise BadInputError(f"The gate asks for metric {gate.metric!r}. {nearest(gate.metric, evaluated.metrics)}")
    metric = evaluated.metrics[gate.metric]
    version = open_version(trained.dataset)
    name = model_name(recipe.name, synthetic=bool(version.synthetic))
    held = tracker.champion(name)
    tags = {f"emberline.{key}": f"{value:.9g}" for key, value in evaluated.metrics.items()}
    tags |= {
        "emberline.dataset_digest": version.digest,
        "emberline.source": str(version.manifest["source"]["uri"]),
        "emberline.synthetic": str(bool(version.synthetic)).lower(),
    }
    with tempfile.TemporaryDirectory() as scratch:
        folder = local_copy(storage.join(training, "model"), scratch)
        registered = tracker.register(trained.run_id, name, folder, version.schema, tags)
    known = held.tags.get(f"emberline.{gate.metric}") if held else None  # none: it was of another kind of label
    best = None if known is None else float(known)
    passed, verdict = judge(gate, metric, best)
    if passed:
        tracker.promote(registered)
    champion = registered.version if passed else (held.version if held else None)
    result = RegisterResult(name, registered.version, CHAMPION if passed else None, champion, verdict, metric)
    with tracker.step(recipe.name, "register", keep=training) as run:
        told = {"emberline.model": f"{name}/{registered.version}", "emberline.verdict": verdict}
        run.at(trained.run_id).log_tags(told)
    storage.write_bytes_atomic(done, json.dumps(asdict(result), indent=2).encode())
    progress.say(f"{name} version {registered.version}: {verdict}")
    return result


def judge(gate: Gate, metric: float, champion: float | None) -> tuple[bool, str]:
    """Whether a model becomes champion, and the reason in one sentence.

    Args:
        gate: The recipe's conditions.
        metric: The candidate's value.
        champion: The present champion's value, None if no champion has one.
    """
    smaller = gate.metric in SMALLER_IS_BETTER
    sign = -1 if smaller else 1
    # Not `<`: a metric that is no number passes no gate.
    if not sign * metric >= sign * gate.limit:
        where = "above" if smaller else "below"
        return False, f"not champion: {gate.metric} {metric:.5f} is {where} the limit {gate.limit:g}"
    if champion is None:
        return True, f"champion: the first with {gate.metric} {metric:.5f}"
    if sign * metric > sign * champion:
        return True, f"champion: {gate.metric} {metric:.5f} beats {champion:.5f}"
    return False, f"not champion: {gate.metric} {metric:.5f} does not beat the present champion's {champion:.5f}"
