"""Raw rows to predictions with a model that the executors have already, untracked."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial

from pyspark.sql import DataFrame, SparkSession

from emberline.features.errors import BadInputError
from emberline.features.validation.checks import Anomaly
from emberline.features.validation.expectations import Expectations
from emberline.pipelines.datasets import load_dataset
from emberline.pipelines.datasets.raw_source import RawSource
from emberline.pipelines.datasets.readers.tables.table_format import TableFormat
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.runtime.progress import Progress, StageProgress
from emberline.pipelines.runtime.shown import ShownAsTable
from emberline.pipelines.scoring.batch import keyed, stage_predictions
from emberline.pipelines.scoring.batch_size import batch_rows_for
from emberline.pipelines.scoring.destination import Destination
from emberline.pipelines.scoring.model import ScoringModel, require_columns
from emberline.pipelines.scoring.raw_rows import Messages, read_rows
from emberline.pipelines.scoring.skew import measure_skew
from emberline.pipelines.scoring.streaming.messages import ORIGIN


@dataclass(frozen=True, repr=False)
class ScoreResult(ShownAsTable):
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


def score_with(
    spark: SparkSession,
    recipe: Recipe | None,
    model: ScoringModel,
    source: RawSource | DataFrame | Messages,
    destination: Destination,
    *,
    keys: Sequence[str] = (),
    batch_rows: int | None = None,
    form: str | TableFormat | None = None,
    allow_none: bool = False,
    compare: bool = True,
    quiet: bool = False,
) -> ScoreResult:
    """Runs `score` with a model that the executors have already, untracked.

    Args:
        spark: As of `score`.
        recipe: As of `score`.
        model: The model.
        source: As of `score`, files listed; or messages, whose places go with their predictions.
        destination: Where the predictions go.
        keys: As of `score`.
        batch_rows: As of `score`.
        form: As of `score`.
        allow_none: Publish even if every row was rejected.
        compare: Compare the rows with those of the training.
        quiet: Say warnings alone.
    """
    progress = Progress("score")
    dataset = load_dataset(recipe.dataset) if recipe else None
    if dataset:
        require_columns(model.schema, dataset.schema, model.called)
    schema = keyed(model.schema, keys)
    by = [destination.partition_by] if destination.partition_by else []
    origin = ORIGIN if isinstance(source, Messages) else ()
    carried = list(dict.fromkeys([schema.key, *keys, *origin, *by]))
    rows = read_rows(spark, source, schema, carried, dataset, form)
    batch_rows = batch_rows or batch_rows_for(schema.fields, model.training)
    with destination.reserved() as held:
        stages: Callable[[str], AbstractContextManager[object]]
        stages = nullcontext if quiet else partial(StageProgress, spark.sparkContext, progress)
        with stages(f"score with {model.called}"):
            scored = stage_predictions(spark, model, schema, rows, carried, destination, batch_rows)
        if not scored.written and not allow_none:
            examples = "; ".join(scored.examples)
            raise BadInputError(
                f"No row could be scored: all {scored.rejected:,} were rejected, for example: {examples}"
            )
        with stages("compare with the training rows"):
            # What the data set has and this model does not ask for is no news.
            known = {*(dataset.schema.names if dataset else ()), *carried} - set(schema.names)
            read = [name for name in rows.columns if name not in known]
            expected = recipe.expectations if recipe else Expectations()
            samples = scored.samples if compare else None
            anomalies = measure_skew(
                spark, samples, model.training, schema, expected, read, scored.reasons, destination.side
            )
        destination.publish(held)
    for anomaly in anomalies:
        progress.say(f"warning: {anomaly}")
    if not quiet:
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
