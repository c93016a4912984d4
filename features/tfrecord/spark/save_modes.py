"""Makes Spark's own writer spelling reach the data source: `partitionBy`, and the save modes `ignore` and `error`.

Spark 4.3 rejects these for every Python data source before the source is asked ("cannot be written in the
ErrorIfExists mode", "partitioning ... do not match"), drops `partitionBy` of a streaming write silently, and
its default mode is the rejected `error`. The data source can do all of it, so `save` and `start` of PySpark's writers
are wrapped: for the format `tfrecord`, and for no other, mode and partition columns are handed over as the options
`saveMode` and `partitionBy`, which also work without this module.
"""

import functools
import json
from typing import Any

from pyspark.sql.readwriter import DataFrameWriter
from pyspark.sql.streaming.readwriter import DataStreamWriter

from emberline.features import storage

_FORMAT = "tfrecord"


def install() -> None:
    """Wraps PySpark's writers, once per process."""
    if not getattr(DataFrameWriter.save, "_emberline", False):
        DataFrameWriter.save = _wrap_save(DataFrameWriter.save)  # type: ignore[method-assign]
        DataStreamWriter.format = _remember(DataStreamWriter.format)  # type: ignore[method-assign]
        DataStreamWriter.partitionBy = _remember(DataStreamWriter.partitionBy)  # type: ignore[method-assign]
        DataStreamWriter.start = _wrap_start(DataStreamWriter.start)  # type: ignore[method-assign]


def install_connect() -> None:
    """Wraps the writer of Spark Connect in the same way. Call it only when such a session exists: where the packages of
    Spark Connect are absent, importing its modules ends a `python -c` program without an error (PySpark takes it for a
    doctest).
    """
    from pyspark.sql.connect.readwriter import DataFrameWriter as ConnectWriter

    if not getattr(ConnectWriter.save, "_emberline", False):
        ConnectWriter.save = _wrap_connect_save(ConnectWriter.save)  # type: ignore[method-assign]


def _wrap_save(original: Any) -> Any:
    @functools.wraps(original)
    def save(
        self: DataFrameWriter,
        path: str | None = None,
        format: str | None = None,
        mode: str | None = None,
        partitionBy: str | list[str] | None = None,  # noqa: N803
        **options: Any,
    ) -> None:
        self.mode(mode).options(**options)
        if partitionBy is not None:
            self.partitionBy(partitionBy)
        if format is not None:
            self.format(format)
        writer = self._jwrite
        if writer.source().lower() != _FORMAT:
            return original(self, path)
        activate(self._spark)
        jmode, columns = writer.curmode(), writer.partitioningColumns()
        mode_name = jmode.name().lower()
        if mode_name not in ("append", "overwrite", "ignore"):  # Java says ErrorIfExists
            mode_name = "error"
        if mode_name == "ignore" and path and storage.exists(path):
            return None  # without a job; the source itself checks both modes again
        if mode_name in ("ignore", "error"):
            self.option("saveMode", mode_name)
        names = _names(columns)
        if names:
            self.option("partitionBy", json.dumps(names))
        nothing = _none(self)
        try:
            writer.mode("overwrite" if mode_name == "overwrite" else "append")
            _set(writer, "partitioningColumns", nothing)
            return original(self, path)
        finally:
            writer.mode(mode_name)
            _set(writer, "partitioningColumns", columns)

    return _marked(save)


def _remember(original: Any) -> Any:
    """Keep the options of a streaming writer, because its JVM half has no getters."""

    @functools.wraps(original)
    def remembering(self: DataStreamWriter, *values: Any) -> DataStreamWriter:
        self.__dict__.setdefault("_emberline", {})[original.__name__] = values
        writer: DataStreamWriter = original(self, *values)
        return writer

    return remembering


def _wrap_start(original: Any) -> Any:
    @functools.wraps(original)
    def start(
        self: DataStreamWriter,
        path: str | None = None,
        format: str | None = None,
        outputMode: str | None = None,  # noqa: N803
        partitionBy: str | list[str] | None = None,  # noqa: N803
        queryName: str | None = None,  # noqa: N803
        **options: Any,
    ) -> Any:
        if partitionBy is not None:
            self.partitionBy(partitionBy)  # type: ignore[arg-type]
        if format is not None:
            self.format(format)
        activate(self._spark)
        told = self.__dict__.get("_emberline", {})
        if told.get("format", ("",))[0].lower() == _FORMAT and told.get("partitionBy"):
            names = told["partitionBy"]
            self.option("partitionBy", json.dumps(list(names[0] if isinstance(names[0], list | tuple) else names)))
        return original(self, path, outputMode=outputMode, queryName=queryName, **options)

    return _marked(start)


def _wrap_connect_save(original: Any) -> Any:
    @functools.wraps(original)
    def save(
        self: Any,
        path: str | None = None,
        format: str | None = None,
        mode: str | None = None,
        partitionBy: str | list[str] | None = None,  # noqa: N803
        **options: Any,
    ) -> None:
        self.mode(mode).options(**options)
        if partitionBy is not None:
            self.partitionBy(partitionBy)
        if format is not None:
            self.format(format)
        plan = self._write
        if (plan.source or "").lower() == _FORMAT:
            if plan.mode in (None, "ignore", "error", "errorifexists", "default"):
                self.option("saveMode", "ignore" if plan.mode == "ignore" else "error")
                self.mode("append")
            if plan.partitioning_cols:
                self.option("partitionBy", json.dumps(list(plan.partitioning_cols)))
                plan.partitioning_cols = []
        return original(self, path)

    return _marked(save)


def _marked(wrapper: Any) -> Any:
    wrapper._emberline = True
    return wrapper


def activate(spark: Any) -> None:
    """Makes a session the active one of this thread: Spark looks Python data sources up there, and finds none in a
    thread that has not used the session before.
    """
    # PySpark makes a session active only as it makes one.
    spark._jvm.org.apache.spark.sql.classic.SparkSession.setActiveSession(spark._jsparkSession)


def _names(columns: Any) -> list[str]:
    """A Scala `Option[Seq[String]]` as a list."""
    if columns.isEmpty():
        return []
    seq = columns.get()
    return [seq.apply(i) for i in range(seq.size())]


def _none(writer: DataFrameWriter) -> Any:
    # Scala's objects are reached through the gateway of the session, which a writer keeps to itself.
    jvm: Any = writer._spark._jvm
    return getattr(getattr(jvm.scala, "None$"), "MODULE$")


def _set(writer: Any, field: str, value: Any) -> None:
    # Scala's setter of a protected field is public in bytecode.
    getattr(writer, f"{field}_$eq")(value)
