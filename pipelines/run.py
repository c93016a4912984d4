"""All steps of a recipe in order, from raw files to predictions, in one workspace folder."""

import uuid
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from emberline.features import storage
from emberline.pipelines.cluster.launchers import require_launcher
from emberline.pipelines.datasets import load_dataset
from emberline.pipelines.datasets.readers.tables.table_format import TableFormat
from emberline.pipelines.datasets.readers.tables.versioned.version import pinned
from emberline.pipelines.etl import tracked_etl
from emberline.pipelines.evaluate import evaluate
from emberline.pipelines.evaluation.slices import require_sliceable
from emberline.pipelines.promotion.gate import require_slices
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.register import register
from emberline.pipelines.runtime.progress import Progress, timed
from emberline.pipelines.runtime.session import session
from emberline.pipelines.score import score
from emberline.pipelines.tasks import require_fit
from emberline.pipelines.tracking import Tracker
from emberline.pipelines.train import train


def run(
    recipe: Recipe,
    workspace: str,
    tracking_uri: str,
    *,
    source: str | None = None,
    form: TableFormat | None = None,
    master: str | None = None,
) -> dict[str, Any]:
    """Runs `etl`, `train`, `evaluate`, `register` and `score`.

    Args:
        recipe: The use case.
        workspace: Folder or URI that takes the run's dataset version, training and predictions, each run under
            a name of its own: nothing of an earlier run is touched.
        tracking_uri: MLflow store.
        source: URI of the raw files, or the address of a table; without it, synthetic ones are generated.
        form: How they are written, where the data set does not say it.
        master: Spark master; the default is a local cluster of two executors.

    Returns:
        The summary that is printed: rows, metrics, model, places, and seconds per step.
    """
    progress = Progress("run")
    seconds: dict[str, float] = {}
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:4]}"
    folder = storage.join(workspace, recipe.name, name)
    tracker = Tracker(tracking_uri)
    dataset = load_dataset(recipe.dataset)
    require_fit(recipe, dataset.schema)
    require_sliceable(recipe, dataset.schema)
    require_slices(recipe)
    require_launcher(recipe.training)
    if source is None:
        source = storage.join(workspace, "raw", f"{recipe.dataset_name}-synthetic-{recipe.preparation.seed}")
        best = dataset.synthetic(source) or dataset.generate(source, seed=recipe.preparation.seed)
        scores = ", ".join(f"{metric} {value:,.4f}" for metric, value in best.best.items())
        progress.say(f"no --input: synthetic {recipe.dataset_name} data at {source}, best achievable {scores}")
    with session(f"run {recipe.name}", master, reads=source) as spark, tracker.pipeline_run(recipe, name):
        source = pinned(spark, source)
        with timed(seconds, "etl"):
            prepared = tracked_etl(spark, recipe, source, storage.join(folder, "dataset"), tracker, form=form)
        with timed(seconds, "train"):
            training = storage.join(folder, "training")
            trained = train(spark, recipe, prepared.dataset, training, tracker)
        with timed(seconds, "evaluate"):
            evaluated = evaluate(spark, recipe, training, tracker)
        with timed(seconds, "register"):
            registered = register(spark, recipe, training, tracker)
        with timed(seconds, "score"):
            chosen = f"models:/{registered.name}" + ("@champion" if registered.champion else f"/{registered.version}")
            predicted = score(spark, recipe, chosen, source, storage.join(folder, "predictions"), tracker, form=form)
    return {
        "pipeline": recipe.name,
        "synthetic": prepared.synthetic,
        "rows_read": prepared.rows_read,
        "rows_rejected": prepared.rows_rejected,
        "reasons": prepared.reasons,
        "records": prepared.records,
        "dataset": prepared.dataset,
        "dataset_digest": prepared.digest,
        "training": trained.training,
        "run_id": trained.run_id,
        "steps": trained.steps,
        "examples_per_second": trained.metrics.get("examples_per_second"),
        "metrics": evaluated.metrics,
        "model": {key: value for key, value in asdict(registered).items() if key != "metric"},
        "scored_with": {"name": predicted.model, "version": predicted.version},
        "rows_scored": predicted.rows_scored,
        "predictions": predicted.predictions,
        "tracking_uri": tracker.uri,
        "seconds": seconds,
    }
