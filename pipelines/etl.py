"""Raw files to one dataset version: validate, learn statistics, transform in the executors, write TFRecords."""

import hashlib
import json
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from features import storage
from features.analysis.analyze import analyze
from features.columns import arrow_schema, cardinalities, check, describe, needs, sized
from features.dataset_version import EXAMPLES, FEATURES, FORMAT, MANIFEST, REJECTED, SUCCESS, content_digest
from features.errors import BadInputError
from features.profile.page import PROFILE
from features.tfrecord.layouts import shard_name
from features.tfrecord.manifest import Shard, ShardSet
from features.validation.anomalies import require, validate
from features.validation.checks import Anomaly, SplitFacts
from features.validation.rows import RAW, REASON, SOURCE, check_rows, fault_counts
from pipelines.checked_rows import CheckedRows
from pipelines.data_report import earlier_version, profile_page
from pipelines.datasets import load_dataset
from pipelines.progress import Progress, StageProgress
from pipelines.recipe import Recipe
from pipelines.row_transform import RowTransform
from pipelines.session import settings
from pipelines.shards import SHARD_REPORT, ShardWriter, fitted
from pipelines.tracking import Tracker
from pipelines.version import code_version

SPLITS = ("train", "eval")
CHECKED = "checked"
"""Folder of the checked rows while a version is being made."""
EXAMPLE_ROWS = 5
PARQUET_ROWS = "spark.sql.parquet.columnarReaderBatchSize"
"""Rows that Spark's reader holds at a time: its 4,096 are too many where a row is an image."""
REASONS_KEPT = 20
"""Most frequent rejection reasons that the manifest lists."""


@dataclass(frozen=True)
class EtlResult:
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
) -> EtlResult:
    """Writes a dataset version; nothing appears at `output` before all of it is there.

    Args:
        spark: The session.
        recipe: Dataset, columns and preparation.
        source: URI of the raw files.
        output: URI of the new dataset version.
        overwrite: Replace a version that is already there; it stays readable until the new one is complete.
        previous: URI of the version to compare with; default: the one that is replaced.

    Raises:
        AnomalyError: if the data as a whole is not what the recipe expects; nothing is transformed then.
        BadInputError: for an input or output that cannot work; when every row of a split is rejected, with the
            commonest reasons.
    """
    if storage.exists(output) and not overwrite:
        raise BadInputError(f"The output {output!r} already exists. Pass --overwrite to replace it, or choose another.")
    progress = Progress("etl")
    dataset = load_dataset(recipe.dataset)
    columns = recipe.stored_columns
    schema = sized(columns, dataset.schema.subset({field for column in columns for field in column.fields}))
    check(columns, schema)
    earlier = earlier_version(previous, output)
    raw = {split: dataset.read(spark, source, split) for split in SPLITS}
    preparation = fitted(recipe.preparation, columns)
    pictures = any(column.stored_type == "uint8" for column in columns)
    reading = {PARQUET_ROWS: str(preparation.rows_per_block)} if pictures else {}
    # Two etl runs may aim at one output: each has a staging folder of its own.
    staging = f"{output.rstrip('/')}.staging-{uuid.uuid4().hex[:8]}"
    try:
        with StageProgress(spark.sparkContext, progress, "validate"):
            checked = {
                split: CheckedRows.write(check_rows(rows, schema, labelled=True), storage.join(staging, CHECKED, split))
                for split, rows in raw.items()
            }
            counts = {split: (rows.good_rows, rows.reasons) for split, rows in checked.items()}
            for split, (good, reasons) in counts.items():
                _require_good_rows(split, good, reasons)
            rejected = sum(sum(reasons.values()) for _, reasons in counts.values())
            for split, rows in checked.items():
                _write_rejected(rows, split, storage.join(staging, REJECTED))
        with StageProgress(spark.sparkContext, progress, "statistics"):
            statistics = analyze(checked["train"].stored, schema, staging, needs(columns))
            sizes = cardinalities(columns, statistics)
            learned = {"train": statistics, "eval": analyze(checked["eval"].stored, schema, staging)}
        facts = {
            split: SplitFacts(learned[split], sum(reasons.values()), fault_counts(reasons, schema), raw[split].columns)
            for split, (_, reasons) in counts.items()
        }
        before = earlier.statistics if earlier else None
        anomalies = validate(facts, schema, recipe.expectations, before, dataset.schema.names)
        require(anomalies)
        for anomaly in anomalies:
            progress.say(f"{anomaly.severity}: {anomaly}")
        stored_schema = arrow_schema(columns)
        stored_schema = stored_schema.append(pa.field(schema.label.name, pa.float32()))
        stored_schema = stored_schema.append(pa.field(schema.key, pa.string()))
        transform = RowTransform(schema, columns, statistics, stored_schema)
        shards = {}
        with settings(spark, reading):
            for split, rows in checked.items():
                with StageProgress(spark.sparkContext, progress, f"transform {split}"):
                    job = ShardWriter(transform, preparation, storage.join(staging, split))
                    shards[split] = _write_split(rows.good, job)
            names = [field.name for field in schema.fields]
            _write_examples(checked["train"].good.select(*names).limit(EXAMPLE_ROWS), staging)
    except BaseException:
        storage.delete(staging)
        raise
    storage.delete(storage.join(staging, CHECKED))
    features = {
        "schema": schema.to_json(),
        "columns": [describe(column) for column in columns],
        "cardinalities": sizes,
        "statistics": statistics.to_json(),
    }
    splits = {split: shard_set.to_json() for split, shard_set in shards.items()}
    synthetic = dataset.synthetic(source)
    result = EtlResult(
        dataset=output,
        digest=content_digest(features, splits),
        rows_read=sum(good + sum(reasons.values()) for good, reasons in counts.values()),
        rows_rejected=rejected,
        reasons=_commonest([reasons for _, reasons in counts.values()]),
        records={split: shard_set.rows for split, shard_set in shards.items()},
        bytes=sum(shard.bytes for shard_set in shards.values() for shard in shard_set.shards),
        synthetic=asdict(synthetic) if synthetic else None,
        anomalies=anomalies,
    )
    manifest = {
        "format": FORMAT,
        "recipe": recipe.name,
        "digest": result.digest,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "code_version": code_version(),
        "source": {"uri": source, "synthetic": result.synthetic},
        "rows_read": result.rows_read,
        "rows_rejected": result.rows_rejected,
        "reasons": result.reasons,
        "anomalies": [asdict(anomaly) for anomaly in anomalies],
        "splits": splits,
    }
    page = profile_page(schema, learned, earlier, anomalies, manifest, output)
    _publish(staging, output, features, manifest, page)
    progress.say(f"{sum(result.records.values()):,} rows written to {output}, {rejected:,} rejected")
    return result


def tracked_etl(
    spark: SparkSession,
    recipe: Recipe,
    source: str,
    output: str,
    tracker: Tracker,
    *,
    overwrite: bool = False,
    previous: str | None = None,
) -> EtlResult:
    """`etl`, recorded as a run: from which raw data it made which dataset version. The run's facts are the manifest's.

    Args:
        spark: The session.
        recipe: As of `etl`.
        source: As of `etl`.
        output: As of `etl`.
        tracker: Where the run is recorded.
        overwrite: As of `etl`.
        previous: As of `etl`.
    """
    given = {"emberline.source": source, "emberline.dataset": output}
    params = {"source": source, "output": output, "overwrite": overwrite, "previous": previous or ""}
    keep = f"{output.rstrip('/')}.undelivered"  # beside the version, which appears all at once
    with tracker.step(recipe.name, "etl", spark=spark, keep=keep, params=params, tags=given) as run:
        result = etl(spark, recipe, source, output, overwrite=overwrite, previous=previous)
        synthetic = str(bool(result.synthetic)).lower()
        run.log_tags({"emberline.dataset_digest": result.digest, "emberline.synthetic": synthetic})
        rows = {"rows_read": result.rows_read, "rows_rejected": result.rows_rejected, "bytes": result.bytes}
        run.log_metrics(rows | {f"rows_{split}": count for split, count in result.records.items()})
        name = f"emberline-{recipe.dataset}"
        run.log_dataset(f"{name}-raw", source_digest(source), source, {"rows": result.rows_read}, "raw")
        profile = {"rows": result.rows_read, "rejected": result.rows_rejected}
        run.log_dataset(name, result.digest, output, profile, "written")
        for file in (MANIFEST, FEATURES, PROFILE):
            run.log_files(storage.join(output, file))
    return result


def source_digest(source: str) -> str:
    """Tells raw data apart without reading it: SHA-256 over its location and the names and sizes of its files."""
    files = storage.list_files(source, recursive=True) if storage.is_folder(source) else []
    listed = sorted((file.uri.removeprefix(source), file.size) for file in files)
    return hashlib.sha256(json.dumps([source, listed]).encode()).hexdigest()


def _require_good_rows(split: str, good: int, reasons: dict[str, int]) -> None:
    if good:
        return
    if not reasons:
        raise BadInputError(f"The {split} split has no rows. Check that its file holds data in the documented format.")
    listed = "; ".join(f"{reason} ({count:,} rows)" for reason, count in _commonest([reasons]).items())
    raise BadInputError(
        f"All {sum(reasons.values()):,} rows of the {split} split were rejected. Commonest reasons: {listed[:1500]}"
    )


def _commonest(counts: list[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for reasons in counts:
        for reason, count in reasons.items():
            total[reason] = total.get(reason, 0) + count
    return dict(sorted(total.items(), key=lambda pair: (-pair[1], pair[0]))[:REASONS_KEPT])


def _write_rejected(rows: CheckedRows, split: str, target: str) -> None:
    if rows.bad is not None:
        columns = [F.lit(split).alias("split"), F.col(REASON), F.col(RAW).alias("raw"), F.col(SOURCE).alias("source")]
        rows.bad.select(*columns).coalesce(4).write.mode("append").parquet(target)


def _write_split(rows: DataFrame, job: ShardWriter) -> ShardSet:
    """Shuffles rows into shards and moves the finished files to their final names."""
    schema = job.transform.schema
    # By a hash of the row, not at random: a recomputed partition holds the same rows in the same order.
    order = F.xxhash64(F.col(schema.key), F.lit(job.preparation.seed))
    shuffled = rows.repartition(job.preparation.shards, order).sortWithinPartitions(order, schema.key)
    wanted = [*(field.name for field in schema.fields), schema.label.name, schema.key]
    reports = shuffled.select(*wanted).mapInArrow(job, SHARD_REPORT).collect()
    written = [json.loads(row["shard"]) for row in sorted(reports, key=lambda row: int(row["partition"]))]
    kept = [shard for shard in written if shard["rows"]]
    shards = []
    for index, shard in enumerate(kept):
        final = shard_name(index, len(kept), job.codec)
        storage.move(storage.join(job.folder, shard["path"]), storage.join(job.folder, final))
        shards.append(Shard(**{**shard, "path": final, "blocks": tuple(map(tuple, shard["blocks"]))}))
    for entry in storage.list_files(job.folder):
        if entry.uri.rpartition("/")[2].startswith("attempt-"):
            storage.delete(entry.uri)
    return ShardSet(job.transform.stored_schema, "block", job.codec, job.preparation.rows_per_block, tuple(shards))


def _write_examples(rows: DataFrame, staging: str) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(rows.toArrow(), sink)
    storage.write_bytes_atomic(storage.join(staging, EXAMPLES), sink.getvalue().to_pybytes())


def _publish(staging: str, output: str, features: dict[str, Any], manifest: dict[str, Any], page: str) -> None:
    for name, content in ((FEATURES, features), (MANIFEST, manifest)):
        storage.write_bytes_atomic(storage.join(staging, name), json.dumps(content, indent=2).encode())
    storage.write_text_atomic(storage.join(staging, PROFILE), page)
    storage.write_bytes_atomic(storage.join(staging, SUCCESS), b"")
    storage.replace_folder(staging, output)
