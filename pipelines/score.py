"""Raw rows to predictions: a registered model in executors, Arrow in and out, published all at once."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from pyspark.sql import DataFrame, SparkSession

from features import storage
from features.errors import BadInputError
from features.validation.checks import Anomaly
from features.validation.expectations import Expectations
from pipelines.datasets import load_dataset
from pipelines.etl import source_digest
from pipelines.progress import Progress, StageProgress
from pipelines.recipe import Recipe
from pipelines.scoring.batch import keyed, stage_predictions
from pipelines.scoring.destination import Destination
from pipelines.scoring.model import ScoringModel, open_model, require_columns
from pipelines.scoring.raw_rows import read_rows
from pipelines.scoring.row_width import batch_rows_for
from pipelines.scoring_skew import measure_skew
from pipelines.tracking import Run, Tracker


@dataclass(frozen=True)
class ScoreResult:
    """What was scored.

    Args:
        predictions: URI of a folder: key, the columns of the task's prediction, model version, time of scoring.
        rows_read: Raw rows.
        rows_scored: Predictions written.
        rows_rejected: Rows put aside, with a reason each, in `_rejected` below `predictions`.
        model: Registered model, or the URI of one that is not registered.
        version: Its version; 0 for one that is not registered.
        anomalies: How the rows differ from those the model was trained on.
    """

    predictions: str
    rows_read: int
    rows_scored: int
    rows_rejected: int
    model: str
    version: int
    anomalies: tuple[Anomaly, ...] = ()

    @property
    def drift(self) -> tuple[str, ...]:
        """Fields whose values are distributed otherwise than in training."""
        return tuple(sorted({anomaly.field for anomaly in self.anomalies if anomaly.kind == "skew"}))


def score(
    spark: SparkSession,
    recipe: Recipe | None,
    model: str,
    source: str | DataFrame,
    output: str,
    tracker: Tracker,
    *,
    overwrite: bool = False,
    layout: str = "parquet",
    partition_by: str | None = None,
    keys: Sequence[str] = (),
    batch_rows: int | None = None,
    source_format: str | None = None,
) -> ScoreResult:
    """Scores everything at `source`.

    Args:
        spark: The session.
        recipe: Names the data set, whose reader the raw rows go through, and what is expected of them. Without one,
            `source` is a DataFrame, Parquet, or of `source_format`.
        model: `models:/NAME@alias`, `models:/NAME/VERSION` or `runs:/ID/model`.
        source: Raw rows by column name: a DataFrame, or the URI of Parquet files, of files of `source_format`, or of
            the data set's own format.
        output: URI of the predictions.
        tracker: The registry; a run of its own tells of every scoring.
        overwrite: Replace predictions that are already there.
        layout: Of the predictions: `parquet`, `tfrecord`, or `delta` where the session has it.
        partition_by: A column of the rows that divides the predictions into folders. Those of the values that come
            are replaced, all others stay, and `overwrite` is not asked for.
        keys: Columns that stay with a prediction, instead of the data set's key.
        batch_rows: Rows that the model takes at a time; by default what fills some 16 MiB.
        source_format: A format of Spark's to read `source` with.

    Raises:
        BadInputError: if there is no such model, or it does not fit the rows; if every row is rejected.
    """
    destination = Destination(spark, output, layout, partition_by)
    destination.require_free(overwrite)
    if batch_rows is not None and batch_rows < 1:
        raise BadInputError(f"A batch has one row at least, got {batch_rows}.")
    opened = open_model(spark, tracker, model)
    name = recipe.name if recipe else opened.version.name
    where = source if isinstance(source, str) else "a DataFrame"
    given = {"model": model, "source": where, "output": output, "layout": layout, "partition_by": partition_by or ""}
    tags = {
        "emberline.source": where, "emberline.model": f"{opened.version.name}/{opened.version.version}",
        "emberline.training_run": opened.version.run_id, "emberline.predictions": output,
    }  # fmt: skip
    # What MLflow does not take is kept beside the predictions: a folder of theirs may be replaced.
    keep = f"{output.rstrip('/')}.undelivered"
    with tracker.step(name, "score", spark=spark, keep=keep, params=given, tags=tags) as run:
        result = score_with(
            spark, recipe, opened, source, destination, keys=keys, batch_rows=batch_rows, source_format=source_format
        )
        _tell(run, recipe, result, source)
    return result


def score_with(
    spark: SparkSession,
    recipe: Recipe | None,
    model: ScoringModel,
    source: str | DataFrame,
    destination: Destination,
    *,
    keys: Sequence[str] = (),
    batch_rows: int | None = None,
    source_format: str | None = None,
    allow_none: bool = False,
) -> ScoreResult:
    """`score` with a model that the executors have already, untracked.

    Args:
        spark: As of `score`.
        recipe: As of `score`.
        model: The model.
        source: As of `score`.
        destination: Where the predictions go.
        keys: As of `score`.
        batch_rows: As of `score`.
        source_format: As of `score`.
        allow_none: Publish even if every row was rejected.
    """
    progress = Progress("score")
    dataset = load_dataset(recipe.dataset) if recipe else None
    if dataset:
        require_columns(model.schema, dataset.schema, model.called)
    schema = keyed(model.schema, keys)
    by = [destination.partition_by] if destination.partition_by else []
    carried = list(dict.fromkeys([schema.key, *keys, *by]))
    rows = read_rows(spark, source, schema, carried, dataset, source_format)
    batch_rows = batch_rows or batch_rows_for(schema.fields, model.training)
    try:
        with StageProgress(spark.sparkContext, progress, f"score with {model.called}"):
            scored = stage_predictions(spark, model, schema, rows, carried, destination, batch_rows)
        if not scored.written and not allow_none:
            examples = "; ".join(scored.examples)
            raise BadInputError(
                f"No row could be scored: all {scored.rejected:,} were rejected, for example: {examples}"
            )
        with StageProgress(spark.sparkContext, progress, "compare with the training rows"):
            # What the data set has and this model does not ask for is no news.
            known = {*(dataset.schema.names if dataset else ()), *carried} - set(schema.names)
            read = [name for name in rows.columns if name not in known]
            expected = recipe.expectations if recipe else Expectations()
            anomalies = measure_skew(
                spark, scored.samples, model.training, schema, expected, read, scored.reasons, destination.side
            )
        destination.publish()
    finally:
        destination.discard()
    for anomaly in anomalies:
        progress.say(f"warning: {anomaly}")
    progress.say(f"{scored.written:,} predictions at {destination.uri}, {scored.rejected:,} rows rejected")
    return ScoreResult(
        destination.uri,
        scored.written + scored.rejected,
        scored.written,
        scored.rejected,
        model.version.name,
        model.version.version,
        anomalies,
    )


def _tell(run: Run, recipe: Recipe | None, result: ScoreResult, source: str | DataFrame) -> None:
    """What the scoring's run says."""
    counts = {"rows_read": result.rows_read, "rows_scored": result.rows_scored, "rows_rejected": result.rows_rejected}
    run.log_metrics(counts | {"anomalies": len(result.anomalies), "drifted_fields": len(result.drift)})
    run.log_tags({"emberline.drift": ", ".join(result.drift)})
    about = ("kind", "field", "observed", "expected", "advice")
    found = [[asdict(anomaly)[name] for name in about] for anomaly in result.anomalies]
    run.log_table(about, found, "anomalies.json")
    name = f"emberline-{recipe.dataset}" if recipe else result.model
    if isinstance(source, str):
        run.log_dataset(f"{name}-raw", source_digest(source), source, {"rows": result.rows_read}, "scored")
    where = result.predictions
    if storage.is_folder(where):
        run.log_dataset(f"{name}-predictions", source_digest(where), where, {"rows": result.rows_scored}, "written")
