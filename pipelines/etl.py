"""Raw files to one dataset version: validate, learn statistics, transform in the executors, write TFRecords."""

import json
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession

from emberline.features import storage
from emberline.features.columns import arrow_schema, cardinalities, describe, needs
from emberline.features.dataset_version import (
    EXAMPLES,
    FEATURES,
    FORMAT,
    MANIFEST,
    SUCCESS,
    DatasetVersion,
    content_digest,
)
from emberline.features.names import quoted
from emberline.features.profile.page import PROFILE
from emberline.features.statistics import Statistics
from emberline.features.tfrecord.manifest import ShardSet
from emberline.features.validation.anomalies import require
from emberline.features.validation.checks import Anomaly
from emberline.pipelines.artifacts.reused_statistics import ReusedStatistics, open_reused_statistics
from emberline.pipelines.datasets.raw_source import RawSource
from emberline.pipelines.datasets.readers.tables.table_format import TableFormat
from emberline.pipelines.datasets.readers.tables.versioned.version import pinned, places
from emberline.pipelines.preparation.checked_data import CHECKED, CheckedData, check_data
from emberline.pipelines.preparation.profile import earlier_version, profile_page
from emberline.pipelines.preparation.row_transform import RowTransform
from emberline.pipelines.preparation.shard_writer import ShardWriter, fitted, write_split
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.runtime.output_folder import DATASET_VERSION, new_folder
from emberline.pipelines.runtime.progress import Progress, StageProgress
from emberline.pipelines.runtime.session import settings
from emberline.pipelines.runtime.shown import ShownAsTable
from emberline.pipelines.runtime.version import code_version
from emberline.pipelines.tracking import Tracker
from emberline.pipelines.tracking.run_facts import PROJECT, project_facts

EXAMPLE_ROWS = 5
PARQUET_ROWS = "spark.sql.parquet.columnarReaderBatchSize"
"""Rows that Spark's reader holds at a time: its 4,096 are too many where a row is an image."""


@dataclass(frozen=True, kw_only=True, repr=False)
class EtlResult(ShownAsTable):
    """What a dataset version holds.

    Args:
        dataset: Its URI.
        digest: Identifies its content.
        rows_read: Raw rows.
        rows_rejected: Rows put aside with a reason.
        reasons: The most frequent reasons with their counts.
        records: Rows written, by split.
        bytes: Bytes of the shards.
        synthetic: Facts about generated data, or None.
        anomalies: What was not as the recipe expects, none of it a reason to stop.
    """

    dataset: str
    digest: str
    rows_read: int
    rows_rejected: int
    reasons: dict[str, int]
    records: dict[str, int]
    bytes: int
    synthetic: dict[str, Any] | None
    anomalies: tuple[Anomaly, ...]


def etl(
    spark: SparkSession,
    recipe: Recipe,
    source: str,
    output: str,
    *,
    overwrite: bool = False,
    previous: str | None = None,
    reused: ReusedStatistics | None = None,
    form: TableFormat | None = None,
) -> EtlResult:
    """Writes a dataset version; nothing appears at `output` before all of it is there.

    Args:
        spark: The session.
        recipe: Dataset, columns and preparation.
        source: URI of the raw files, or the address of a table; of one with versions, the newest is read unless the
            address says which, and the manifest names it.
        output: URI of the new dataset version.
        overwrite: Replace a version that is already there; it stays readable until the new one is complete.
        previous: URI of the version to compare with; default: the one that is replaced.
        reused: Statistics to transform with, instead of those of these rows: ids and numbers mean what they meant.
        form: How the raw files are written, where the data set does not say it.

    Raises:
        AnomalyError: if the data as a whole is not what the recipe expects; nothing is transformed then.
        BadInputError: for an input or output that cannot work, such as an output that holds the input; when every row
            of a split is rejected, with the commonest reasons.
        OutputBusyError: if another process writes the output.
    """
    progress = Progress("etl")
    source = pinned(spark, source)
    reads = {**places(spark, source), "--statistics-of": reused.uri if reused else None}
    with new_folder(output, DATASET_VERSION, overwrite=overwrite, reads=reads, replaces=previous) as made:
        staging, earlier = made.staging, earlier_version(previous, output)
        checked = check_data(spark, recipe, source, staging, progress, form)
        checked.require_good_rows()
        facts = _learn(spark, recipe, checked, staging, earlier, reused, progress)
        shards = _transform(spark, recipe, checked, facts.statistics, staging, progress)
        storage.delete(storage.join(staging, CHECKED))
        features = {
            "schema": checked.schema.to_json(),
            "columns": [describe(column) for column in recipe.stored_columns],
            "cardinalities": facts.cardinalities,
            "statistics": facts.statistics.to_json(),
        }
        result = _describe(output, source, checked, facts, shards, features)
        manifest = _manifest(recipe, source, result, shards, reused, form)
        page = profile_page(checked.schema, facts.learned, earlier, facts.anomalies, manifest, output)
        _complete(staging, features, manifest, page)
        made.publish()
    progress.say(f"{sum(result.records.values()):,} rows written to {output}, {result.rows_rejected:,} rejected")
    return result


@dataclass(frozen=True, kw_only=True)
class _Facts:
    """What was learned of the checked rows.

    Args:
        learned: Statistics by split.
        statistics: Those that columns transform with.
        cardinalities: Number of ids by column.
        anomalies: What is not as the recipe expects.
    """

    learned: dict[str, Statistics]
    statistics: Statistics
    cardinalities: dict[str, int]
    anomalies: tuple[Anomaly, ...]


def _learn(
    spark: SparkSession,
    recipe: Recipe,
    checked: CheckedData,
    staging: str,
    earlier: DatasetVersion | None,
    reused: ReusedStatistics | None,
    progress: Progress,
) -> _Facts:
    """Statistics of the good rows, and what is odd about them.

    Raises:
        AnomalyError: if anything of that is a reason to stop.
    """
    columns = recipe.stored_columns
    with StageProgress(spark.sparkContext, progress, "statistics"):
        learned = checked.learn(staging, () if reused else needs(columns))
        statistics = reused.place(staging) if reused else learned["train"]
        sizes = cardinalities(columns, statistics)
    anomalies = checked.anomalies(learned, recipe, earlier)
    require(anomalies)
    for anomaly in anomalies:
        progress.say(f"{anomaly.severity}: {anomaly}")
    return _Facts(learned=learned, statistics=statistics, cardinalities=sizes, anomalies=anomalies)


def _transform(
    spark: SparkSession,
    recipe: Recipe,
    checked: CheckedData,
    statistics: Statistics,
    staging: str,
    progress: Progress,
) -> dict[str, ShardSet]:
    """Good rows to shards in the staging folder, by split, and some of them raw beside these."""
    schema, columns = checked.schema, recipe.stored_columns
    preparation = fitted(recipe.preparation, columns)
    stored_schema = arrow_schema(columns)
    for label in schema.labels:
        stored_schema = stored_schema.append(pa.field(label.name, pa.float32()))
    stored_schema = stored_schema.append(pa.field(schema.key, pa.string()))
    transform = RowTransform(schema, columns, statistics, stored_schema)
    pictures = any(column.stored_type == "uint8" for column in columns)
    shards = {}
    with settings(spark, {PARQUET_ROWS: str(preparation.rows_per_block)} if pictures else {}):
        for split, rows in checked.splits.items():
            with StageProgress(spark.sparkContext, progress, f"transform {split}"):
                job = ShardWriter(transform, preparation, storage.join(staging, split))
                shards[split] = write_split(rows.good, job)
        names = [field.name for field in schema.fields]
        _write_examples(checked.splits["train"].good.select(*map(quoted, names)).limit(EXAMPLE_ROWS), staging)
    return shards


def _describe(
    output: str,
    source: str,
    checked: CheckedData,
    facts: _Facts,
    shards: Mapping[str, ShardSet],
    features: Mapping[str, Any],
) -> EtlResult:
    """What the dataset version holds."""
    synthetic = checked.dataset.synthetic(source)
    return EtlResult(
        dataset=output,
        digest=content_digest(features, {split: shard_set.to_json() for split, shard_set in shards.items()}),
        rows_read=checked.rows_read,
        rows_rejected=checked.rows_rejected,
        reasons=checked.reasons,
        records={split: shard_set.rows for split, shard_set in shards.items()},
        bytes=sum(shard.bytes for shard_set in shards.values() for shard in shard_set.shards),
        synthetic=asdict(synthetic) if synthetic else None,
        anomalies=facts.anomalies,
    )


def _manifest(
    recipe: Recipe,
    source: str,
    result: EtlResult,
    shards: Mapping[str, ShardSet],
    reused: ReusedStatistics | None,
    form: TableFormat | None,
) -> dict[str, Any]:
    """How it was made, and its files."""
    said = {"format": form.to_json()} if form and form != TableFormat() else {}
    return {
        "format": FORMAT,
        "recipe": recipe.name,
        "digest": result.digest,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "code_version": code_version(),
        "project": project_facts().get(PROJECT, ""),
        "source": {"uri": source, "synthetic": result.synthetic} | said,
        "statistics_of": reused.name if reused else None,
        "rows_read": result.rows_read,
        "rows_rejected": result.rows_rejected,
        "reasons": result.reasons,
        "anomalies": [asdict(anomaly) for anomaly in result.anomalies],
        "splits": {split: shard_set.to_json() for split, shard_set in shards.items()},
    }


def tracked_etl(
    spark: SparkSession,
    recipe: Recipe,
    source: str,
    output: str,
    tracker: Tracker,
    *,
    overwrite: bool = False,
    previous: str | None = None,
    statistics_of: str | None = None,
    form: TableFormat | None = None,
) -> EtlResult:
    """Runs `etl`, recorded as a run of raw data and the dataset version made of it. The run's facts are the manifest's.

    Args:
        spark: The session.
        recipe: As of `etl`.
        source: As of `etl`.
        output: As of `etl`.
        tracker: Where the run is recorded.
        overwrite: As of `etl`.
        previous: As of `etl`.
        statistics_of: URI of a model, a training or a dataset version whose statistics are taken over.
        form: As of `etl`.
    """
    source = pinned(spark, source)
    raw = RawSource.at(source)
    given = {"emberline.source": source, "emberline.dataset": output}
    params = {"source": source, "output": output, "overwrite": overwrite, "previous": previous or ""}
    params |= {"statistics_of": statistics_of or ""}
    keep = f"{output.rstrip('/')}.undelivered"  # beside the version, which appears all at once
    with tracker.step(recipe.name, "etl", spark=spark, keep=keep, params=params, tags=given) as run:
        taken = open_reused_statistics(tracker, statistics_of, recipe) if statistics_of else nullcontext()
        with taken as reused:
            result = etl(
                spark, recipe, source, output, overwrite=overwrite, previous=previous, reused=reused, form=form
            )
        if reused:
            run.log_tags({"emberline.statistics_of": reused.name})
        synthetic = str(bool(result.synthetic)).lower()
        run.log_tags({"emberline.dataset_digest": result.digest, "emberline.synthetic": synthetic})
        rows = {"rows_read": result.rows_read, "rows_rejected": result.rows_rejected, "bytes": result.bytes}
        run.log_metrics(rows | {f"rows_{split}": count for split, count in result.records.items()})
        name = f"emberline-{recipe.dataset_name}"
        run.log_dataset(f"{name}-raw", raw.digest, source, {"rows": result.rows_read}, "raw")
        profile = {"rows": result.rows_read, "rejected": result.rows_rejected}
        run.log_dataset(name, result.digest, output, profile, "written")
        for file in (MANIFEST, FEATURES, PROFILE):
            run.log_files(storage.join(output, file))
    return result


def _write_examples(rows: DataFrame, staging: str) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(rows.toArrow(), sink)
    storage.write_bytes_atomic(storage.join(staging, EXAMPLES), sink.getvalue().to_pybytes())


def _complete(staging: str, features: dict[str, Any], manifest: dict[str, Any], page: str) -> None:
    for name, content in ((FEATURES, features), (MANIFEST, manifest)):
        storage.write_bytes_atomic(storage.join(staging, name), json.dumps(content, indent=2).encode())
    storage.write_text_atomic(storage.join(staging, PROFILE), page)
    storage.write_bytes_atomic(storage.join(staging, SUCCESS), b"")
