"""Scoring a stream: every micro-batch becomes one partition of the predictions, which a repeated batch replaces."""

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery

from emberline.pipelines.recipe import Recipe
from emberline.pipelines.scoring.destination import Destination
from emberline.pipelines.scoring.model import ScoringModel, open_model
from emberline.pipelines.scoring.score_rows import score_with
from emberline.pipelines.tracking import Tracker

BATCH = "batch"
"""Column that tells micro-batches apart."""


def score_stream(
    rows: DataFrame,
    recipe: Recipe | None,
    model: str,
    output: str,
    checkpoint: str,
    tracker: Tracker,
    *,
    layout: str = "parquet",
    keys: Sequence[str] = (),
    batch_rows: int | None = None,
    available_now: bool = False,
) -> StreamingQuery:
    """Starts to score a stream, every row exactly once.

    Spark numbers micro-batches and repeats an unfinished one under its number. Its predictions are published by one
    rename into `output/batch=NUMBER`, in the place of what an earlier try may have left.

    Args:
        rows: A streaming DataFrame of raw rows by column name.
        recipe: What is expected of the rows; see `score`.
        model: As of `score`. An alias is looked up for every batch, so that a new champion takes over.
        output: URI of the predictions.
        checkpoint: URI of the folder in which Spark notes how far it has come.
        tracker: The registry.
        layout: As of `score`.
        keys: As of `score`.
        batch_rows: As of `score`.
        available_now: Score what is there and end, instead of waiting for more.

    Returns:
        The running query.
    """
    opened: list[ScoringModel] = []

    def score_batch(batch: DataFrame, number: int) -> None:
        session = batch.sparkSession
        if not opened or tracker.find(model) != opened[0].version:
            opened[:] = [open_model(session, tracker, model)]
        # As many digits as keep the folders in order.
        numbered = batch.withColumn(BATCH, F.lit(f"{number:09d}"))
        destination = Destination(session, output, layout, BATCH)
        score_with(session, recipe, opened[0], numbered, destination, keys=keys, batch_rows=batch_rows, allow_none=True)

    writer = rows.writeStream.foreachBatch(score_batch).option("checkpointLocation", checkpoint)
    return (writer.trigger(availableNow=True) if available_now else writer).start()
