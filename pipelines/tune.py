"""A search for better hyper-parameters: trainings of one recipe on one dataset version, each an MLflow run of its own.

Optuna proposes the values and ends hopeless trials early. Trials run one after the other, each on as many executors as
the recipe asks for, or several at a time, each on one.
"""

import json
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from typing import Any

import optuna
from pyspark.sql import SparkSession

from emberline.features.dataset_version import open_version
from emberline.features.errors import BadInputError
from emberline.pipelines.artifacts.search_folder import Search, Trial
from emberline.pipelines.cluster.gang import ClusterError
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.recipe.overrides import with_overrides
from emberline.pipelines.recipe.search_space import Axis, Between
from emberline.pipelines.runtime.progress import Progress
from emberline.pipelines.tasks import gate_of, smaller_is_better, task_of
from emberline.pipelines.tracking import StoppedEarlyError, Tracker
from emberline.pipelines.train import train

UNJUDGED_TRIALS = 4
"""So many trials run to their end before another is compared with their median."""

_STATES = {
    "complete": optuna.trial.TrialState.COMPLETE,
    "pruned": optuna.trial.TrialState.PRUNED,
    "failed": optuna.trial.TrialState.FAIL,
}


@dataclass(frozen=True)
class TuneResult:
    """A finished search.

    Args:
        search: URI of its folder.
        run_id: MLflow run above those of the trials.
        metric: What was searched for.
        best: Its best value.
        overrides: The values that reach it, as `--set` takes them.
        training: The training that reached it; `evaluate` and `register` take it.
        trials: How many ended in which state.
    """

    search: str
    run_id: str
    metric: str
    best: float
    overrides: dict[str, str]
    training: str
    trials: dict[str, int]


def tune(
    spark: SparkSession,
    recipe: Recipe,
    dataset: str,
    output: str,
    tracker: Tracker,
    *,
    space: Sequence[Axis] = (),
    trials: int = 20,
    parallel: int = 1,
) -> TuneResult:
    """Searches; an interrupted search at the same output goes on, its unfinished trials from their last checkpoints.

    Args:
        spark: The session.
        recipe: What to train.
        dataset: URI of a complete dataset version.
        output: URI of the search's folder.
        tracker: Where runs are recorded.
        space: What may change; default: the recipe's own `space`.
        trials: Trainings in all, those of an interrupted search included.
        parallel: Trials at a time. With more than one, each trains on a single executor.

    Raises:
        BadInputError: if there is no space, a value of it does not fit the recipe, or `output` holds another search.
        ClusterError: if no trial came to its end.
    """
    space = tuple(space or recipe.space)
    if parallel > 1:
        recipe = replace(recipe, training=replace(recipe.training, workers=1, launcher="barrier"))
    _require_searchable(recipe, space, trials, parallel)
    version = open_version(dataset)
    metric = recipe.training.best_metric or f"eval_{gate_of(recipe, version.schema).metric}"
    smaller = smaller_is_better(task_of(version.schema, recipe=recipe), metric)
    asked = {
        "recipe": recipe.to_json(), "metric": metric,
        "space": [asdict(axis) for axis in space], "dataset_digest": version.digest,
    }  # fmt: skip
    search = Search.open(output, json.loads(json.dumps(asked)))
    study = _study(space, smaller, parallel, search)
    progress, stopping = Progress("tune"), threading.Event()

    def run(number: int) -> None:
        proposed = study.ask(_distributions(space))
        values = {field: _text(value) for field, value in proposed.params.items()}
        trial = search.begin(number, values)
        if trial.state == "running":
            trial = train_one(number, trial, proposed)
        study.tell(proposed, trial.result, _STATES[trial.state])
        shown = f"{metric} {trial.result:.4f}" if trial.result is not None else f"{trial.state}: {trial.reason}"
        progress.say(f"trial {number + 1}/{trials}  {shown}  " + "  ".join(f"{k}={v}" for k, v in values.items()))

    def train_one(number: int, trial: Trial, proposed: optuna.Trial) -> Trial:
        def judge(epoch: int, metrics: Mapping[str, float]) -> None:
            if stopping.is_set():
                raise KeyboardInterrupt
            if metric in metrics:
                search.note(number, epoch, metrics[metric])
                proposed.report(metrics[metric], epoch)
                if proposed.should_prune():
                    raise StoppedEarlyError(f"{metric} {metrics[metric]:.4f} after epoch {epoch}")

        try:
            result = train(
                spark, with_overrides(recipe, trial.values), dataset, trial.training, tracker,
                parent=search.run_id, name=f"{recipe.name} trial {number + 1}", watch=judge,
            )  # fmt: skip
        except StoppedEarlyError as stopped:
            return search.end(number, state="pruned", reason=str(stopped))
        except ClusterError as error:
            return search.end(number, state="failed", reason=str(error).strip().splitlines()[-1][:300])
        if metric not in result.metrics:
            return search.end(number, state="failed", reason=f"it has no {metric}, only {', '.join(result.metrics)}")
        return search.end(number, state="complete", result=result.metrics[metric])

    with tracker.step(
        recipe.name, "search", spark=spark, name=f"{recipe.name} search", resume=search.run_id, keep=output,
        params=search.params, tags={"emberline.search": output, "emberline.dataset": dataset},
    ) as recorded:  # fmt: skip
        search.record(recorded)
        numbers = range(search.finished, trials)
        if parallel == 1:
            for number in numbers:
                run(number)
        else:
            with ThreadPoolExecutor(parallel, "emberline-trial") as threads:
                try:
                    for done in as_completed([threads.submit(run, number) for number in numbers]):
                        done.result()
                except BaseException:
                    stopping.set()  # the other trials end with their epoch
                    threads.shutdown(cancel_futures=True)
                    raise
        ended = search.trials[:trials]
        complete = [trial for trial in ended if trial.result is not None]
        if not complete:
            raise ClusterError(f"None of {trials} trials came to its end. The first: {ended[0].reason}")
        best = (min if smaller else max)(complete, key=lambda trial: trial.result or 0.0)
        states = dict(Counter(trial.state for trial in ended))
        result = TuneResult(output, search.run_id, metric, best.result or 0.0, best.values, best.training, states)
        recorded.log_json(asdict(result), "search.json")
    flags = " ".join(f"--set '{field}={value}'" for field, value in best.values.items())
    progress.say(f"best {metric} {best.result:.4f}: {flags}")
    return result


def _require_searchable(recipe: Recipe, space: Sequence[Axis], trials: int, parallel: int) -> None:
    if not space:
        raise BadInputError(
            f"Recipe {recipe.name!r} declares no space to search. Pass --space, such as "
            "--space 'training.optimizers.0.learning_rate=1e-4..1e-1 log', or declare `space` in the recipe."
        )
    if trials < 1 or parallel < 1:
        raise BadInputError(f"Expected at least one trial at a time, got --trials {trials} --parallel {parallel}.")
    for axis in space:
        for end in axis.ends:
            with_overrides(recipe, {axis.field: end})  # raises, naming field and value


def _study(space: Sequence[Axis], smaller: bool, parallel: int, search: Search) -> optuna.Study:
    """Optuna's memory of the trials that have ended, whoever ran them."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="minimize" if smaller else "maximize",
        # Trials that run at the same time must not all be sent to the same place.
        sampler=optuna.samplers.TPESampler(seed=1 + search.finished, constant_liar=parallel > 1),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=UNJUDGED_TRIALS),
    )
    distributions = _distributions(space)
    for trial in search.trials:
        params = {axis.field: _value(axis, trial.values[axis.field]) for axis in space}
        if trial.state == "running":
            study.enqueue_trial(params)
            continue
        study.add_trial(
            optuna.trial.create_trial(
                params=params, distributions=distributions, value=trial.result, state=_STATES[trial.state],
                intermediate_values={epoch + 1: value for epoch, value in enumerate(trial.by_epoch)},
            )
        )  # fmt: skip
    return study


def _distributions(space: Sequence[Axis]) -> dict[str, Any]:
    return {axis.field: _distribution(axis) for axis in space}


def _distribution(axis: Axis) -> optuna.distributions.BaseDistribution:
    if not isinstance(axis, Between):
        return optuna.distributions.CategoricalDistribution(axis.ends)
    if isinstance(axis.low, int) and isinstance(axis.high, int):
        return optuna.distributions.IntDistribution(axis.low, axis.high, axis.log)
    return optuna.distributions.FloatDistribution(axis.low, axis.high, axis.log)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def _value(axis: Axis, text: str) -> Any:
    """What Optuna calls a value that is written as `text`."""
    if not isinstance(axis, Between):
        return text
    return int(text) if isinstance(axis.low, int) and isinstance(axis.high, int) else float(text)
