"""Raw rows to predictions: a registered model in executors, Arrow in and out, published all at once."""

from collections.abc import Sequence
from dataclasses import asdict

from pyspark.sql import DataFrame, SparkSession

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.pipelines.datasets.raw_source import RawSource, folders_read
from emberline.pipelines.datasets.readers.tables.table_format import TableFormat
from emberline.pipelines.datasets.readers.tables.versioned.version import pinned, places
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.runtime.output_folder import require_apart
from emberline.pipelines.scoring.destination import Destination
from emberline.pipelines.scoring.model import open_model
from emberline.pipelines.scoring.output_table import require_writable, write_table
from emberline.pipelines.scoring.score_rows import ScoreResult, score_with
from emberline.pipelines.tracking import Run, Tracker
from emberline.pipelines.tracking.delivery import SHARED


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
    form: str | TableFormat | None = None,
    output_table: str = "",
) -> ScoreResult:
    """Scores everything at `source`.

    Args:
        spark: The session.
        recipe: Names the data set, whose reader the raw rows go through, and what is expected of them. Without one,
            `source` is a DataFrame, a table whose files say what they are, or one of `form`.
        model: `models:/NAME@alias`, `models:/NAME/VERSION` or `runs:/ID/model`.
        source: Raw rows by column name: a DataFrame, the address of a table, or the URI of one, or of files of the data
            set's own format.
        output: URI of the predictions.
        tracker: The registry; each scoring has a run of its own.
        overwrite: Replace predictions that are already there.
        layout: Of the predictions: `parquet`, `tfrecord`, or `delta` where the session has it.
        partition_by: A column of the rows that divides the predictions into folders. Those of the values that come
            are replaced, all others stay, and `overwrite` is not asked for.
        keys: Columns that stay with a prediction, instead of the data set's key.
        batch_rows: Rows that the model takes at a time; by default what fills some 16 MiB.
        form: How `source` is written, where the data set does not say it; or the name of one of Spark's formats.
        output_table: Table of the session's catalogs that takes the predictions too, once all are at `output`.

    Raises:
        BadInputError: if there is no such model, or it does not fit the rows; if every row is rejected; if the output
            overlaps with the source, or is something else than predictions.
        OutputBusyError: if another process writes the output.
    """
    source = pinned(spark, source) if isinstance(source, str) else source
    destination = Destination(spark, output, layout, partition_by, overwrite)
    require_apart(output, places(spark, source) if isinstance(source, str) else folders_read(source))
    destination.require_free()
    if output_table:
        require_writable(spark, output_table, partition_by, overwrite)
    if batch_rows is not None and batch_rows < 1:
        raise BadInputError(f"A batch has one row at least, got {batch_rows}.")
    opened = open_model(spark, tracker, model)
    name = recipe.name if recipe else opened.version.name
    where = source if isinstance(source, str) else "a DataFrame"
    given = {"model": model, "source": where, "output": output, "layout": layout, "partition_by": partition_by or ""}
    tags = {
        "emberline.source": where,
        "emberline.model": f"{opened.version.name}/{opened.version.version}",
        "emberline.training_run": opened.version.run_id,
        "emberline.predictions": output,
    }
    if partition_by:
        tags[SHARED] = "true"
    # What MLflow does not take is kept beside the predictions: a folder of theirs may be replaced.
    keep = f"{output.rstrip('/')}.undelivered"
    raw = RawSource.at(source) if isinstance(source, str) else source
    with tracker.step(name, "score", spark=spark, keep=keep, params=given, tags=tags) as run:
        result = score_with(spark, recipe, opened, raw, destination, keys=keys, batch_rows=batch_rows, form=form)
        if output_table:
            write_table(spark, spark.read.format(layout).load(output), output_table, partition_by)
            run.log_tags({"emberline.predictions_table": output_table})
        _tell(run, recipe, result, raw)
    return result


def _tell(run: Run, recipe: Recipe | None, result: ScoreResult, raw: RawSource | DataFrame) -> None:
    """What the scoring's run says."""
    counts = {"rows_read": result.rows_read, "rows_scored": result.rows_scored, "rows_rejected": result.rows_rejected}
    run.log_metrics(counts | {"anomalies": len(result.anomalies), "drifted_fields": len(result.drift)})
    run.log_tags({"emberline.drift": ", ".join(result.drift)})
    about = ("kind", "field", "observed", "expected", "advice")
    found = [[asdict(anomaly)[name] for name in about] for anomaly in result.anomalies]
    run.log_table(about, found, "anomalies.json")
    name = f"emberline-{recipe.dataset_name}" if recipe else result.model
    if isinstance(raw, RawSource):
        run.log_dataset(f"{name}-raw", raw.digest, raw.uri, {"rows": result.rows_read}, "scored")
    where = result.predictions
    if storage.is_folder(where):
        run.log_dataset(
            f"{name}-predictions", RawSource.at(where).digest, where, {"rows": result.rows_scored}, "written"
        )
