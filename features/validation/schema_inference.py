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
    DecimalType,
    FractionalType,
    IntegralType,
    MapType,
    NumericType,
    StringType,
    StructType,
)

from emberline.features.errors import BadInputError, nearest
from emberline.features.names import quoted
from emberline.features.schema import MISSING_INTEGER, Field, Kind, Label, Schema

INFINITE_MARKS = ("Infinity", "-Infinity", "inf", "-inf", "Inf", "-Inf", "+inf")
"""Texts of numbers that no field can hold: taken for "no value", as a field of numbers would be of no use otherwise."""

MISSING_MARKS = (
    "?",
    "-",
    "NA",
    "N/A",
    "n/a",
    "NULL",
    "Null",
    "null",
    "None",
    "none",
    "NaN",
    "nan",
    "\\N",
    *INFINITE_MARKS,
)
"""Texts that are taken for "no value" where a column has them."""

WHOLE = r"^[+-]?(0|[1-9][0-9]*)$"
"""Texts that are whole numbers: one with zeros before it is a code, such as a postcode."""

NUMBER = r"^[+-]?((0|[1-9][0-9]*)([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?$"
"""Texts that are numbers: `1D` and `2F`, which Java takes for some, are codes, and so is `007`."""

EXACT = 2**53
"""Whole numbers beyond are not all floats."""

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
    gaps: int
    shortest: int | None
    longest: int | None
    marks: tuple[str, ...]


def infer_schema(rows: DataFrame, label: str, key: str | None = None) -> Schema:
    """Guesses fields, their kinds, missing marks and limits; texts that are numbers count as numbers.

    Args:
        rows: One column per field; texts, numbers, booleans, dates, or arrays of them; bytes are sounds if most of them
            are WAV files, else images. Columns of structures are left out.
        label: The column that is the label: classes for texts, booleans and few whole numbers, else a number.
        key: The column that identifies a row; None where rows have none of their own.

    Returns:
        A schema that accepts exactly these rows: limits are what was seen, and what never was missing is required.
        Widen it to what is possible before it checks other data.

    Raises:
        BadInputError: if there is no such column or no row; for a label without values or with too many, or of
            structures.
    """
    types = {column.name: column.dataType for column in rows.schema.fields}
    for name in [label, *([key] if key else [])]:
        if name not in types:
            raise BadInputError(f"No column {name!r} in the data. {nearest(name, types)}")
    types = {name: kind for name, kind in types.items() if name != key}
    names = list(types)
    files = _files(rows, [name for name, kind in types.items() if isinstance(kind, BinaryType) and name != label])
    types = {name: kind for name, kind in types.items() if name not in files}
    if _nested(types.get(label)):
        raise BadInputError(f"The label {label!r} is of type {types[label].simpleString()}: expected single values.")
    types = {name: kind for name, kind in types.items() if not _nested(kind)}
    names = [name for name in names if name in types or name in files]
    facts = _measured(rows, types)
    if not facts[label].rows:
        raise BadInputError("The data has no rows: there is nothing to infer a schema from.")
    # A value that is missing within a row has no place in a tensor.
    names = [name for name in names if name not in facts or name == label or not facts[name].gaps]
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


def _nested(kind: DataType | None) -> bool:
    inner = kind.elementType if isinstance(kind, ArrayType) else kind
    return isinstance(inner, StructType | MapType | BinaryType | ArrayType)


def _files(rows: DataFrame, names: list[str]) -> dict[str, tuple[Kind, int]]:
    """Columns of bytes: what most of their files are, and how many rows have one."""
    if not names:
        return {}
    counts = []
    for name in names:
        file = F.col(quoted(name))
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
    column = F.col(quoted(name))
    if isinstance(kind, ArrayType):
        texts = F.filter(F.transform(column, lambda value: F.trim(value.cast("string"))), _is_value)
        numbers = F.transform(texts, lambda text: F.when(text.rlike(NUMBER), text.try_cast("double")))
        if isinstance(kind.elementType, NumericType):
            numbers = F.filter(F.transform(column, lambda value: value.cast("double")), lambda value: ~F.isnan(value))
        held = F.size(column)
        whole = F.forall(texts, lambda text: text.rlike(WHOLE) & text.try_cast("bigint").isNotNull())
        return {
            "values": F.count(F.when(held > 0, 1)),
            "integers": F.count(F.when(whole & (held > 0), 1)),
            "numbers": F.count(F.when(F.forall(numbers, lambda number: number.isNotNull()) & (held > 0), 1)),
            "distinct": F.lit(0),
            "minimum": F.min(F.array_min(numbers)),
            "maximum": F.max(F.array_max(numbers)),
            "minus_one": F.count(F.when(F.array_contains(texts, str(MISSING_INTEGER)), 1)),
            "gaps": F.count(F.when(F.size(texts) < held, 1)),
            "shortest": F.min(F.when(held >= 0, held)),
            "longest": F.max(held),
        }
    text = F.trim(column.cast("string"))
    value = F.when(_is_value(text), text)
    if isinstance(kind, NumericType):  # through its text, a number of 32 bits would be another one
        number = F.when(value.isNotNull(), column.cast("double"))
        whole = F.when(number == F.rint(number), column.try_cast("bigint"))
    else:
        whole = F.when(value.rlike(WHOLE), value.try_cast("bigint"))
        # A whole number beyond 64 bits is an id: as a float it would be another one.
        number = F.when(value.rlike(NUMBER) & (~value.rlike(WHOLE) | whole.isNotNull()), value.try_cast("double"))
    # A NaN among numbers is no value anyway.
    known = INFINITE_MARKS if isinstance(kind, NumericType) else MISSING_MARKS
    marks = {f"mark{MISSING_MARKS.index(mark)}": F.count(F.when(text == mark, 1)) for mark in known}
    return {
        "values": F.count(value),
        "integers": F.count(whole),
        "numbers": F.count(F.when(F.abs(number) != float("inf"), 1)),
        "distinct": F.approx_count_distinct(value, 0.02),
        "minimum": F.min(number),
        "maximum": F.max(number),
        "minus_one": F.count(F.when(number == MISSING_INTEGER, 1)),
        "gaps": F.lit(0),
        "shortest": F.lit(None).cast("int"),
        "longest": F.lit(None).cast("int"),
        **marks,
    }


def _is_value(text: Column) -> Column:
    return text.isNotNull() & ~text.isin("", *MISSING_MARKS)


def _kind(kind: DataType, facts: _Facts) -> Kind:
    inner = kind.elementType if isinstance(kind, ArrayType) else kind
    if isinstance(inner, FractionalType) and not (isinstance(inner, DecimalType) and not inner.scale):
        return "float"
    if not facts.values:
        return "integer" if isinstance(inner, IntegralType) else "string"
    if facts.integers == facts.values:
        # In an integer field -1 means "no value": where it is a value, the field is one of floats, or of texts where
        # floats would not tell its numbers apart.
        large = max(abs(facts.minimum or 0), abs(facts.maximum or 0)) > EXACT
        return ("string" if large else "float") if facts.minus_one else "integer"
    return "float" if facts.numbers == facts.values and not isinstance(inner, DecimalType) else "string"


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
    texts = {name: F.trim(F.col(quoted(name)).cast("string")) for name in wanted}
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
    spelt: dict[float, list[str]] = {}
    for value in values:
        spelt.setdefault(float(value), []).append(value)
    if 2 <= len(spelt) <= LABEL_VALUES and all(value == int(value) for value in spelt):
        # A text stays as it is written, 1.0 or 1; a number is known by its class however wide it is.
        texts = isinstance(kind, StringType)
        return Label(name, tuple(tuple(spelt[one]) if texts else (str(int(one)),) for one in sorted(spelt)))
    return Label(name, minimum=_plain(facts.minimum), maximum=_plain(facts.maximum))


def _plain(value: float | None) -> float | None:
    return int(value) if value is not None and abs(value) < EXACT and value == int(value) else value
