"""The present champion on the rows that a candidate was judged by: only then can the two be compared."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from emberline.features.dataset_version import DatasetVersion
from emberline.features.errors import BadInputError
from emberline.features.named_columns import map_in_arrow
from emberline.features.names import quoted
from emberline.features.schema import Schema
from emberline.features.validation.rows import check_rows, reason_of
from emberline.pipelines.datasets import load_dataset
from emberline.pipelines.datasets.source_format import read_source
from emberline.pipelines.evaluation.result import open_evaluation
from emberline.pipelines.evaluation.slices import Slices, with_slices
from emberline.pipelines.metrics.grouped import ALL
from emberline.pipelines.promotion.gate import JudgedMetrics
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.saved_model.executors import arrow_arrays, load, spark_columns, task_threads
from emberline.pipelines.scoring.model import open_model, require_columns
from emberline.pipelines.tasks import task_of
from emberline.pipelines.tasks.task import PredictionColumn
from emberline.pipelines.tracking import ModelVersion, Tracker


def champion_on(
    spark: SparkSession, tracker: Tracker, champion: ModelVersion, recipe: Recipe, version: DatasetVersion
) -> JudgedMetrics:
    """Returns how good the champion is on the held-out rows of a dataset version.

    Metrics of an evaluation on the same version are reused. Otherwise the raw held-out rows are read again, and the
    champion scores them as it would score any: raw columns through its own transform.

    Args:
        spark: The session.
        tracker: The registry.
        champion: The present champion.
        recipe: Names the data set.
        version: The candidate's.

    Raises:
        BadInputError: if the champion cannot read these rows, or the raw files are not those of the version any more.
    """
    if champion.tags.get("emberline.dataset_digest") == version.digest:
        with suppress(BadInputError):  # its training's folder is gone
            evaluated = open_evaluation(champion.tags["emberline.training"])
            return JudgedMetrics(evaluated.metrics, evaluated.slices)
    dataset = load_dataset(recipe.dataset)
    model = open_model(spark, tracker, f"models:/{champion.name}/{champion.version}")
    require_columns(model.schema, dataset.schema, model.called)
    fields = {field.name for field in (*version.schema.fields, *model.schema.fields)}
    schema = dataset.schema.subset(fields).with_images_of(model.schema)
    raw = read_source(spark, dataset, version.manifest["source"], "eval")
    checked = check_rows(raw, schema, labelled=True)
    good = checked.where(F.col(reason_of(checked.columns)).isNull())
    task, labels = task_of(schema, recipe=recipe), tuple(label.name for label in schema.labels)
    truths = ", ".join(f"{quoted(label)} float" for label in labels)
    columns = f"{quoted(schema.key)} string, {truths}, {spark_columns(model.predicted)}"
    job = _LabelledScorer(model.schema, schema.key, labels, model.predicted, model.archive)
    scored = map_in_arrow(good, list(dict.fromkeys(schema.names)), job, columns)
    if recipe.evaluation.slices:
        scored = with_slices(spark, scored, recipe, version)
    scored.persist()
    try:
        slices = Slices.of(scored)
        found = task.evaluate(slices.grouped(scored), labels[0], recipe.evaluation.threshold)
    finally:
        scored.unpersist()
    metrics, rows = found[ALL].metrics, version.split("eval").rows
    if metrics["rows"] != rows:
        source = version.manifest["source"]["uri"]
        read = f"{metrics['rows']:,.0f}"
        raise BadInputError(
            f"{model.called} can read {read} held-out rows at {source!r}, and the candidate had {rows:,}"
        )
    return JudgedMetrics(metrics, slices.table(found))


@dataclass(frozen=True)
class _LabelledScorer:
    """Runs in an executor: checked raw rows with their label in, key, label and prediction out."""

    schema: Schema
    key: str
    labels: tuple[str, ...]
    columns: tuple[PredictionColumn, ...]
    archive: str

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        _, spec, score = load(self.archive, ("serving_default",), task_threads())
        from emberline.features.tensors import raw_tensors

        inputs = self.schema.subset(set(spec))
        for batch in batches:
            scored = arrow_arrays(score(raw_tensors(batch, inputs)), self.columns)
            truths = [batch.column(label).cast(pa.float32()) for label in self.labels]
            names = [self.key, *self.labels, *(column.name for column in self.columns)]
            yield pa.RecordBatch.from_arrays([batch.column(self.key).cast(pa.string()), *truths, *scored], names=names)
