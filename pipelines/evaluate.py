"""The exported model on the held-out split: scores in executors, metrics in Spark, both kept and tracked."""

import json
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime

from pyspark.sql import SparkSession

from emberline.features import storage
from emberline.features.dataset_version import DatasetVersion, open_version
from emberline.features.errors import BadInputError
from emberline.features.names import quoted
from emberline.pipelines.artifacts.training_folder import TrainResult, open_training
from emberline.pipelines.evaluation.page import PAGE, evaluation_html
from emberline.pipelines.evaluation.page_models import model_of_champion, model_of_result
from emberline.pipelines.evaluation.result import EVALUATION, EvaluateResult
from emberline.pipelines.evaluation.shard_scorer import ShardScorer
from emberline.pipelines.evaluation.slices import Slices, with_slices
from emberline.pipelines.metrics.definitions import left_out
from emberline.pipelines.metrics.grouped import ALL
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.runtime.claim import claim
from emberline.pipelines.runtime.progress import Progress, StageProgress
from emberline.pipelines.saved_model.digest import require_unchanged
from emberline.pipelines.saved_model.executors import ship, spark_columns
from emberline.pipelines.tasks import smaller_is_better, task_of
from emberline.pipelines.tracking import Tracker, local_copy

SCORES = "evaluation/scores.parquet"


def evaluate(
    spark: SparkSession, recipe: Recipe, training: str, tracker: Tracker, *, overwrite: bool = False
) -> EvaluateResult:
    """Scores the held-out split of the training's dataset version.

    Args:
        spark: The session.
        recipe: What to measure; names the data set whose raw fields are sliced by.
        training: URI of a finished training.
        tracker: Where its run is recorded; the metrics are added to it.
        overwrite: Evaluate again even if that was done.

    Raises:
        BadInputError: if the training is not finished, or was evaluated before, or the slices cannot be told.
        OutputBusyError: if another process evaluates this training.
    """
    progress = Progress("evaluate")
    trained = open_training(training)
    target = storage.join(training, EVALUATION)
    if storage.exists(target) and not overwrite:
        raise BadInputError(f"The training {training!r} was evaluated already. Pass --overwrite to do it again.")
    version = open_version(trained.dataset)
    if version.digest != trained.dataset_digest:
        raise BadInputError(f"The dataset version {trained.dataset!r} was replaced after the training. Train again.")
    task = task_of(version.schema, recipe=recipe)
    scores = storage.join(training, SCORES)
    about = {"emberline.training_run": trained.run_id, "emberline.dataset_digest": version.digest}
    with (
        claim(storage.join(training, "evaluate")),  # Spark does not keep two jobs apart in one folder
        tracker.step(recipe.name, "evaluate", spark=spark, keep=training, tags=about) as run,
    ):
        with StageProgress(spark.sparkContext, progress, "score held-out rows"):
            _score(spark, recipe, version, trained, scores)
        with StageProgress(spark.sparkContext, progress, "measure"):
            scored = spark.read.parquet(scores)
            slices = Slices.of(scored)
            found = task.evaluate(slices.grouped(scored), version.schema.label.name, recipe.evaluation.threshold)
        metrics, rows = found[ALL].metrics, version.split("eval").rows
        if metrics["rows"] != rows:
            raise RuntimeError(f"Scored {metrics['rows']:,.0f} of {rows:,} held-out rows; rows were lost.")
        details = found[ALL].details | slices.details()
        smaller = tuple(name for name in task.metrics if smaller_is_better(task, name))
        result = EvaluateResult(training, version.digest, metrics, scores, details, slices.table(found), smaller)
        page = _page(recipe, trained.run_id, result, version, tracker)
        storage.write_text_atomic(storage.join(training, PAGE), page)
        storage.write_bytes_atomic(target, json.dumps(asdict(result), indent=2).encode())
        for told in (run, run.at(trained.run_id)):  # the training's run is the one that is compared
            told.log_metrics({f"test_{name}": value for name, value in metrics.items()}, trained.steps)
            told.log_json(asdict(result), EVALUATION)
            told.log_text(page, PAGE)
    progress.say(", ".join(f"{name} {metrics[name]:,.4f}" for name in task.metrics if name in metrics))
    for name, why in left_out(result.details).items():
        progress.say(f"{name} is left out: {why}")
    return result


def _page(recipe: Recipe, run_id: str, result: EvaluateResult, version: DatasetVersion, tracker: Tracker) -> str:
    """`evaluation.html`, against the present champion if there is one."""
    facts = {"run": run_id, "dataset": version.uri, "evaluated": datetime.now(UTC).isoformat(timespec="seconds")}
    models = [model_of_result("this model", result, facts, {})]
    champion = model_of_champion(tracker, recipe.name, version)
    if champion is not None and champion.facts["run"] != run_id:
        models.append(champion)
    best = version.synthetic["best"] if version.synthetic else {}
    synthetic = ", ".join(f"best {name.replace('_', ' ')} {value:.6g}" for name, value in best.items())
    return evaluation_html(recipe.name, models, synthetic=synthetic)


def _score(spark: SparkSession, recipe: Recipe, version: DatasetVersion, trained: TrainResult, target: str) -> None:
    """Writes key, label and prediction of every held-out row, and the fields that are sliced by."""
    shards, schema = version.split("eval"), version.schema
    columns, labels = task_of(schema).columns, version.labels
    with tempfile.TemporaryDirectory() as scratch:
        folder = local_copy(storage.join(trained.training, "model"), scratch)
        require_unchanged(folder, trained.model_digest, f"the training {trained.training!r}")
        archive = ship(spark, folder, f"emberline-{trained.run_id}")
    job = ShardScorer(storage.join(version.uri, "eval"), shards, schema.key, labels, columns, archive)
    # Not a list: its tasks would run in Python workers of their own, and its partitions need a job of their own.
    files = spark.range(0, len(shards.shards), 1, len(shards.shards))
    truths = ", ".join(f"{quoted(name)} float" for name in labels)
    scored = files.mapInArrow(
        job,
        f"{quoted(schema.key)} string, {truths}, {spark_columns(columns)}",
    )
    if recipe.evaluation.slices:
        scored = with_slices(spark, scored, recipe, version)
    scored.write.mode("overwrite").parquet(target)
