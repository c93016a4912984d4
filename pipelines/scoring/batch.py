"""One pass over rows to score: those that are good for sure at once, the doubtful ones after a closer look."""

import dataclasses
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_type
from pyspark.sql.types import DataType, IntegerType, StringType, StructField, StructType, TimestampType

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.features.names import quoted
from emberline.features.schema import Schema
from emberline.features.validation.rows import RAW, REASON, SOURCE, check_rows, masked_reason, reason_of
from emberline.pipelines.runtime.session import settings
from emberline.pipelines.saved_model.executors import SPARK_TYPES
from emberline.pipelines.scoring.batch_size import sample_rows_for
from emberline.pipelines.scoring.destination import COLUMNS, Destination
from emberline.pipelines.scoring.model import ScoringModel
from emberline.pipelines.scoring.prediction_files import WRITTEN, FileWriter, file_schema, names_folders
from emberline.pipelines.scoring.raw_rows import RawRows, set_aside
from emberline.pipelines.scoring.scorer import OfBatches, OfFiles, Scorer
from emberline.pipelines.scoring.side_files import ASIDE, Samples
from emberline.pipelines.scoring.streaming.messages import MESSAGE, ORIGIN

ADDED = tuple(map(StructField, COLUMNS, (IntegerType(), TimestampType())))

SHARES = 8
"""Every task may add so large a part of the sample, however many tasks there are: some of them may have few rows."""

BATCH_CONF = "spark.sql.execution.arrow.maxRecordsPerBatch"


@dataclass(frozen=True)
class Scored:
    """What became of the rows.

    Args:
        written: Predictions staged.
        reasons: Rejected rows by reason, values struck out.
        examples: Some reasons as they are.
        samples: Some of the rows that were scored.
    """

    written: int
    reasons: dict[str, int]
    examples: tuple[str, ...]
    samples: Samples | None

    @property
    def rejected(self) -> int:
        """Rows put aside."""
        return sum(self.reasons.values())


def stage_predictions(
    spark: SparkSession,
    model: ScoringModel,
    schema: Schema,
    rows: RawRows,
    carried: Sequence[str],
    destination: Destination,
    batch_rows: int,
) -> Scored:
    """Scores all rows into the destination's staging folder.

    Args:
        spark: The session.
        model: The model.
        schema: Its fields, with the key of these rows.
        rows: The rows.
        carried: Columns that go with a prediction: the key first, the one that partitions last.
        destination: Takes predictions and rejected rows.
        batch_rows: Rows that the model takes at a time.

    Raises:
        BadInputError: if a column to keep is called like one of a prediction.
    """
    taken = {column.name for column in model.predicted} | {item.name for item in ADDED}
    if collides := sorted(taken & set(carried)):
        raise BadInputError(
            f"The rows' {' and '.join(collides)} would collide with the column of that name in predictions. Rename it."
        )
    kept = [
        StructField(name, StringType() if name == schema.key else kind)
        for name, kind in zip(carried, rows.types(carried), strict=True)
    ]
    if not rows.typed:
        # A field that is carried as well is carried as its type.
        kinds = {field.name: _spark_type(field.spark_type) for field in schema.fields}
        kept = [StructField(item.name, kinds.get(item.name, item.dataType)) for item in kept]
    job = _Job(spark, model, schema, tuple(kept), destination, batch_rows)
    side = destination.side
    written = job.run(rows, side)
    bad = storage.join(side, ASIDE)
    if rows.typed and storage.exists(bad):
        side = storage.join(side, "checked")
        written += job.run((rows.again or set_aside)(spark.read.parquet(bad), schema), side)
        bad = storage.join(side, ASIDE)
    samples = Samples.of(destination.side, job.sampled) or Samples.of(side, job.sampled)
    if not storage.exists(bad):
        return Scored(written, {}, (), samples)
    rejected = spark.read.parquet(bad)
    by = [destination.partition_by] if destination.partition_by else []
    verdict = reason_of(rejected.columns)
    shown = [
        F.col(verdict).alias(REASON),
        F.col(RAW).alias("raw"),
        F.col(SOURCE).alias("source"),
        *(F.col(quoted(name)) for name in by),
    ]
    destination.stage_rejected(rejected.select(*shown))
    reasons = {row[0]: int(row[1]) for row in rejected.groupBy(masked_reason(verdict)).count().collect()}
    return Scored(written, reasons, tuple(row[0] for row in rejected.select(verdict).limit(3).collect()), samples)


@dataclass(frozen=True)
class _Job:
    spark: SparkSession
    model: ScoringModel
    schema: Schema
    kept: tuple[StructField, ...]
    destination: Destination
    batch_rows: int

    @property
    def sampled(self) -> int:
        """Rows to compare with the training's."""
        return sample_rows_for(self.schema.fields, self.model.training)

    def run(self, rows: RawRows, side: str) -> int:
        """Stages the predictions of these rows; returns how many there are."""
        score = Scorer(
            schema=self.schema,
            predicted=self.model.predicted,
            archive=self.model.archive,
            carried=tuple((item.name, to_arrow_type(item.dataType, timezone="UTC")) for item in self.kept),
            checked=not rows.typed,
            batch_rows=self.batch_rows,
            side=side,
            messages=rows.messages,
            sampled=-(-self.sampled // min(SHARES, len(rows.splits) or self.spark.sparkContext.defaultParallelism)),
        )
        with settings(self.spark, {BATCH_CONF: str(self.batch_rows)}):
            return self._stage(*self._plan(rows, score))

    def _stage(self, given: DataFrame, step: OfFiles | OfBatches) -> int:
        predicted = [StructField(item.name, _spark_type(SPARK_TYPES[item.type])) for item in self.model.predicted]
        answer, by = StructType([*self.kept, *predicted]), self.destination.partition_by
        values = (self.model.version.version or None, datetime.now(UTC))
        if self.destination.layout == "parquet" and (by is None or names_folders(answer[by].dataType)):
            inside = StructType([item for item in (*answer, *ADDED) if item.name != by])
            added = tuple(zip((item.name for item in ADDED), values, strict=True))
            write = FileWriter(step, self.destination.attempts, file_schema(inside, self.spark.version), added, by)
            files = given.mapInArrow(write, WRITTEN).collect()
            self.destination.stage_files(file["file"] for file in files)
            return sum(file["rows"] for file in files)
        constant = {item.name: F.lit(value).cast(item.dataType) for item, value in zip(ADDED, values, strict=True)}
        counted = Observation(f"scored-{uuid.uuid4().hex[:8]}")
        scored = given.mapInArrow(step, answer).observe(counted, F.count(F.lit(1)).alias("rows"))
        self.destination.stage(scored.withColumns(constant))
        return int(counted.get["rows"])

    def _plan(self, rows: RawRows, score: Scorer) -> tuple[DataFrame, OfFiles | OfBatches]:
        """What Spark sends to the tasks, and what they make of it."""
        carried = [item.name for item in self.kept]
        fields = [field.name for field in self.schema.fields]
        names = [*carried, *(name for name in fields if name not in carried)]
        if rows.splits:
            tasks = self.spark.range(0, len(rows.splits), 1, len(rows.splits))
            return tasks, OfFiles(tuple(names), rows.splits, score)
        frame = rows.frame
        if rows.messages:
            names = [*carried, *(name for name in (*ORIGIN, MESSAGE) if name not in carried)]
        elif not rows.typed:
            others = [name for name in carried if name != self.schema.key and name not in fields]
            frame = check_rows(frame, self.schema, labelled=False, carried=others)
            verdict = reason_of(frame.columns)
            bad = F.col(verdict).isNotNull()
            # Only bad rows are shown as they came: the others would carry their bytes for nothing.
            frame = frame.withColumns({name: F.when(bad, F.col(name)) for name in (RAW, SOURCE)})
            names += [RAW, SOURCE, verdict]
        kinds = {item.name: item.dataType for item in self.kept}
        chosen = [F.col(quoted(name)).cast(kinds[name]) if name in kinds else F.col(quoted(name)) for name in names]
        numbered = frame.select(*(column.alias(f"c{index}") for index, column in enumerate(chosen)))
        return numbered, OfBatches(tuple(names), score)


def _spark_type(text: str) -> DataType:
    return DataType.fromDDL(text)


def keyed(schema: Schema, keys: Sequence[str]) -> Schema:
    """Returns the schema with the first of `keys` as its key, if there are any.

    Raises:
        BadInputError: if that is a field as well, which has to be typed where a key is a text.
    """
    if keys and keys[0] in {field.name for field in schema.fields}:
        raise BadInputError(f"The first key, {keys[0]!r}, is a field of the model. Name another first, or copy it.")
    return dataclasses.replace(schema, key=keys[0]) if keys else schema
