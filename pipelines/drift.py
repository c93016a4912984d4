"""How far raw rows have moved from those that a model was trained on, field by field."""

import dataclasses
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from emberline.features.analysis.analyze import analyze
from emberline.features.errors import BadInputError
from emberline.features.names import quoted
from emberline.features.schema import Schema
from emberline.features.statistics import Statistics
from emberline.features.validation.anomalies import scoring_skew
from emberline.features.validation.checks import Anomaly, SplitFacts, field_distances
from emberline.features.validation.expectations import Expectations
from emberline.features.validation.rows import check_rows, fault_counts, masked_reason, reason_of
from emberline.pipelines.artifacts.model_files import model_files
from emberline.pipelines.datasets import load_dataset
from emberline.pipelines.datasets.raw_source import RawSource
from emberline.pipelines.datasets.readers.tables.table_format import TableFormat
from emberline.pipelines.datasets.readers.tables.versioned.version import pinned
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.runtime.progress import Progress, StageProgress
from emberline.pipelines.scoring.batch_size import sample_rows_for
from emberline.pipelines.scoring.model import require_columns
from emberline.pipelines.scoring.raw_rows import read_rows
from emberline.pipelines.tracking import Tracker

HASHES = 1 << 40
"""A row is in the sample if the hash of its key, of so many, is small."""


@dataclass(frozen=True)
class FieldDrift:
    """One field.

    Args:
        field: Its name.
        measure: `L-infinity` or `Jensen-Shannon`.
        distance: From 0, the same, to 1, nothing in common.
        limit: What the recipe's expectations allow (`skew`).
        drifted: Whether it is further than that.
        where: What moved most.
    """

    field: str
    measure: str
    distance: float
    limit: float
    drifted: bool
    where: str


@dataclass(frozen=True)
class DriftResult:
    """How rows compare with those a model was trained on.

    Args:
        model: `models:/NAME/VERSION`, or the URI of its training.
        drifted: Whether any field moved further than its limit.
        drifted_fields: Those that did.
        fields: All fields that can be compared, the furthest first.
        rows: Rows that were compared: a sample where there are more.
        rows_rejected: Rows of the sample that the schema refuses.
        anomalies: Whatever else is unusual about the rows.
    """

    model: str
    drifted: bool
    drifted_fields: tuple[str, ...]
    fields: tuple[FieldDrift, ...]
    rows: int
    rows_rejected: int
    anomalies: tuple[Anomaly, ...]


def measure_drift(
    spark: SparkSession, recipe: Recipe, model: str, source: str, tracker: Tracker, form: TableFormat | None = None
) -> DriftResult:
    """Compares a sample of raw rows with the statistics that travel with a model.

    Args:
        spark: The session.
        recipe: Names the data set, whose reader the rows go through, and the limits.
        model: `models:/NAME@alias`, `models:/NAME/VERSION`, `runs:/ID/model`, or the URI of a training.
        source: URI of raw rows: Parquet, or files of the data set's own format; or the address of a table.
        tracker: The registry; a run of its own tells what was found.
        form: How the raw files are written, where the data set does not say it.

    Raises:
        BadInputError: if there is no such model, it does not fit the rows, or no row is good.
    """
    progress, source = Progress("drift"), pinned(spark, source)
    with model_files(tracker, model) as files:
        name, training, schema = files.name, files.statistics, Schema.from_json(files.features["schema"])
    about = {"emberline.source": source, "emberline.model": name.removeprefix("models:/")}
    with tracker.step(recipe.name, "drift", spark=spark, params={"model": model, "source": source}, tags=about) as run:
        facts = _facts(spark, recipe, schema, training, name, source, progress, form)
        result = _compared(name, training, facts, schema, recipe.expectations)
        run.log_metrics({"drifted_fields": len(result.drifted_fields), "rows": result.rows})
        run.log_metrics({f"distance/{one.field}": one.distance for one in result.fields})
        run.log_tags({"emberline.drift": ", ".join(result.drifted_fields)})
        columns = [item.name for item in dataclasses.fields(FieldDrift)]
        run.log_table(columns, [list(asdict(one).values()) for one in result.fields], "drift.json")
    for text in table(result.fields):
        progress.say(text)
    progress.say(f"{len(result.drifted_fields)} of {len(result.fields)} fields drifted, by {result.rows:,} rows")
    return result


def table(fields: Sequence[FieldDrift]) -> list[str]:
    """Returns the fields for people, one a line."""
    return [
        f"{'DRIFT' if one.drifted else 'ok':<5}  {one.field:<24} {one.measure:<14} {one.distance:.4f} of {one.limit:g}"
        f"  {one.where}".rstrip()
        for one in fields
    ]


def _facts(
    spark: SparkSession,
    recipe: Recipe,
    schema: Schema,
    training: Statistics,
    model: str,
    source: str,
    progress: Progress,
    form: TableFormat | None,
) -> SplitFacts:
    """What is known of a sample of the rows."""
    dataset = load_dataset(recipe.dataset)
    require_columns(schema, dataset.schema, model)
    rows = read_rows(spark, RawSource.at(source), schema, [schema.key], dataset, form)
    # What the data set has and this model does not ask for is no news.
    known = {*dataset.schema.names, schema.key} - set(schema.names)
    with StageProgress(spark.sparkContext, progress, "look at a sample"):
        total = rows.frame.count()
        # By a hash of the key: the same rows each time, wherever they lie.
        share = HASHES * sample_rows_for(schema.fields, training) // max(total, 1)
        chosen = F.pmod(F.xxhash64(F.col(quoted(schema.key))), F.lit(HASHES)) < share
        checked = check_rows(rows.frame.where(chosen), schema, labelled=False).persist()
        verdict = reason_of(checked.columns)
        try:
            bad = checked.where(F.col(verdict).isNotNull())
            reasons = {row[0]: int(row[1]) for row in bad.groupBy(masked_reason(verdict)).count().collect()}
            with tempfile.TemporaryDirectory() as unused:  # no vocabulary is learned, which would be written
                statistics = analyze(checked.where(F.col(verdict).isNull()), schema, unused)
        finally:
            checked.unpersist()
    if not statistics.rows:
        raise BadInputError(f"No row of {source!r} is good: {total:,} were read. {'; '.join(list(reasons)[:3])}")
    read = [name for name in rows.columns if name not in known]
    return SplitFacts(statistics, sum(reasons.values()), fault_counts(reasons, schema), read)


def _compared(
    model: str, training: Statistics, facts: SplitFacts, schema: Schema, expectations: Expectations
) -> DriftResult:
    fields = []
    for name, moved in field_distances(schema, training, facts.statistics).items():
        limit = expectations.of(name).skew
        fields.append(FieldDrift(name, moved.measure, moved.value, limit, moved.value > limit, moved.where))
    fields.sort(key=lambda one: -one.distance / (one.limit or 1))
    drifted = tuple(one.field for one in fields if one.drifted)
    found = scoring_skew(training, facts, schema, dataclasses.replace(expectations, stop=()))
    others = tuple(anomaly for anomaly in found if anomaly.kind != "skew")
    rows = facts.statistics.rows
    return DriftResult(model, bool(drifted), drifted, tuple(fields), rows, facts.rejected, others)
