"""What metrics are: numbers by name of all rows together, and of each group of them."""

from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from emberline.features.errors import BadInputError

GROUPS, GROUP = "_groups", "_group"
"""Column of the numbers of all groups a row belongs to; and of one of them, once rows are spread over their groups."""

ALL = 0
"""The group of all rows."""


@dataclass(frozen=True)
class GroupMetrics:
    """What a model is worth on rows it never saw.

    Args:
        metrics: Numbers by name; `rows` among them. What some rows do not define, such as the AUC of rows of one
            class, is left out.
        details: What is no single number, as plain values of bounded size.
    """

    metrics: dict[str, float]
    details: dict[str, Any] = field(default_factory=dict)


def spread(rows: DataFrame) -> DataFrame:
    """Returns every row once for each of its groups.

    Args:
        rows: With `GROUPS`, an array of integers; without it, every row belongs to `ALL` alone. Select what the
            metrics need of a row before: it is copied, and not computed again, for every group.

    Returns:
        The rows, `GROUPS` replaced by `GROUP`.
    """
    if GROUPS not in rows.columns:
        return rows.withColumn(GROUP, F.lit(ALL))
    return rows.withColumn(GROUP, F.explode(GROUPS)).drop(GROUPS)


def groups_of(rows: DataFrame) -> list[str]:
    """Returns the column `GROUPS`, where there is one, to select beside others."""
    return [GROUPS] if GROUPS in rows.columns else []


def require_rows(rows: float) -> None:
    """Refuses to measure nothing.

    Raises:
        BadInputError: if there are no rows.
    """
    if not rows:
        raise BadInputError("There are no scored rows to evaluate.")


def is_unknown(value: Column) -> Column:
    """Returns 1 where a float is missing or NaN, else 0."""
    return (value.isNull() | F.isnan(value)).cast("long")


def require_known(what: str, unknown: int, rows: int) -> None:
    """Refuses to measure some of the rows as if they were all: Spark's sums and means leave out what is missing.

    Args:
        what: `label`, or the name of what was predicted.
        unknown: Rows in which it is unknown.
        rows: All rows.

    Raises:
        BadInputError: if there are such rows.
    """
    if unknown:
        reason = "measure rows whose labels are known" if what == "label" else "the model diverged"
        raise BadInputError(f"The {what} of {unknown:,} of {rows:,} rows is no number: {reason}.")
