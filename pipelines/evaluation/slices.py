"""Slices of the held-out rows by raw fields: which a row belongs to, and what was measured of each."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from emberline.features.dataset_version import DatasetVersion
from emberline.features.errors import BadInputError
from emberline.features.names import quoted
from emberline.features.profile.charts import figure
from emberline.features.schema import Field, Schema
from emberline.features.validation.rows import check_rows
from emberline.pipelines.datasets import load_dataset
from emberline.pipelines.datasets.source_format import read_source
from emberline.pipelines.metrics.grouped import ALL, GROUPS, GroupMetrics
from emberline.pipelines.recipe import Recipe, slice_bounds

MOST_SLICES = 20
"""Of each field, the values with most rows are measured; the others are counted."""

PREFIX = "slice_"
"""Before the field's name where the scored rows have it, so that it cannot collide with a column of predictions."""

MISSING = "(missing)"
QUARTILES = (0.25, 0.5, 0.75)
QUANTILE_ERROR = 0.001


def require_sliceable(recipe: Recipe, schema: Schema) -> None:
    """Refuses slices that the data cannot have.

    Raises:
        BadInputError: for an unknown field, one of several values per row, or bounds of a text.
    """
    for declared in recipe.evaluation.slices:
        name, bounds = slice_bounds(declared)
        field = schema.field(name)
        if field.is_file:
            raise BadInputError(f"evaluation.slices has {name!r}, a field of {field.kind}s. Take a field of values.")
        if field.array:
            raise BadInputError(f"evaluation.slices has {name!r}, which holds several values per row. Take another.")
        if bounds and field.kind == "string":
            raise BadInputError(f"evaluation.slices has {declared!r}, and {name!r} is a text: leave out the bounds.")


def with_slices(spark: SparkSession, scored: DataFrame, recipe: Recipe, version: DatasetVersion) -> DataFrame:
    """Adds the raw values of the fields that the recipe slices by to scored rows.

    Args:
        spark: The session.
        scored: Rows with the key.
        recipe: Names the data set and the slices.
        version: Names the raw files, whose held-out split is read again: a dataset version holds only what networks
            read.

    Returns:
        The same rows, with a column of text `slice_FIELD` for each slice; null where the raw files have no such row.
    """
    schema = load_dataset(recipe.dataset).schema
    require_sliceable(recipe, schema)
    declared = [slice_bounds(text) for text in recipe.evaluation.slices]
    fields = [schema.field(name) for name, _ in declared]
    raw = read_source(spark, load_dataset(recipe.dataset), version.manifest["source"], "eval")
    checked = check_rows(raw, schema.subset({field.name for field in fields}), labelled=False)
    values = checked.select(*(F.col(quoted(name)) for name in (schema.key, *(field.name for field in fields))))
    quartiles = _quartiles(values, [field for field, (_, bounds) in zip(fields, declared, strict=True) if not bounds])
    named = [
        _shown(field, bounds or quartiles.get(field.name, ())).alias(PREFIX + field.name)
        for field, (_, bounds) in zip(fields, declared, strict=True)
    ]
    # Few columns and one row per key: equal raw rows share theirs, and are equal in every field.
    slices = values.select(F.col(quoted(schema.key)), *named).distinct()
    _require_one_per_key(slices, schema.key)
    return scored.join(slices, schema.key, "left")


def _require_one_per_key(slices: DataFrame, key: str) -> None:
    several = slices.groupBy(F.col(quoted(key)).alias("key")).count().where(F.col("count") > 1).limit(1).collect()
    if several:
        raise BadInputError(
            f"The held-out rows of the key {key}={several[0]['key']!r} lie in {several[0]['count']} slices: "
            "predictions are joined with raw rows by their keys. Name a key that tells rows apart, or set "
            "evaluation.slices=()."
        )


def _quartiles(values: DataFrame, fields: Sequence[Field]) -> dict[str, tuple[float, ...]]:
    numbers = [field.name for field in fields if field.kind != "string"]
    if not numbers:
        return {}
    found = values.approxQuantile(numbers, list(QUARTILES), QUANTILE_ERROR)
    return {name: tuple(sorted(set(bounds))) for name, bounds in zip(numbers, found, strict=True)}


def _shown(field: Field, bounds: tuple[float, ...]) -> Column:
    """The slice a value belongs to, in words."""
    value = F.col(quoted(field.name))
    if field.kind == "string":
        return F.coalesce(value, F.lit(MISSING))
    if not bounds:
        return F.lit(MISSING)  # a number field without any value
    words = F.when(value.isNull(), F.lit(MISSING)).when(value < bounds[0], F.lit(f"below {figure(bounds[0])}"))
    for low, high in itertools.pairwise(bounds):
        words = words.when(value < high, F.lit(f"{figure(low)} to {figure(high)}"))
    return words.otherwise(F.lit(f"{figure(bounds[-1])} and more"))


@dataclass(frozen=True)
class Slices:
    """The slices that are measured.

    Args:
        groups: Number of the group by field and value; 0 is all rows.
        left_out: By field, how many values are not measured, and their rows.
    """

    groups: Mapping[tuple[str, str], int]
    left_out: Mapping[str, Mapping[str, int]]

    @classmethod
    def of(cls, scored: DataFrame) -> "Slices":
        """Returns the most frequent values of every column that `with_slices` added.

        Raises:
            BadInputError: if the raw files lack rows of the dataset version.
        """
        columns = [name for name in scored.columns if name.startswith(PREFIX)]
        absent = scored.where(F.col(quoted(columns[0])).isNull()).count() if columns else 0
        if absent:
            raise BadInputError(
                f"{absent:,} held-out rows are not in the raw files of their dataset version any more, so nobody knows "
                "their slices. Put the files back, run etl and train again, or set evaluation.slices=()."
            )
        groups: dict[tuple[str, str], int] = {}
        left_out = {}
        for column in columns:
            field = column.removeprefix(PREFIX)
            counts = scored.groupBy(F.col(quoted(column)).alias("value")).agg(F.count(F.lit(1)).alias("rows"))
            most = counts.orderBy(F.col("rows").desc(), "value").limit(MOST_SLICES + 1).collect()
            for row in most[:MOST_SLICES]:
                groups[field, row["value"]] = len(groups) + 1
            if len(most) > MOST_SLICES:
                values, rows = counts.agg(F.count(F.lit(1)), F.sum("rows")).collect()[0]
                kept = sum(row["rows"] for row in most[:MOST_SLICES])
                left_out[field] = {"values": values - MOST_SLICES, "rows": rows - kept}
        return cls(groups, left_out)

    def grouped(self, scored: DataFrame) -> DataFrame:
        """Adds the numbers of their groups to the rows."""
        if not self.groups:
            return scored
        numbers = [F.lit(ALL)]
        for field in dict.fromkeys(field for field, _ in self.groups):
            known = itertools.chain(
                *((F.lit(value), F.lit(number)) for (name, value), number in self.groups.items() if name == field)
            )
            numbers.append(F.element_at(F.create_map(*known), F.col(quoted(PREFIX + field))))
        return scored.withColumn(GROUPS, F.array_compact(F.array(*numbers)))

    def table(self, measured: Mapping[int, GroupMetrics]) -> dict[str, dict[str, dict[str, float]]]:
        """Returns metrics by field and value, of the values with most rows first."""
        found: dict[str, dict[str, dict[str, float]]] = {}
        for (field, value), number in self.groups.items():
            found.setdefault(field, {})[value] = measured[number].metrics
        return found

    def details(self) -> dict[str, Any]:
        """Returns what to report about the slices that were left out; empty if there are none."""
        left_out = {field: dict(counts) for field, counts in self.left_out.items()}
        return {"slices_left_out": left_out} if left_out else {}
