"""What several columns amount to together: what is stored, learned, and written down."""

from collections.abc import Iterable
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any

from emberline.features.columns.contract import Categorical, Column, Transformed, View
from emberline.features.columns.unstructured.image import Image
from emberline.features.errors import BadInputError
from emberline.features.schema import Schema
from emberline.features.statistics import Need, Statistics

if TYPE_CHECKING:
    import pyarrow as pa


def stored(columns: Iterable[Column]) -> tuple[Transformed, ...]:
    """Returns the transformed columns behind `columns`, each once, in order of first use.

    Raises:
        BadInputError: if two different columns claim one name.
    """
    by_name: dict[str, Transformed] = {}
    for column in columns:
        for source in column.sources if isinstance(column, View) else (column,):
            if by_name.setdefault(source.name, source) != source:
                raise BadInputError(
                    f"Two different columns are called {source.name!r}: {by_name[source.name]} and {source}. "
                    "Give one of them another name with `called`."
                )
    return tuple(by_name.values())


def check(columns: Iterable[Column], schema: Schema) -> None:
    """Checks that every field has the kind and form its columns expect.

    Raises:
        BadInputError: naming the column and the field.
    """
    for column in stored(columns):
        column.check(schema)


def sized(columns: Iterable[Column], schema: Schema) -> Schema:
    """Returns the schema with its images in the size that their columns store: so checked rows have them."""
    images = {column.field: column for column in stored(columns) if isinstance(column, Image)}
    fields = tuple(
        replace(field, shape=images[field.name].stored_shape, resize=images[field.name].resize)
        if field.name in images
        else field
        for field in schema.fields
    )
    return replace(schema, fields=fields)


def needs(columns: Iterable[Column]) -> tuple[Need, ...]:
    """Returns what Spark must learn for all of `columns`."""
    return tuple(dict.fromkeys(need for column in stored(columns) for need in column.needs))


def describe(column: Column) -> dict[str, Any]:
    """Returns a plain description, for `features.json`: kind, name, fields and parameters, columns inside it described
    too.
    """
    values = {key: value for key, value in vars(column).items() if key != "field"}
    if not isinstance(values.get("initial"), str) or not values["initial"]:
        values.pop("initial", None)  # whole tables; a URI is worth telling
    parameters = {key: _plain(value) for key, value in values.items()}
    return {"kind": type(column).__name__, "name": column.name, "fields": list(column.fields), **parameters}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return describe(value) if isinstance(value, Column) else value


def cardinalities(columns: Iterable[Transformed], statistics: Statistics) -> dict[str, int]:
    """Returns the number of ids of every categorical column.

    Raises:
        BadInputError: if a column has none, because no row has a value that it could learn.
    """
    sizes = {column.name: column.cardinality(statistics) for column in columns if isinstance(column, Categorical)}
    for name, size in sizes.items():
        if not size:
            raise BadInputError(
                f"Column {name!r} has no ids: none of the rows that were analysed has a value that it accepts. "
                "Check its field in the data, give it buckets for unseen values, or leave the column out."
            )
    return sizes


def arrow_schema(columns: Iterable[Transformed]) -> "pa.Schema":
    """Returns the Arrow types in which transformed columns are stored."""
    import pyarrow as pa

    return pa.schema([pa.field(column.name, _arrow_type(column)) for column in columns])


def _arrow_type(column: Transformed) -> "pa.DataType":
    import pyarrow as pa

    if isinstance(column, Image) and column.stored_as != "pixels":
        return pa.binary()
    leaf = {"float32": pa.float32(), "int64": pa.int64(), "uint8": pa.uint8()}[column.stored_type]
    match column.stored_shape:
        case ():
            return leaf
        case (None,):
            return pa.list_(leaf)
        case sizes:
            return pa.list_(leaf, prod(size or 0 for size in sizes))
