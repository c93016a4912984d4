"""Learns statistics of all fields in Spark, in two passes over the data whatever their number."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from features import storage
from features.schema import Field, Schema
from features.statistics import (
    FieldStatistics,
    LearnedQuantiles,
    LearnedVocabulary,
    Need,
    Statistics,
    VocabularyFile,
    merged,
)

QUANTILES = 100
"""Quantiles are learned at every 1/100 of the ranks, or finer if a column asks for more buckets."""

QUANTILE_ACCURACY = 100_000
"""Spark's `percentile_approx` is off by at most 1/accuracy of the ranks; below 100,000 rows it is exact."""

LISTED_WORDS = 10_000
"""Words kept per text field for `features.json`; a learned vocabulary may ask for more."""


def analyze(rows: DataFrame, schema: Schema, folder: str, needs: Iterable[Need] = ()) -> Statistics:
    """Statistics of checked, labelled rows.

    Args:
        rows: Good rows, typed as `features.validation.check_rows` leaves them.
        schema: Their fields and label.
        folder: URI of the folder that takes the vocabulary files.
        needs: What the columns ask for.

    Returns:
        The same statistics for the same rows, in whatever order or partitioning they come.
    """
    by_field = merged(needs)
    quantiles = max(
        [QUANTILES, *(need.parts for all in by_field.values() for need in all if isinstance(need, LearnedQuantiles))]
    )
    listed_words = LISTED_WORDS
    numbers = [field for field in schema.fields if field.kind != "string"]
    texts = [field for field in schema.fields if field.kind == "string"]
    label = Field(schema.label.name, "float")
    totals = [F.count(F.lit(1)).alias("rows")]
    totals += [F.count_if(F.col(f"`{label.name}`") == i).alias(f"class {i}") for i in range(len(schema.label.classes))]
    measures = [
        measure.alias(f"{field.name}.{name}")
        for field in [*numbers, label]
        for name, measure in _measures(field, quantiles)
    ]
    row = rows.agg(*totals, *measures).first()
    found = row.asDict() if row else {}
    total = int(found["rows"])
    fields = {field.name: _number_statistics(field, found, total) for field in numbers}
    fields |= _text_statistics(rows, texts, total, listed_words)
    for name, facts in fields.items():
        asked = [need for need in by_field.get(name, ()) if isinstance(need, LearnedVocabulary)]
        if asked:
            path = f"vocabularies/{name}.txt"
            storage.make_dirs(storage.join(folder, "vocabularies"))
            text = "".join(f"{word}\t{count}\n" for word, count in facts.top)
            storage.write_bytes_atomic(storage.join(folder, path), text.encode())
            fields[name] = replace(facts, vocabulary=VocabularyFile(path, len(facts.top)))
    classes = tuple(int(found[f"class {i}"]) for i in range(len(schema.label.classes)))
    return Statistics(total, classes, None if classes else _number_statistics(label, found, total), fields, folder)


def _measures(field: Field, quantiles: int) -> list[tuple[str, Column]]:
    value = F.col(f"`{field.name}`").cast("double")
    # `greatest` passes over nulls: unguarded, every missing value would count as a zero.
    logarithm = F.when(value.isNotNull(), F.log1p(F.greatest(value, F.lit(0.0))))
    ranks = [index / quantiles for index in range(quantiles + 1)]
    return [
        ("count", F.count(value)),
        ("mean", F.avg(value)),
        ("deviation", F.stddev_pop(value)),
        ("minimum", F.min(value)),
        ("maximum", F.max(value)),
        ("log_mean", F.avg(logarithm)),
        ("log_deviation", F.stddev_pop(logarithm)),
        ("quantiles", F.percentile_approx(value, ranks, QUANTILE_ACCURACY)),
    ]


def _number_statistics(field: Field, found: dict[str, Any], total: int) -> FieldStatistics:
    def rounded(name: str) -> float | None:
        # Sums of floats depend on the order of partitions in their last bits; twelve digits do not.
        value = found[f"{field.name}.{name}"]
        return None if value is None else float(f"{value:.12g}")

    count = int(found[f"{field.name}.count"])
    return FieldStatistics(
        count=count,
        missing=total - count,
        mean=rounded("mean"),
        deviation=rounded("deviation"),
        minimum=rounded("minimum"),
        maximum=rounded("maximum"),
        log_mean=rounded("log_mean"),
        log_deviation=rounded("log_deviation"),
        quantiles=tuple(found[f"{field.name}.quantiles"] or ()),
    )


def _text_statistics(rows: DataFrame, texts: list[Field], total: int, listed_words: int) -> dict[str, FieldStatistics]:
    if not texts:
        return {}
    pairs = F.explode(
        F.array(
            *(F.struct(F.lit(field.name).alias("field"), F.col(f"`{field.name}`").alias("word")) for field in texts)
        )
    )
    counts = (
        rows.select(pairs.alias("pair"))
        .select("pair.*")
        .where(F.col("word").isNotNull())
        .groupBy("field", "word")
        .agg(F.count(F.lit(1)).alias("count"))
    )
    # Ties broken by the word itself, so that two runs agree on every id.
    listed = F.slice(F.array_sort(F.collect_list(F.struct((-F.col("count")).alias("rank"), "word"))), 1, listed_words)
    grouped = counts.groupBy("field").agg(
        F.sum("count").alias("count"), F.count(F.lit(1)).alias("distinct"), listed.alias("words")
    )
    found = {row["field"]: row for row in grouped.collect()}
    statistics = {}
    for field in texts:
        row = found.get(field.name)
        count = int(row["count"]) if row else 0
        words = tuple((pair["word"], -int(pair["rank"])) for pair in row["words"]) if row else ()
        statistics[field.name] = FieldStatistics(
            count=count, missing=total - count, distinct=int(row["distinct"]) if row else 0, top=words
        )
    return statistics
