"""A search for better hyper-parameters: trainings of one recipe on one dataset version, each an MLflow run of its own.

Optuna proposes the values and ends hopeless trials early. Trials run one after the other, each on as many executors as
the recipe asks for, or several at a time, each on one.
"""

import json
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

from pyspark.sql import SparkSession

from emberline.features.dataset_version import open_version
from emberline.features.errors import BadInputError
from emberline.pipelines.artifacts.search_folder import Search, Trial
from emberline.pipelines.cluster.gang import ClusterError
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.recipe.overrides import with_overrides
from emberline.pipelines.recipe.search_space import Axis
from emberline.pipelines.runtime.claim import claim
from emberline.pipelines.runtime.output_folder import require_apart
from emberline.pipelines.runtime.progress import Progress
from emberline.pipelines.runtime.shown import ShownAsTable
from emberline.pipelines.tasks import gate_of, smaller_is_better, task_of
from emberline.pipelines.tracking import StoppedEarlyError, Tracker
from emberline.pipelines.train import train
from emberline.pipelines.tuning.study import Proposal, Study


@dataclass(frozen=True, kw_only=True, repr=False)
class TuneResult(ShownAsTable):
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
    """Searches the space; an interrupted search at the same output resumes, unfinished trials from their checkpoints.

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
        BadInputError: if there is no space, a value of it does not fit the recipe, or `output` holds another search or
            overlaps with the dataset version.
        OutputBusyError: if another process searches there.
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
        "recipe": recipe.to_json(),
        "metric": metric,
        "space": [asdict(axis) for axis in space],
        "dataset_digest": version.digest,
    }
    require_apart(output, {"--dataset": dataset})
    with claim(output):
        return _search(
            spark, recipe, dataset, output, tracker, json.loads(json.dumps(asked)), space, smaller, trials, parallel
        )


def _search(
    spark: SparkSession,
    recipe: Recipe,
    dataset: str,
    output: str,
    tracker: Tracker,
    asked: dict[str, Any],
    space: Sequence[Axis],
    smaller: bool,
    trials: int,
    parallel: int,
) -> TuneResult:
    """Does what `tune` says, when nobody else searches at this output."""
    metric = asked["metric"]
    search = Search.open(output, asked)
    study = Study(search, space, smaller_is_better=smaller, parallel=parallel)
    progress = Progress("tune")
    shared = _Trials(
        spark=spark,
        recipe=recipe,
        dataset=dataset,
        tracker=tracker,
        search=search,
        study=study,
        metric=metric,
        count=trials,
        progress=progress,
    )
    with tracker.step(
        recipe.name,
        "search",
        spark=spark,
        name=f"{recipe.name} search",
        resume=search.run_id,
        keep=output,
        params=search.params,
        tags={"emberline.search": output, "emberline.dataset": dataset},
    ) as recorded:
        search.record(recorded)
        shared.run_rest(parallel)
        ended = search.trials[:trials]
        complete = [trial for trial in ended if trial.result is not None]
        if not complete:
            raise ClusterError(f"None of {trials} trials came to its end. The first: {ended[0].reason}")
        best = (min if smaller else max)(complete, key=lambda trial: trial.result or 0.0)
        states = dict(Counter(trial.state for trial in ended))
        result = TuneResult(
            search=output,
            run_id=search.run_id,
            metric=metric,
            best=best.result or 0.0,
            overrides=best.values,
            training=best.training,
            trials=states,
        )
        recorded.log_json(asdict(result), "search.json")
    flags = " ".join(f"--set '{field}={value}'" for field, value in best.values.items())
    progress.say(f"best {metric} {best.result:.4f}: {flags}")
    return result


@dataclass(frozen=True, kw_only=True)
class _Trials:
    """Trials of one search, by number.

    Args:
        spark: The session.
        recipe: What to train, but for what a trial replaces.
        dataset: URI of the dataset version.
        tracker: Where runs are recorded.
        search: Takes what becomes of each.
        study: Proposes values.
        metric: That decides.
        count: How many there will be in all.
        progress: Shows a line for each.
        stopping: Set when one has failed in a way that ends the search: the others end with their epoch.
    """

    spark: SparkSession
    recipe: Recipe
    dataset: str
    tracker: Tracker
    search: Search
    study: Study
    metric: str
    count: int
    progress: Progress
    stopping: threading.Event = field(default_factory=threading.Event)

    def run_rest(self, parallel: int) -> None:
        """Runs those that have not ended, some at a time."""
        numbers = range(self.search.finished, self.count)
        if parallel == 1:
            for number in numbers:
                self.run(number)
            return
        with ThreadPoolExecutor(parallel, "emberline-trial") as threads:
            try:
                for done in as_completed([threads.submit(self.run, number) for number in numbers]):
                    done.result()
            except BaseException:
                self.stopping.set()
                threads.shutdown(cancel_futures=True)
                raise

    def run(self, number: int) -> None:
        """Runs one trial, or what an earlier attempt left of it."""
        proposal = self.study.propose()
        trial = self.search.begin(number, proposal.values)
        if trial.state == "running":
            trial = self._train(number, trial, proposal)
        proposal.end(trial)
        shown = f"{self.metric} {trial.result:.4f}" if trial.result is not None else f"{trial.state}: {trial.reason}"
        values = "  ".join(f"{name}={value}" for name, value in proposal.values.items())
        self.progress.say(f"trial {number + 1}/{self.count}  {shown}  {values}")

    def _train(self, number: int, trial: Trial, proposal: Proposal) -> Trial:
        metric, end = self.metric, partial(self.search.end, number)

        def judge(epoch: int, metrics: Mapping[str, float]) -> None:
            if self.stopping.is_set():
                raise KeyboardInterrupt
            if metric in metrics:
                self.search.note(number, epoch, metrics[metric])
                if proposal.is_hopeless(metrics[metric], epoch):
                    raise StoppedEarlyError(f"{metric} {metrics[metric]:.4f} after epoch {epoch}")

        try:
            result = train(
                self.spark,
                with_overrides(self.recipe, trial.values),
                self.dataset,
                trial.training,
                self.tracker,
                parent=self.search.run_id,
                name=f"{self.recipe.name} trial {number + 1}",
                watch=judge,
            )
        except StoppedEarlyError as stopped:
            return end(state="pruned", reason=str(stopped))
        except ClusterError as error:
            return end(state="failed", reason=str(error).strip().splitlines()[-1][:300])
        if metric not in result.metrics:
            return end(state="failed", reason=f"it has no {metric}, only {', '.join(result.metrics)}")
        return end(state="complete", result=result.metrics[metric])


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
