"""Pruning of columns and partition directories, which Spark 4.3 does not offer to Python data sources.

Its Python API passes no required columns, and its filter push-down keeps the pushed state in an object that all
queries on one DataFrame share: after `df.filter("day = 1").count()`, a plain `df.count()` counts one day. Silently
short results are out of the question, so the reader implements no `pushFilters`.

Instead, `load` of the format `tfrecord` puts a thin table between Spark and its Python source. Spark asks it for a scan
builder (both are Java interfaces, implemented in Python and called back through Py4J, as `foreachBatch` is); the
builder notes required columns and conditions, and makes a Python scan of its own for each query, with the pruned schema
and the conditions as options. Every condition is also handed back to Spark, which evaluates it row by row as usual: a
fault here could cost speed, but no row. Only the driver's planning passes through Python, never data.

Where the seam does not fit (Spark Connect, an unknown plan), `load` returns what Spark made: correct, without pruning.
"""

import functools
import json
import logging
from typing import Any

from py4j.protocol import Py4JError
from pyspark.java_gateway import ensure_callback_server_started
from pyspark.sql import DataFrame
from pyspark.sql.readwriter import DataFrameReader

from emberline.features.tfrecord.spark.options import PUSHED_FILTERS
from emberline.features.tfrecord.spark.partitions import PUSHABLE
from emberline.features.tfrecord.spark.save_modes import activate

logger = logging.getLogger(__name__)

_FORMAT = "tfrecord"
_PYTHON = "org.apache.spark.sql.execution.datasources.v2.python"
_DATES = ("java.sql.Date", "java.time.LocalDate")


def install() -> None:
    """Wraps PySpark's reader, once per process."""
    if getattr(DataFrameReader.load, "_emberline", False):
        return
    original = DataFrameReader.load

    @functools.wraps(original)
    def load(self: DataFrameReader, *args: Any, **kwargs: Any) -> DataFrame:
        activate(self._spark)
        return with_pruning(original(self, *args, **kwargs))

    load._emberline = True  # type: ignore[attr-defined]
    DataFrameReader.load = load  # type: ignore[method-assign]


def with_pruning(frame: DataFrame) -> DataFrame:
    """Returns the same frame, reading only the columns and partitions that a query needs, if it reads this format."""
    # What a query reads is known to the JVM alone: `_jdf`, `_gateway` and `_jsparkSession` are the ways there.
    relation = frame._jdf.queryExecution().analyzed()
    if relation.getClass().getSimpleName() != "DataSourceV2Relation" or relation.table().name() != _FORMAT:
        return frame
    spark = frame.sparkSession
    try:
        gateway: Any = spark.sparkContext._gateway
        ensure_callback_server_started(gateway)
        pruned = relation.copy(
            _Table(gateway, relation.table()),
            relation.output(),
            relation.catalog(),
            relation.identifier(),
            relation.options(),
            relation.timeTravelSpec(),
        )
        dataset = gateway.jvm.org.apache.spark.sql.classic.Dataset.ofRows(spark._jsparkSession, pruned)
    except Py4JError as error:  # another Spark than the one this was written for
        logger.warning("format tfrecord reads without pruning: %s", error)
        return frame
    return DataFrame(dataset, spark)


class _Table:
    """Java's `SupportsRead`: Spark's own Python table, with another scan builder."""

    def __init__(self, gateway: Any, table: Any) -> None:
        self._gateway = gateway
        self._table = table

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._table, name)

    def newScanBuilder(self, options: Any) -> "_ScanBuilder":  # noqa: N802
        """Returns one builder per query."""
        return _ScanBuilder(self._gateway, self._table, options)

    def equals(self, other: Any) -> bool:
        """Returns Java's equality; two `load`s are two tables."""
        return bool(other is not None and other.hashCode() == self.hashCode())

    def hashCode(self) -> int:  # noqa: N802
        """Returns Java's hash."""
        return int(self._table.hashCode())

    def toString(self) -> str:  # noqa: N802
        """Returns Java's text."""
        return str(self._table.toString())

    class Java:
        implements = ("org.apache.spark.sql.connector.catalog.SupportsRead",)


class _ScanBuilder:
    """Java's scan builder with both push-downs; ends in one of Spark's own Python scans."""

    def __init__(self, gateway: Any, table: Any, options: Any) -> None:
        self._gateway = gateway
        self._table = table
        self._options = options
        self._schema = table.schema()
        self._conditions: list[Any] = []

    def pruneColumns(self, required: Any) -> None:  # noqa: N802
        """Restricts the scan to these columns."""
        if required.isEmpty():  # count(*): rows travel in columns, so one has to be read
            required = self._cheapest()
        self._schema = required

    def _cheapest(self) -> Any:
        fields = list(self._table.schema().fields())
        cheap = [field for field in fields if field.dataType().defaultSize() <= 8] or fields
        schema = self._gateway.jvm.org.apache.spark.sql.types.StructType()
        return schema.add(cheap[0])

    def pushFilters(self, filters: Any) -> Any:  # noqa: N802
        """Records the conditions that partitions can be tested against; Spark evaluates all filters again."""
        for condition in filters:
            found = _condition(condition)
            if found is not None:
                self._conditions.append(found)
        return filters

    def pushedFilters(self) -> Any:  # noqa: N802
        """Returns an empty array: Spark may leave out no filter."""
        return self._gateway.new_array(self._gateway.jvm.org.apache.spark.sql.sources.Filter, 0)

    def build(self) -> Any:
        """Returns a scan with a Python source of its own, so that no two queries share state."""
        jvm = self._gateway.jvm
        options = jvm.java.util.HashMap(self._options.asCaseSensitiveMap())
        options.put(PUSHED_FILTERS, json.dumps(self._conditions))
        options.remove("columns")  # it has shaped the schema already
        package = functools.reduce(getattr, _PYTHON.split("."), jvm)
        source = package.PythonDataSourceV2()
        source.setShortName(_FORMAT)
        pruned = jvm.org.apache.spark.sql.util.CaseInsensitiveStringMap(options)
        return package.PythonScan(source, _FORMAT, self._schema, pruned, self.pushedFilters())

    def equals(self, other: Any) -> bool:
        """Returns Java's equality."""
        return other is self

    def hashCode(self) -> int:  # noqa: N802
        """Returns Java's hash."""
        return id(self) & 0x7FFFFFFF

    def toString(self) -> str:  # noqa: N802
        """Returns Java's text."""
        return "tfrecord scan"

    class Java:
        implements = (
            "org.apache.spark.sql.connector.read.SupportsPushDownRequiredColumns",
            "org.apache.spark.sql.connector.read.SupportsPushDownFilters",
        )


def _condition(filter_: Any) -> list[Any] | None:
    """A Spark filter as JSON for `partitions.may_match`; None where it says too much for that."""
    kind = filter_.getClass().getSimpleName()
    if kind not in PUSHABLE:
        return None
    if kind in ("And", "Or"):
        sides = [_condition(filter_.left()), _condition(filter_.right())]
        return [kind, *sides] if None not in sides else None
    if kind == "Not":
        child = _condition(filter_.child())
        return [kind, child] if child is not None else None
    name = filter_.attribute()
    if name.startswith("`") and name.endswith("`"):
        name = name[1:-1].replace("``", "`")
    if kind in ("IsNull", "IsNotNull"):
        return [kind, name]
    try:
        values = [_literal(value) for value in filter_.values()] if kind == "In" else _literal(filter_.value())
    except TypeError:
        return None
    return [kind, name, values]


def _literal(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if value.getClass().getName() in _DATES:
        return value.toString()
    raise TypeError(f"No partition is tested against a {value.getClass().getName()}")
