"""A schema guessed from data, for a person to correct and keep; `schema_declaration` prints it."""

from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    DataType,
    FractionalType,
    IntegralType,
    MapType,
    StructType,
)

from emberline.features.errors import BadInputError, nearest
from emberline.features.schema import MISSING_INTEGER, Field, Kind, Label, Schema
from emberline.features.validation.numbers import to_number

MISSING_MARKS = ("?", "-", "NA", "N/A", "n/a", "NULL", "Null", "null", "None", "none", "NaN", "nan", "\\N")
"""Texts that are taken for "no value" where a column has them."""

DOMAIN_VALUES = 50
"""A text field with at most so many values, each seen often, has a domain."""

ROWS_PER_VALUE = 20
"""How often the values of a domain are seen on average, at least: else a new one is only a matter of time."""

LABEL_VALUES = 20
"""A label of whole numbers with at most so many of them is a class; one of texts always is, up to `LABEL_TEXTS`."""

LABEL_TEXTS = 1000


@dataclass(frozen=True)
class _Facts:
    """What one pass over the data tells about a column; `values` leave the missing marks out."""

    rows: int
    values: int
    integers: int
    numbers: int
    distinct: int
    minimum: float | None
    maximum: float | None
    minus_one: int
    shortest: int | None
    longest: int | None
    marks: tuple[str, ...]


def infer_schema(rows: DataFrame, label: str, key: str | None = None) -> Schema:
    """Guesses fields, their kinds, missing marks and limits; texts that are numbers count as numbers.

    Args:
        rows: One column per field; texts, numbers, booleans, dates, or arrays of them; bytes are sounds if most of them
            are WAV files, else images. Columns whose names begin with an underscore are left out.
        label: The column that is the label: classes for texts, booleans and few whole numbers, else a number.
        key: The column that identifies a row; None where rows have none of their own.

    Returns:
        A schema that accepts exactly these rows: limits are what was seen, and what never was missing is required.
        Widen it to what is possible before it checks other data.

    Raises:
        BadInputError: if there is no such column or no row; for a label without values or with too many; for
            a column of structures.
    """
    types = {column.name: column.dataType for column in rows.schema.fields if not column.name.startswith("_")}
    for name in [label, *([key] if key else [])]:
        if name not in types:
            raise BadInputError(f"No column {name!r} in the data. {nearest(name, types)}")
    types = {name: kind for name, kind in types.items() if name != key}
    names = list(types)
    files = _files(rows, [name for name, kind in types.items() if isinstance(kind, BinaryType) and name != label])
    types = {name: kind for name, kind in types.items() if name not in files}
    for name, kind in types.items():
        inner = kind.elementType if isinstance(kind, ArrayType) else kind
        if isinstance(inner, StructType | MapType | BinaryType | ArrayType):
            raise BadInputError(f"Column {name!r} is of type {kind.simpleString()}: select single values, or drop it.")
    facts = _measured(rows, types)
    if not facts[label].rows:
        raise BadInputError("The data has no rows: there is nothing to infer a schema from.")
    kinds = {name: _kind(types[name], found) for name, found in facts.items()}
    domains = _domains(rows, types, facts, kinds, label)
    fields = tuple(
        Field(name, files[name][0], required=files[name][1] == facts[label].rows)
        if name in files
        else _field(name, types[name], facts[name], kinds[name], domains.get(name, ()))
        for name in names
        if name != label
    )
    return Schema(fields, _label(label, types[label], facts[label], kinds[label], domains.get(label, ())), key or "row")


def _files(rows: DataFrame, names: list[str]) -> dict[str, tuple[Kind, int]]:
    """Columns of bytes: what most of their files are, and how many rows have one."""
    if not names:
        return {}
    counts = []
    for name in names:
        file = F.col(f"`{name}`")
        is_wav = (F.substring(file, 1, 4) == F.lit(b"RIFF")) & (F.substring(file, 9, 4) == F.lit(b"WAVE"))
        counts += [F.count(file), F.count(F.when(is_wav, 1))]
    found = list(rows.agg(*counts).first() or ())
    return {
        name: ("sound" if 2 * sounds > held else "image", held)
        for name, held, sounds in zip(names, found[0::2], found[1::2], strict=True)
    }


def _measured(rows: DataFrame, types: dict[str, DataType]) -> dict[str, _Facts]:
    measures = [F.count(F.lit(1)).alias("rows")]
    for index, (name, kind) in enumerate(types.items()):
        measures += [measure.alias(f"{index}.{what}") for what, measure in _measures(name, kind).items()]
    row = rows.agg(*measures).first()
    found: dict[str, Any] = row.asDict() if row else {"rows": 0}
    facts = {}
    for index, name in enumerate(types):
        own = {what.partition(".")[2]: value for what, value in found.items() if what.startswith(f"{index}.")}
        marks = tuple(mark for place, mark in enumerate(MISSING_MARKS) if own.pop(f"mark{place}", 0))
        facts[name] = _Facts(rows=found["rows"], marks=marks, **own)
    return facts


def _measures(name: str, kind: DataType) -> dict[str, Column]:
    column = F.col(f"`{name}`")
    if isinstance(kind, ArrayType):
        texts = F.filter(F.transform(column, lambda value: F.trim(value.cast("string"))), _is_value)
        numbers = F.transform(texts, lambda text: to_number(text, "double"))
        held = F.size(column)
        whole = F.forall(texts, lambda text: to_number(text, "bigint").isNotNull())
        return {
            "values": F.count(F.when(held > 0, 1)),
            "integers": F.count(F.when(whole & (held > 0), 1)),
            "numbers": F.count(F.when(F.forall(numbers, lambda number: number.isNotNull()) & (held > 0), 1)),
            "distinct": F.lit(0),
            "minimum": F.min(F.array_min(numbers)),
            "maximum": F.max(F.array_max(numbers)),
            "minus_one": F.count(F.when(F.array_contains(texts, str(MISSING_INTEGER)), 1)),
            "shortest": F.min(F.when(held >= 0, held)),
            "longest": F.max(held),
        }
    text = F.trim(column.cast("string"))
    value = F.when(_is_value(text), text)
    number = to_number(value, "double")
    marks = {f"mark{place}": F.count(F.when(text == mark, 1)) for place, mark in enumerate(MISSING_MARKS)}
    return {
        "values": F.count(value),
        "integers": F.count(to_number(value, "bigint")),
        "numbers": F.count(F.when(F.abs(number) != float("inf"), 1)),
        "distinct": F.approx_count_distinct(value, 0.02),
        "minimum": F.min(number),
        "maximum": F.max(number),
        "minus_one": F.count(F.when(number == MISSING_INTEGER, 1)),
        "shortest": F.lit(None).cast("int"),
        "longest": F.lit(None).cast("int"),
        **marks,
    }


def _is_value(text: Column) -> Column:
    return text.isNotNull() & ~text.isin("", *MISSING_MARKS)


def _kind(kind: DataType, facts: _Facts) -> Kind:
    inner = kind.elementType if isinstance(kind, ArrayType) else kind
    if isinstance(inner, FractionalType):
        return "float"
    if not facts.values:
        return "integer" if isinstance(inner, IntegralType) else "string"
    if facts.integers == facts.values:
        # In an integer field -1 means "no value": where it is a value, the field is one of floats.
        return "float" if facts.minus_one else "integer"
    return "float" if facts.numbers == facts.values else "string"


def _domains(
    rows: DataFrame, types: dict[str, DataType], facts: dict[str, _Facts], kinds: dict[str, Kind], label: str
) -> dict[str, tuple[str, ...]]:
    """The different values of the fields that have few of them, and of the label if it is one of classes."""
    wanted = [
        name
        for name, found in facts.items()
        if name != label
        and kinds[name] == "string"
        and not isinstance(types[name], ArrayType)
        and 0 < found.distinct <= DOMAIN_VALUES
        and found.distinct * ROWS_PER_VALUE <= found.values
    ]
    found = facts[label]
    number = kinds[label] != "string" and not isinstance(types[label], BooleanType)
    if found.distinct <= (LABEL_VALUES if number else LABEL_TEXTS) * 1.1:
        wanted.append(label)
    if not wanted:
        return {}
    texts = {name: F.trim(F.col(f"`{name}`").cast("string")) for name in wanted}
    sets = [F.collect_set(F.when(_is_value(text), text)).alias(str(place)) for place, text in enumerate(texts.values())]
    row = rows.agg(*sets).first()
    return {name: tuple(sorted(row[str(place)])) for place, name in enumerate(wanted)} if row else {}


def _field(name: str, kind: DataType, facts: _Facts, guessed: Kind, domain: tuple[str, ...]) -> Field:
    number = guessed != "string"
    array = isinstance(kind, ArrayType)
    fixed = array and number and facts.values == facts.rows and facts.shortest == facts.longest
    return Field(
        name,
        guessed,
        missing=facts.marks,
        minimum=_plain(facts.minimum) if number else None,
        maximum=_plain(facts.maximum) if number else None,
        allowed=domain,
        required=0 < facts.values == facts.rows,
        shape=(facts.longest,) if fixed and facts.longest else (),
        many=array and not fixed,
    )


def _label(name: str, kind: DataType, facts: _Facts, guessed: Kind, values: tuple[str, ...]) -> Label:
    if not facts.values or isinstance(kind, ArrayType):
        raise BadInputError(f"The label {name!r} has no single values. Name another column with --label.")
    if guessed == "string" or isinstance(kind, BooleanType):
        if not 2 <= len(values) <= LABEL_TEXTS:
            raise BadInputError(
                f"The label {name!r} is a text with {len(values) or facts.distinct:,} different values; expected 2 to "
                f"{LABEL_TEXTS:,} classes, or numbers."
            )
        return Label(name, tuple((value,) for value in values))
    whole = sorted({float(value) for value in values})
    if 2 <= len(whole) <= LABEL_VALUES and all(value == int(value) for value in whole):
        return Label(name, tuple((str(int(value)),) for value in whole))
    return Label(name, minimum=_plain(facts.minimum), maximum=_plain(facts.maximum))


def _plain(value: float | None) -> float | None:
    return int(value) if value is not None and abs(value) < 2**53 and value == int(value) else value
