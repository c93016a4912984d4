"""Checks raw rows against the schema, in Spark: every row is either typed and good, or carries a reason.

What makes a whole split suspicious is for `emberline.features.validation.anomalies`; it reads the reasons through
`fault_counts`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    DataType,
    FractionalType,
    MapType,
    NumericType,
    StructType,
    VariantType,
)

from emberline.features.errors import BadInputError, nearest
from emberline.features.names import quoted
from emberline.features.schema import Field, Label, Schema
from emberline.features.validation.images import UNREADABLE, check_images
from emberline.features.validation.numbers import to_number
from emberline.features.validation.sounds import UNHEARD, check_sounds

RAW, SOURCE, FAULT, REASON = "_raw", "_source", "_fault", "reason"
"""Columns beside the fields: the row as it came, the file it came from, what a reader found wrong, the verdict."""

OTHER_REASON = "_reason"
"""The verdict's name where a field, the label or the key is called `reason`."""

NO_VALUE = "no value, and one is required"
NOT_A = {"integer": "is not an integer", "float": "is not a number", "string": "is not a text"}
BELOW, ABOVE, UNKNOWN = "is below", "is above", "is not a known value"
INFINITE, NO_CLASS = "is not finite", "is not one of"
NOT_BYTES = "is not of a binary type"
NO_ARRAY, NOT_SINGLE, LENGTH, GAP = "is not an array", "is not a single value", "is not an array of", "has a gap"

KINDS = {
    NO_VALUE: "missing",
    **dict.fromkeys((*NOT_A.values(), NO_ARRAY, NOT_SINGLE, NOT_BYTES, UNREADABLE, UNHEARD), "type"),
    **dict.fromkeys((BELOW, ABOVE, UNKNOWN, INFINITE, NO_CLASS, LENGTH, GAP), "domain"),
}
"""What each complaint is about; a reader's own complaints are about the `row`."""

_NUMBER = f"{RAW}.number."
"""How columns begin that are there while rows are checked: the number that a field's text says."""

_NUMBERS = {"integer": "bigint", "float": "double"}
_NO_TEXTS = (NumericType, BooleanType, ArrayType, MapType, StructType, BinaryType, VariantType)

SHOWN = 80
"""Characters of a bad value that a reason shows."""


def check_rows(rows: DataFrame, schema: Schema, *, labelled: bool, carried: Sequence[str] = ()) -> DataFrame:
    """Converts every row to the schema's types and names what is wrong with the bad ones.

    Args:
        rows: Raw rows with one column per field (text or already typed; arrays for fields with a shape or of many
            values), the key and, when `labelled`, the label; `_raw`, `_source` and `_fault` (a reader's own
            complaint, or null) beside them.
        schema: What a good row looks like.
        labelled: Whether the label is read and checked.
        carried: Further columns that pass through as they are.

    Returns:
        The key, the typed fields (an image that has a shape as bare pixels, with its size before that beside it), the
        label as float (only when `labelled`; a class as its id), `_raw`, `_source`, and `reason`: null for a good row,
        otherwise every complaint, joined by "; " (`_reason` where a column of the schema is called `reason`). A NaN is
        a missing value, and so is an empty array.

    Raises:
        BadInputError: if a column is missing altogether, naming the nearest one present.
    """
    wanted = [field.name for field in schema.fields]
    wanted += [label.name for label in schema.labels] if labelled else []
    absent = [name for name in wanted if name not in rows.columns]
    if absent:
        present = [name for name in rows.columns if not name.startswith("_") and name not in wanted]
        hints = " ".join(f"Column {name!r} is missing. {nearest(name, present)}" for name in absent)
        raise BadInputError(f"{len(absent)} of {len(wanted)} columns are not in the data. {hints}")
    types = {column.name: column.dataType for column in rows.schema.fields}
    rows = _with_numbers(rows, schema, types, labelled)
    key = F.col(quoted(schema.key)).cast("string")
    values = [key.alias(schema.key)]
    checks = [F.when(key.isNull(), F.lit(f"{schema.key}: {NO_VALUE}"))]
    for field in schema.fields:
        check = _check_file if field.is_file else _check_array if field.array else _check_single
        value, fault = check(field, types[field.name])
        values.append(value.alias(field.name))
        checks.append(fault)
    for label in schema.labels if labelled else ():
        value, fault = _check_label(label, types[label.name])
        values.append(value.alias(label.name))
        checks.append(fault)
    # A row its reader could not split has no fields to complain about.
    reason = F.coalesce(FAULT, F.concat_ws("; ", *checks))
    others = [F.col(quoted(name)) for name in carried]
    verdict = reason_beside([*schema.names, *carried])
    checked = rows.select(*values, *others, RAW, SOURCE, F.nullif(reason, F.lit("")).alias(verdict))
    return check_images(check_sounds(checked, schema, verdict), schema, verdict)


def reason_beside(names: Collection[str]) -> str:
    """Returns the name of the verdict of `check_rows` beside columns of these names."""
    return OTHER_REASON if REASON in names else REASON


def reason_of(columns: Collection[str]) -> str:
    """Returns which of the columns of checked rows is the verdict."""
    return OTHER_REASON if OTHER_REASON in columns else REASON


def masked_reason(name: str = REASON) -> Column:
    """Returns the reason, in the column `name`, with values struck out, so that a million bad ages are one reason."""
    return F.regexp_replace(name, r"'[^']*'", "'…'")


def fault_counts(reasons: Mapping[str, int], schema: Schema) -> dict[tuple[str, str], int]:
    """Counts rejected rows by what was wrong with them.

    Args:
        reasons: Rows by masked reason (`masked_reason`).
        schema: The schema they were checked against.

    Returns:
        Rows by `(field, kind)`; kind is `missing`, `type`, `domain` or, with an empty field, `row` (its reader
        could not take it apart). A row with two faults counts twice.
    """
    names = sorted(schema.names, key=len, reverse=True)
    counts: dict[tuple[str, str], int] = {}
    for reason, rows in reasons.items():
        for complaint in reason.split("; "):
            name = next((name for name in names if complaint.startswith(f"{name}: ")), "")
            said = complaint.removeprefix(f"{name}: ").removeprefix("'…' ")
            # The longest phrase that fits: "is not an array of" begins like "is not an array".
            phrase = max((phrase for phrase in KINDS if said.startswith(phrase)), key=len, default="")
            fault = (name, KINDS[phrase]) if name and phrase else ("", "row")
            counts[fault] = counts.get(fault, 0) + rows
    return counts


@dataclass(frozen=True)
class _Given:
    """A value as it came.

    Args:
        column: Itself.
        type: Its type.
        number: What it says, if it is a text and the field is an integer or a float.
    """

    column: Column
    type: DataType
    number: Column

    @classmethod
    def field(cls, name: str, given: DataType) -> "_Given":
        """Returns that of a column of rows that `_with_numbers` has prepared."""
        return cls(F.col(quoted(name)), given, F.col(quoted(_NUMBER + name)))

    @classmethod
    def element(cls, value: Column, kind: str, given: DataType) -> "_Given":
        """Returns one of an array."""
        return cls(value, given, to_number(value.cast("string"), _NUMBERS.get(kind, "double")))

    @property
    def text(self) -> Column:
        """Itself as a text without blanks around it."""
        return F.trim(self.column.cast("string"))


def _with_numbers(rows: DataFrame, schema: Schema, types: Mapping[str, DataType], labelled: bool) -> DataFrame:
    """Adds the numbers that texts say, as columns of their own: where several expressions look at one, Spark would
    compute it for each.
    """
    kinds = {field.name: field.kind for field in schema.fields if not field.array}
    if labelled:
        kinds |= {label.name: "float" for label in schema.labels if not label.classes}
    numbers = {name: _NUMBERS[kind] for name, kind in kinds.items() if kind in _NUMBERS}
    return rows.withColumns(
        {
            _NUMBER + name: to_number(F.col(quoted(name)).cast("string"), kind)
            for name, kind in numbers.items()
            if not isinstance(types[name], _NO_TEXTS)
        }
    )


def _check_single(field: Field, given: DataType) -> tuple[Column, Column]:
    """The typed value and the complaint about it (null when there is none)."""
    column = F.col(quoted(field.name))
    if isinstance(given, ArrayType | MapType | StructType | BinaryType | VariantType):
        text = F.when(column.isNotNull(), F.lit(given.simpleString()))
        return F.lit(None).cast(field.spark_type), F.when(column.isNotNull(), _shown(field.name, text, NOT_SINGLE))
    value = _Given.field(field.name, given)
    missing, converted = _missing(field, value), _converted(field, value)
    fault = F.when(~missing, _value_fault(field, value.text, converted))
    if field.required:
        fault = fault.when(missing, F.lit(f"{field.name}: {NO_VALUE}"))
    return F.when(~missing, converted), fault


def _check_file(field: Field, given: DataType) -> tuple[Column, Column]:
    """The same for an image or a sound, of which only the bytes are looked at here."""
    column = F.col(quoted(field.name))
    if not isinstance(given, BinaryType):
        text = F.when(column.isNotNull(), F.lit(given.simpleString()))
        return F.lit(None).cast("binary"), F.when(column.isNotNull(), _shown(field.name, text, NOT_BYTES))
    return column, F.when(column.isNull() & F.lit(field.required), F.lit(f"{field.name}: {NO_VALUE}"))


def _check_array(field: Field, given: DataType) -> tuple[Column, Column]:
    """The same for a field that holds an array per row."""
    column = F.col(quoted(field.name))
    text = F.trim(column.cast("string")) if not isinstance(given, BinaryType) else F.lit("binary")
    flat = isinstance(given, ArrayType) and not isinstance(given.elementType, ArrayType | MapType | StructType)
    if not flat:
        missing = column.isNull() | text.isin("", *field.missing)
        array, fault = F.lit(None), F.when(~missing, _shown(field.name, text, NO_ARRAY))
    else:
        missing = column.isNull() | (F.size(column) == 0)
        kind: DataType = given.elementType  # type: ignore[attr-defined]
        array = F.when(
            ~missing, F.transform(column, lambda value: _element(field, _Given.element(value, field.kind, kind)))
        )
        gaps = F.exists(column, lambda value: _missing(field, _Given.element(value, field.kind, kind)))
        complaints = F.transform(column, lambda value: _element_fault(field, _Given.element(value, field.kind, kind)))
        fault = F.when(~missing & gaps, _shown(field.name, text, f"{GAP}: a value of it is missing"))
        if field.shape:
            size = _product(field.shape)
            fault = fault.when(~missing & (F.size(column) != size), _shown(field.name, text, f"{LENGTH} {size} values"))
        fault = fault.when(~missing, F.get(F.filter(complaints, lambda found: found.isNotNull()), F.lit(0)))
    if field.required:
        fault = fault.when(missing, F.lit(f"{field.name}: {NO_VALUE}"))
    return array.cast(field.spark_type), fault


def _element(field: Field, value: _Given) -> Column:
    return F.when(~_missing(field, value), _converted(field, value))


def _element_fault(field: Field, value: _Given) -> Column:
    return F.when(~_missing(field, value), _value_fault(field, value.text, _converted(field, value)))


def _missing(field: Field, value: _Given) -> Column:
    """Whether a single value stands for no value at all."""
    if isinstance(value.type, NumericType | BooleanType):
        # Only what needs it turns numbers into text: it costs more than everything else here.
        none = value.column.isNull()
        missing = none | value.text.isin(*field.missing) if field.missing else none
        # pandas writes integers with gaps as floats with NaN.
        return missing | F.isnan(value.column.cast("double")) if isinstance(value.type, FractionalType) else missing
    missing = value.text.isNull() | value.text.isin("", *field.missing)
    return missing | F.isnan(F.coalesce(value.number, F.lit(0.0))) if field.kind == "float" else missing


def _converted(field: Field, value: _Given) -> Column:
    """A single value in the field's type, null when it has none there."""
    if field.kind == "string":
        return value.text
    if not isinstance(value.type, NumericType | BooleanType):
        return value.number
    number = value.column.try_cast(_NUMBERS[field.kind])
    # A cast would cut 39.7 down to 39 without a word.
    cut = field.kind == "integer" and isinstance(value.type, FractionalType)
    return F.when(value.column.cast("double") == number.cast("double"), number) if cut else number


def _value_fault(field: Field, text: Column, value: Column) -> Column:
    """The complaint about a single value that is not missing."""
    fault = F.when(value.isNull(), _shown(field.name, text, NOT_A[field.kind]))
    if field.kind == "float":
        fault = fault.when(F.abs(value) == float("inf"), _shown(field.name, text, INFINITE))
    if field.minimum is not None:
        fault = fault.when(value < field.minimum, _shown(field.name, text, f"{BELOW} {field.minimum:g}"))
    if field.maximum is not None:
        fault = fault.when(value > field.maximum, _shown(field.name, text, f"{ABOVE} {field.maximum:g}"))
    if field.allowed:
        fault = fault.when(~value.isin(*field.allowed), _shown(field.name, text, UNKNOWN))
    return fault


def _check_label(label: Label, given: DataType) -> tuple[Column, Column]:
    value = _Given.field(label.name, given)
    column, text = value.column, value.text
    missing = text.isNull() | (text == "")
    if not label.classes:
        # Limits are compared before a label becomes as narrow as networks want it: 13.1 of 32 bits is above 13.1.
        number = column.cast("double") if isinstance(given, NumericType) else value.number
        fault = F.when(missing, F.lit(f"{label.name}: {NO_VALUE}"))
        fault = fault.when(number.isNull() | F.isnan(number), _shown(label.name, text, NOT_A["float"]))
        fault = fault.when(F.abs(number.cast("float")) == float("inf"), _shown(label.name, text, INFINITE))
        if label.minimum is not None:
            fault = fault.when(number < label.minimum, _shown(label.name, text, f"{BELOW} {label.minimum:g}"))
        if label.maximum is not None:
            fault = fault.when(number > label.maximum, _shown(label.name, text, f"{ABOVE} {label.maximum:g}"))
        return number.cast("float"), fault
    if isinstance(given, FractionalType):  # 1.0 is the class "1"
        whole = column.try_cast("bigint")
        same = F.when(whole.cast("double") == column.cast("double"), whole.cast("string"))
        spellings = [text, same]
    elif isinstance(given, BooleanType):
        spellings = [text, F.initcap(text), column.cast("int").cast("string")]
    else:
        spellings = [text]
    # A condition per class, each within the next, is too deep for Spark where there are hundreds.
    pairs = [(name, number) for number, names in enumerate(label.classes) for name in names]
    ids = F.create_map(*(F.lit(part) for pair in pairs for part in pair))
    number = F.coalesce(*(F.try_element_at(ids, spelt) for spelt in spellings)).cast("float")
    expected = ", ".join(repr(word) for names in label.classes for word in names)
    fault = F.when(missing & number.isNull(), F.lit(f"{label.name}: {NO_VALUE}"))
    return number, fault.when(number.isNull(), _shown(label.name, text, f"{NO_CLASS} {expected}"))


def _shown(name: str, text: Column, complaint: str) -> Column:
    # Quotes end a value where reasons are counted: one inside the value must not.
    value = F.translate(F.substring(text, 1, SHOWN), "'", "’")
    return F.concat(F.lit(f"{name}: '"), value, F.lit(f"' {complaint}"))


def _product(sizes: tuple[int, ...]) -> int:
    product = 1
    for size in sizes:
        product *= size
    return product
