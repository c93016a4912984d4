"""What columns make of a few rows, without a dataset: for notebooks, tests and examples."""

import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from emberline.features.columns import Column, needs, stored
from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Kind, Label, Schema

_KINDS: tuple[tuple[Kind, Any], ...] = (
    ("integer", pa.types.is_integer),
    ("float", pa.types.is_floating),
    ("string", pa.types.is_string),
)


def preview(
    columns: Sequence[Column], rows: Mapping[str, Sequence[Any]], fields: Sequence[Field] = ()
) -> dict[str, list[Any]]:
    """Returns the stored columns of a few rows, with statistics learned from these rows alone.

    The rows go through the statistics and the graph of the ETL, in this process and without Spark.

    Args:
        columns: Transformed columns, or views, whose sources are stored.
        rows: Raw values by field, in order; `None` for a missing value.
        fields: Declarations of fields that their values do not tell, such as images or texts with tokens. Other
            fields are integers, floats or strings by their values, and many-valued if these are lists.

    Returns:
        Values by stored column, a list for each row of many values or numbers. Ids of -1 are no ids.

    Raises:
        BadInputError: if a field has values of another type and no declaration, or a column does not fit its field.

    Example:
        >>> from emberline.features.columns import Numeric, Vocabulary
        >>> rows = {"age": [30, 50, None], "job": ["nurse", "clerk", "nurse"]}
        >>> preview([Numeric("age", normalizer="zscore"), Vocabulary("job")], rows)
        {'age': [-1.0, 1.0, 0.0], 'job': [0, 1, 0]}
    """
    from emberline.features.analysis.analyze import analyze
    from emberline.features.tensors import raw_tensors, stored_array
    from emberline.features.transform import TransformGraph

    table = pa.table(dict(rows))
    declared = {field.name: field for field in fields}
    schema = Schema(
        tuple(declared.get(each.name) or _field(each) for each in table.schema), Label("label", (("0",), ("1",))), "key"
    )
    kept = stored(tuple(columns))
    with tempfile.TemporaryDirectory() as folder:
        graph = TransformGraph(schema, kept, analyze(table, schema, folder, needs(kept)))
        found = graph(raw_tensors(table.combine_chunks().to_batches()[0], graph.schema))
    return {each.name: stored_array(found[each.name], each.stored_shape).to_pylist() for each in kept}


def _field(column: pa.Field) -> Field:
    many = pa.types.is_list(column.type)
    values = column.type.value_type if many else column.type
    for kind, is_kind in _KINDS:
        if is_kind(values):
            return Field(column.name, kind, many=many)
    raise BadInputError(
        f"Field {column.name!r} has values of type {values}, expected integers, floats or strings. "
        "Declare it in fields."
    )
