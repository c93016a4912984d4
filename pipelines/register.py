"""An evaluated model becomes a registered version, and the champion if it passes the gate."""

import json
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pyspark.sql import SparkSession

from emberline.features import storage
from emberline.features.dataset_version import EXAMPLES, FEATURES, DatasetVersion, open_version
from emberline.features.errors import BadInputError, nearest
from emberline.features.schema import Schema
from emberline.pipelines.artifacts.training_folder import TrainResult, open_training
from emberline.pipelines.evaluation.result import EvaluateResult, open_evaluation
from emberline.pipelines.metrics.definitions import left_out
from emberline.pipelines.promotion.champion_metrics import champion_on
from emberline.pipelines.promotion.gate import Check, JudgedMetrics, Verdict, judge, meets_limits
from emberline.pipelines.promotion.latency import measure_latency
from emberline.pipelines.recipe import Gate, Recipe
from emberline.pipelines.runtime.claim import claim
from emberline.pipelines.runtime.progress import Progress
from emberline.pipelines.runtime.shown import ShownAsTable
from emberline.pipelines.saved_model.digest import require_unchanged
from emberline.pipelines.tasks import gate_of
from emberline.pipelines.tracking import CHALLENGER, CHAMPION, ModelVersion, Run, Tracker, local_copy, model_name

REGISTERED = "registered.json"
VERDICT = "verdict.json"


@dataclass(frozen=True, repr=False)
class RegisterResult(ShownAsTable):
    """Where the model stands in the registry.

    Args:
        name: Registered model.
        version: Its new version.
        alias: `champion`; or `challenger`, when it meets the gate's limits and others are better; or None.
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


def register(spark: SparkSession, recipe: Recipe, training: str, tracker: Tracker) -> RegisterResult:
    """Registers the model of an evaluated training; registering the same training twice changes nothing.

    Args:
        spark: The session, in which the champion scores the candidate's held-out rows if it never has.
        recipe: Its name and gate.
        training: URI of a finished, evaluated training.
        tracker: Run store and registry.

    Raises:
        BadInputError: if the training was not finished or not evaluated, or the gate names what was not measured.
        TrackingError: if the registry does not answer.
        OutputBusyError: if another process registers this training.
    """
    progress = Progress("register")
    done = storage.join(training, REGISTERED)
    if (known := _registered(done, progress)) is not None:
        return known
    with claim(storage.join(training, "register")):
        return _register(spark, recipe, training, tracker, done, progress)


def _registered(done: str, progress: Progress) -> RegisterResult | None:
    """What an earlier registration came to, if there was one."""
    if not storage.exists(done):
        return None
    result = RegisterResult(**json.loads(storage.read_bytes(done)))
    progress.say(f"{result.name} version {result.version} was registered before; nothing to do")
    return result


def _register(
    spark: SparkSession, recipe: Recipe, training: str, tracker: Tracker, done: str, progress: Progress
) -> RegisterResult:
    """`register`, when nobody else registers this training."""
    if (known := _registered(done, progress)) is not None:
        return known
    trained, evaluated = open_training(training), open_evaluation(training)
    version = open_version(trained.dataset)
    recipe = replace(recipe, gate=gate_of(recipe, version.schema))
    _require_measured(recipe.gate, evaluated)
    params = {"training": training, "gate": asdict(recipe.gate)}
    about = {"emberline.training_run": trained.run_id, "emberline.dataset_digest": version.digest}
    with tracker.step(recipe.name, "register", spark=spark, keep=training, params=params, tags=about) as run:
        with tempfile.TemporaryDirectory() as scratch:
            registered, latency = _enter(recipe, trained, evaluated, version, tracker, scratch)
        standing = JudgedMetrics(evaluated.metrics, evaluated.slices, latency)
        alias, verdict = _promote(spark, recipe, registered, standing, version, tracker)
        champion = tracker.champion(registered.name)
        result = RegisterResult(
            registered.name,
            registered.version,
            alias,
            champion.version if champion else None,
            verdict.text,
            evaluated.metrics[recipe.gate.metric],
        )
        for place in (run, run.at(trained.run_id)):
            _tell(place, result, verdict)
        storage.write_bytes_atomic(done, json.dumps(asdict(result), indent=2).encode())
        progress.say(f"{result.name} version {result.version}: {verdict.text}")
    return result


def _require_measured(gate: Gate, evaluated: EvaluateResult) -> None:
    if gate.metric not in evaluated.metrics:
        if (why := left_out(evaluated.details).get(str(gate.metric))) is not None:
            known = ", ".join(name for name in evaluated.metrics if name != "rows")
            raise BadInputError(
                f"The gate asks for {gate.metric!r}: {why}. Hold out more rows, or ask for one of {known}."
            )
        raise BadInputError(f"The gate asks for metric {gate.metric!r}. {nearest(gate.metric, evaluated.metrics)}")
    for name in gate.slices:
        if name not in evaluated.slices:
            known = nearest(name, evaluated.slices) if evaluated.slices else "There are none: set evaluation.slices."
            raise BadInputError(f"The gate asks for slices by {name!r}, which were not evaluated. {known}")


def _enter(
    recipe: Recipe,
    trained: TrainResult,
    evaluated: EvaluateResult,
    version: DatasetVersion,
    tracker: Tracker,
    scratch: str,
) -> tuple[ModelVersion, dict[int, float]]:
    """The new version, and its latency if the gate asks for one."""
    folder = local_copy(storage.join(trained.training, "model"), str(Path(scratch) / "model"))
    require_unchanged(folder, trained.model_digest, f"the training {trained.training!r}")
    examples = Path(scratch) / EXAMPLES
    examples.write_bytes(storage.read_bytes(storage.join(version.uri, EXAMPLES)))
    latency = measure_latency(folder, str(examples)) if recipe.gate.latency_ms or recipe.gate.latency_ms_1000 else {}
    tags = {f"emberline.{key}": f"{value:.9g}" for key, value in evaluated.metrics.items()}
    tags |= {f"emberline.latency_ms_{rows}": f"{took:.4g}" for rows, took in latency.items()}
    tags |= {
        "emberline.dataset": version.uri,
        "emberline.dataset_digest": version.digest,
        "emberline.training": trained.training,
        "emberline.source": str(version.manifest["source"]["uri"]),
        "emberline.synthetic": str(bool(version.synthetic)).lower(),
    }
    name = model_name(recipe.name, synthetic=bool(version.synthetic))
    schema = Schema.from_json(json.loads((Path(folder) / FEATURES).read_text())["schema"])
    return tracker.register(trained.run_id, name, folder, schema, tags, str(examples)), latency


def _promote(
    spark: SparkSession,
    recipe: Recipe,
    candidate: ModelVersion,
    standing: JudgedMetrics,
    version: DatasetVersion,
    tracker: Tracker,
) -> tuple[str | None, Verdict]:
    """Judges against the present champion, and again if another becomes champion meanwhile."""
    gate = recipe.gate
    while True:
        held = tracker.champion(candidate.name)
        if held is None or f"emberline.{gate.metric}" not in held.tags:  # that one was of another kind of label
            verdict = judge(gate, standing, None)
        else:
            try:
                verdict = judge(gate, standing, champion_on(spark, tracker, held, recipe, version))
            except BadInputError as error:
                checks = meets_limits(gate, standing)
                known = float(held.tags[f"emberline.{gate.metric}"])
                reason = f"it cannot be compared with the present champion, version {held.version}: {error}"
                verdict = Verdict(
                    (*checks, Check("champion's rows", standing.metrics[gate.metric], known, False, reason))
                )
        if not verdict.passed:
            break
        if tracker.promote(candidate, held):
            return CHAMPION, verdict
    if not all(check.passed for check in meets_limits(gate, standing)):
        return None, verdict
    tracker.challenge(candidate)
    return CHALLENGER, verdict


def _tell(run: Run, result: RegisterResult, verdict: Verdict) -> None:
    run.log_tags({"emberline.model": f"{result.name}/{result.version}", "emberline.verdict": verdict.text})
    rows = [
        [check.condition, check.candidate, check.against, "yes" if check.passed else "no", check.reason]
        for check in verdict.checks
    ]
    run.log_table(["condition", "candidate", "against", "passed", "reason"], rows, VERDICT)
