"""A DataFrame of any source as a table: structures taken apart, and columns left out that no field can hold."""

from collections.abc import Mapping

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_type
from pyspark.sql.types import DataType

from emberline.features.names import quoted
from emberline.features.validation.rows import FAULT, RAW, SOURCE
from emberline.pipelines.datasets.readers.tables.column_types import leaves, union
from emberline.pipelines.datasets.readers.tables.table import Table


def frame_table(frame: DataFrame, called: str) -> Table:
    """Returns the table of a DataFrame.

    Args:
        frame: The DataFrame; Spark keeps its types, apart from times of day, which become texts.
        called: What `_source` and messages say of it.
    """
    kinds = {field.name: _arrow(field.dataType) for field in frame.schema.fields}
    schema = pa.schema([(name, kind) for name, kind in kinds.items() if kind is not None])
    found = union([(called, schema)])
    unknown = {
        field.name: f"it is of type {field.dataType.simpleString()}: write single values, or lists of them"
        for field in frame.schema.fields
        if kinds[field.name] is None
    }
    columns = []
    for leaf in leaves(schema):
        if leaf.name in found.types:
            column = F.col(".".join(map(quoted, leaf.path)))
            columns.append((column.cast("string") if pa.types.is_time(leaf.given) else column).alias(leaf.name))
    nothing = F.lit(None).cast("string")
    rows = frame.select(*columns, nothing.alias(RAW), F.lit(called).alias(SOURCE), nothing.alias(FAULT))
    left_out: Mapping[str, str] = {**found.left_out, **unknown}
    return Table(rows, tuple(name for name in rows.columns if name not in (RAW, SOURCE, FAULT)), left_out, typed=True)


def _arrow(kind: DataType) -> pa.DataType | None:
    """Arrow's type; None for one that Spark does not hand to Python, or that is a span of time."""
    try:
        found = to_arrow_type(kind)
    except (PySparkException, TypeError, ValueError, NotImplementedError):
        return None
    return None if pa.types.is_duration(found) or "Variant" in type(kind).__name__ else found
