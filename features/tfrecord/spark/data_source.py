"""`spark.read/write.format("tfrecord")`: the Spark data source, without a jar.

`register(spark)` makes the format known to a session. Users' guide: docs/tfrecord.md. This module only connects
Spark's Python Data Source API with the modules that do the work: `locations`, `partitions` and `inference` plan a read,
`shard_reader` does it; `shard_writer` writes, `commit` and `stream_commit` publish. `pushdown` and `save_modes` add
what the API of Spark 4.3 leaves out.
"""

import logging
import sys
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark import TaskContext
from pyspark.sql import types as T
from pyspark.sql.datasource import (
    DataSource,
    DataSourceArrowWriter,
    DataSourceReader,
    DataSourceStreamArrowWriter,
    InputPartition,
    WriterCommitMessage,
)
from pyspark.sql.pandas.types import to_arrow_schema

from emberline.features.errors import nearest
from emberline.features.tfrecord.spark.commit import Job, check_target
from emberline.features.tfrecord.spark.inference import infer_schema
from emberline.features.tfrecord.spark.locations import absolute, find_files
from emberline.features.tfrecord.spark.options import (
    ReadOptions,
    TFRecordOptionError,
    WriteOptions,
    read_options,
    read_paths,
    write_options,
)
from emberline.features.tfrecord.spark.partitions import DataFile, cast_value, partition_schema, prune
from emberline.features.tfrecord.spark.shard_manifest import Manifest
from emberline.features.tfrecord.spark.shard_reader import Damage, DamageLog, DamageParam, ShardReader
from emberline.features.tfrecord.spark.shard_writer import ShardWriter, StagedFile, open_staging
from emberline.features.tfrecord.spark.spark_columns import check_columns, check_writable
from emberline.features.tfrecord.spark.stream_commit import MicroBatch

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession

logger = logging.getLogger(__name__)

FORMAT = "tfrecord"
_OPEN_COST = 4 << 20  # bytes that opening a file is worth, as in Spark's own file sources
_FEW_TASKS = 32


class TFRecordDataSource(DataSource):
    """The data source that Spark instantiates; users reach it by `format("tfrecord")`."""

    damage: DamageLog | None = None

    @classmethod
    def name(cls) -> str:
        """Returns the name of the format."""
        return FORMAT

    def schema(self) -> T.StructType:
        """Returns the columns inferred from a bounded number of records, then the partition columns."""
        options = read_options(self.options)
        files = find_files(map(absolute, read_paths(self.options)), options)
        folders = partition_schema(files, options.infer_partition_types)
        drop = options.mode == "DROPMALFORMED"
        found = infer_schema(files, options.record_type, options.infer_records, drop_malformed=drop)
        # This runs in a process of its own whose stderr is the driver's.
        print(found.report(), file=sys.stderr, flush=True)
        stored = [field for field in found.schema if field.name not in folders.names]
        return _select(T.StructType([*stored, *folders]), options.columns)

    def reader(self, schema: T.StructType) -> DataSourceReader:
        """Returns a reader of exactly the columns of `schema`."""
        return TFRecordReader(schema, self.options, type(self).damage)

    def writer(self, schema: T.StructType, overwrite: bool) -> DataSourceArrowWriter:
        """Returns a writer; Spark calls this once, when the job starts."""
        return TFRecordWriter(schema, self.options, overwrite)

    def streamWriter(self, schema: T.StructType, overwrite: bool) -> DataSourceStreamArrowWriter:  # noqa: N802
        """Returns a writer of micro-batches."""
        return TFRecordStreamWriter(schema, self.options)


def _select(schema: T.StructType, columns: Sequence[str]) -> T.StructType:
    for name in columns:
        if name not in schema.names:
            raise TFRecordOptionError(f"Option columns names {name!r}. {nearest(name, schema.names)}")
    return T.StructType([schema[name] for name in columns]) if columns else schema


@dataclass
class FilesPartition(InputPartition):
    """The files that one Spark task reads."""

    files: tuple[DataFile, ...]


class TFRecordReader(DataSourceReader):
    """Plans and performs a batch read."""

    def __init__(self, schema: T.StructType, options: Any, damage: DamageLog | None) -> None:
        self._options: ReadOptions = read_options(options)
        self._paths = read_paths(options)
        self._schema = _select(schema, self._options.columns)
        self._damage = damage
        if self._schema.names != schema.names:
            raise TFRecordOptionError(
                f"Option columns is {list(self._options.columns)}, but .schema(...) declares {schema.names}. "
                "Leave one of them out."
            )
        self._arrow = to_arrow_schema(schema, timezone="UTC")

    def partitions(self) -> Sequence[InputPartition]:
        """Returns one task per file; small files share a task."""
        files = find_files(map(absolute, self._paths), self._options)
        folders = {name for file in files for name, _ in file.values}
        check_columns([field for field in self._schema if field.name not in folders], self._options.record_type)
        partition_schema(files, infer=False)
        for file in files:
            for name, raw in file.values:
                if name in self._schema.names:
                    cast_value(raw, self._schema[name])
        kept = prune(files, self._schema, self._options.filters)
        return [FilesPartition(tuple(group)) for group in _packed(kept, self._options.partition_bytes)] or [
            FilesPartition(())
        ]

    def read(self, partition: InputPartition) -> Iterator["pa.RecordBatch"]:  # type: ignore[override]
        """Returns the rows of one task's files."""
        if not isinstance(partition, FilesPartition):
            raise TypeError(f"Expected a FilesPartition, got {type(partition).__name__}")
        return ShardReader(self._schema, self._arrow, self._options, self._damage).read(partition.files)


def _packed(files: Sequence[DataFile], limit: int) -> Iterator[list[DataFile]]:
    """Groups of consecutive files: up to `limit` bytes, but no fewer groups than files or 32."""
    cost = sum(file.size + _OPEN_COST for file in files)
    limit = min(limit, max(_OPEN_COST, cost // _FEW_TASKS))
    group: list[DataFile] = []
    size = 0
    for file in files:
        if group and size + file.size + _OPEN_COST > limit:
            yield group
            group, size = [], 0
        group.append(file)
        size += file.size + _OPEN_COST
    if group:
        yield group


@dataclass
class FilesMessage(WriterCommitMessage):
    """What a winning task attempt has written."""

    files: tuple[StagedFile, ...]
    query: str = ""


def _prepare(schema: T.StructType, options: Any) -> tuple[str, WriteOptions, Manifest]:
    """Returns the target, options and manifest of a write, with everything checked that can be checked before a task
    runs.
    """
    parsed = write_options(options)
    if not options.get("path"):
        raise TFRecordOptionError("No location given. Use .save(uri) or .start(uri).")
    check_writable(schema, parsed)
    manifest = Manifest.of(schema, parsed.record_type, parsed.codec, parsed.partition_by)
    return absolute(options["path"]), parsed, manifest


class TFRecordWriter(DataSourceArrowWriter):
    """Writes a batch job. Created on the driver, sent to every task, and used again to commit or abort."""

    def __init__(self, schema: T.StructType, options: Any, overwrite: bool) -> None:
        target, self._options, manifest = _prepare(schema, options)
        mode = self._options.save_mode or ("overwrite" if overwrite else "append")
        self._job: Job | None = None
        if check_target(target, mode):
            self._job = Job.begin(target, uuid.uuid4().hex[:16], manifest, mode=mode)

    def write(self, iterator: Iterator["pa.RecordBatch"]) -> WriterCommitMessage:  # type: ignore[override]
        """Writes one partition into the staging folder (runs on an executor)."""
        if self._job is None:
            return FilesMessage(())
        return FilesMessage(tuple(ShardWriter(self._job.staging, self._options, _task()).write(iterator)))

    def commit(self, messages: Sequence[WriterCommitMessage | None]) -> None:
        """Publishes what the winning attempts have written (runs on the driver)."""
        if self._job is not None:
            self._job.commit(_staged(messages))

    def abort(self, messages: Sequence[WriterCommitMessage | None]) -> None:
        """Removes what was written (runs on the driver)."""
        if self._job is not None:
            self._job.abort()


class TFRecordStreamWriter(DataSourceStreamArrowWriter):
    """Writes micro-batches. Spark makes a new one for every batch, and another one to commit it."""

    def __init__(self, schema: T.StructType, options: Any) -> None:
        self._target, self._options, self._manifest = _prepare(schema, options)

    def write(self, iterator: Iterator["pa.RecordBatch"]) -> WriterCommitMessage:  # type: ignore[override]
        """Writes one partition of a micro-batch into its staging folder (runs on an executor)."""
        context = TaskContext.get()
        query = context.getLocalProperty("sql.streaming.queryId") if context else None
        number = context.getLocalProperty("streaming.sql.batchId") if context else None
        if query is None or number is None:
            raise RuntimeError("Spark did not tell the task which streaming query and batch it belongs to.")
        batch = MicroBatch(self._target, query, int(number))
        open_staging(batch.staging)
        return FilesMessage(tuple(ShardWriter(batch.staging, self._options, _task()).write(iterator)), query)

    def commit(self, messages: Sequence[WriterCommitMessage | None], batchId: int) -> None:  # noqa: N803
        """Publishes the micro-batch, unless that was done before (runs on the driver)."""
        query = _query(messages)
        if query:
            MicroBatch(self._target, query, batchId).commit(self._manifest, _staged(messages))

    def abort(self, messages: Sequence[WriterCommitMessage | None], batchId: int) -> None:  # noqa: N803
        """Removes what was staged; failed attempts have removed their own files (runs on the driver)."""
        query = _query(messages)
        if query:
            MicroBatch(self._target, query, batchId).abort()


def _task() -> int:
    context = TaskContext.get()
    return context.partitionId() if context else 0


def _staged(messages: Sequence[WriterCommitMessage | None]) -> list[StagedFile]:
    return [file for message in messages if isinstance(message, FilesMessage) for file in message.files]


def _query(messages: Sequence[WriterCommitMessage | None]) -> str:
    return next((message.query for message in messages if isinstance(message, FilesMessage)), "")


_damage_logs: dict[str, DamageLog] = {}


def register(spark: "SparkSession") -> None:
    """Makes `format("tfrecord")` known to a session; calling it again is harmless.

    On a classic session it also installs what Spark's Python Data Source API leaves out: `partitionBy` and the save
    modes `ignore` and `error` (`emberline.features.tfrecord.spark.save_modes`), pruning of columns and partitions
    (`emberline.features.tfrecord.spark.pushdown`), and the report of dropped damage (`damage_report`).
    """
    from emberline.features.tfrecord.spark import pushdown, save_modes

    if not hasattr(spark, "_jsparkSession"):  # Spark Connect
        save_modes.install_connect()
        spark.dataSource.register(TFRecordDataSource)
        return
    save_modes.install()
    context = spark.sparkContext
    log = _damage_logs.setdefault(context.applicationId, context.accumulator({}, DamageParam()))

    # Made here so that Spark pickles it by value, with this application's accumulator inside.
    class RegisteredTFRecordDataSource(TFRecordDataSource):
        damage = log

    spark.dataSource.register(RegisteredTFRecordDataSource)
    pushdown.install()


def damage_report(spark: "SparkSession") -> list[Damage]:
    """Returns what reads in mode DROPMALFORMED have left out in this application so far, one entry per file.

    Call it after an action: a read that has not run has found nothing.
    """
    log = _damage_logs.get(spark.sparkContext.applicationId)
    return sorted(log.value.values(), key=lambda found: found.uri) if log is not None else []
