"""Checks raw rows against the schema, in Spark: every row is either typed and good, or carries a reason."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import NumericType

from features.errors import BadInputError, nearest
from features.schema import Field, Schema

RAW, SOURCE, FAULT, REASON = "_raw", "_source", "_fault", "reason"
"""Columns beside the fields: the row as it came, the file it came from, what a reader found wrong, the verdict."""


def check_rows(rows: DataFrame, schema: Schema, *, labelled: bool) -> DataFrame:
    """Types every row and says what is wrong with the bad ones.

    Args:
        rows: Raw rows with one column per field (text or already typed), the key and, when `labelled`, the
            label; `_raw`, `_source` and `_fault` (a reader's own complaint, or null) beside them.
        schema: What a good row looks like.
        labelled: Whether the label is read and checked.

    Returns:
        The key, the typed fields, the label as float, a class id or a number (only when `labelled`), `_raw`,
        `_source`, and `reason`: null for a good row, otherwise every complaint, joined by "; ".

    Raises:
        BadInputError: if a column is missing altogether, naming the nearest one present.
    """
    wanted = [field.name for field in schema.fields] + ([schema.label.name] if labelled else [])
    absent = [name for name in wanted if name not in rows.columns]
    if absent:
        present = [name for name in rows.columns if not name.startswith("_") and name not in wanted]
        hints = " ".join(f"Column {name!r} is missing. {nearest(name, present)}" for name in absent)
        raise BadInputError(f"{len(absent)} of {len(wanted)} columns are not in the data. {hints}")
    numeric = {field.name for field in rows.schema.fields if isinstance(field.dataType, NumericType)}
    faults = [F.col(FAULT)]
    values = [F.col(schema.key)]
    for field in schema.fields:
        value, fault = _check(field, typed=field.name in numeric)
        values.append(value.alias(field.name))
        # A row its reader could not split has no fields to complain about.
        faults.append(F.when(F.col(FAULT).isNull(), fault))
    if labelled:
        label, fault = _check_label(schema)
        values.append(label.alias(schema.label.name))
        faults.append(F.when(F.col(FAULT).isNull(), fault))
    reason = F.concat_ws("; ", *faults)
    return rows.select(*values, RAW, SOURCE, F.when(reason != "", reason).alias(REASON))


def _check(field: Field, *, typed: bool) -> tuple[Column, Column]:
    """The typed value and the complaint about it (null when there is none)."""
    column = F.col(f"`{field.name}`")
    text = F.trim(column.cast("string"))
    missing = text.isNull() | text.isin("", *field.missing)
    source = column if typed else text
    value = F.when(~missing, source.try_cast(field.spark_type))
    shown = F.concat(F.lit(f"{field.name}: '"), F.substring(text, 1, 80), F.lit("' "))
    kind = {"integer": "an integer", "float": "a number", "string": "a text"}[field.kind]
    fault = F.when(~missing & value.isNull(), F.concat(shown, F.lit(f"is not {kind}")))
    if field.required:
        fault = fault.when(missing, F.lit(f"{field.name}: no value, and one is required"))
    if field.minimum is not None:
        fault = fault.when(value < field.minimum, F.concat(shown, F.lit(f"is below {field.minimum:g}")))
    if field.maximum is not None:
        fault = fault.when(value > field.maximum, F.concat(shown, F.lit(f"is above {field.maximum:g}")))
    if field.allowed:
        fault = fault.when(~missing & ~value.isin(*field.allowed), F.concat(shown, F.lit("is not a known value")))
    return value, fault


def _check_label(schema: Schema) -> tuple[Column, Column]:
    label = schema.label
    if label.task == "regression":
        number = Field(label.name, "float", minimum=label.minimum, maximum=label.maximum, required=True)
        value, fault = _check(number, typed=False)
        return value.cast("float"), fault
    text = F.trim(F.col(f"`{label.name}`").cast("string"))
    value = F.lit(None)
    for index, names in enumerate(label.classes):
        value = F.when(text.isin(*names), float(index)).otherwise(value)
    value = value.cast("float")
    expected = ", ".join(repr(word) for names in label.classes for word in names)
    shown = F.concat(F.lit(f"{label.name}: '"), F.substring(F.coalesce(text, F.lit("")), 1, 80), F.lit("' "))
    return value, F.when(value.isNull(), F.concat(shown, F.lit(f"is not one of {expected}")))
