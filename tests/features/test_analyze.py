"""Statistics learned in Spark, against numpy and the standard library."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession

from features.analyze import analyze
from features.schema import Field, Label, Schema
from features.statistics import LearnedVocabulary, Statistics

SCHEMA = Schema(
    (Field("age", "integer"), Field("gain", "float"), Field("job", "string")), Label("paid", (("0",), ("1",))), "key"
)
TYPES = "age bigint, gain double, job string, paid float"


@pytest.fixture(scope="module")
def rows() -> list[tuple]:
    generator = np.random.default_rng(3)
    jobs = ["clerk", "nurse", "baker", "Müller", None]
    return [
        (int(age) if age < 90 else None, float(gain), jobs[job], float(paid))
        for age, gain, job, paid in zip(
            generator.integers(0, 100, 3000), generator.normal(0, 1e4, 3000), generator.integers(0, 5, 3000),
            generator.integers(0, 2, 3000), strict=True,
        )
    ]  # fmt: skip


@pytest.fixture(scope="module")
def learned(spark: SparkSession, rows: list[tuple]) -> Statistics:
    return analyze(spark.createDataFrame(rows, TYPES), SCHEMA, "")


def test_numbers_equal_numpys(learned: Statistics, rows: list[tuple]) -> None:
    for index, name in enumerate(("age", "gain")):
        values = np.array([row[index] for row in rows if row[index] is not None], float)
        facts = learned.of(name)
        logarithms = np.log1p(np.maximum(values, 0))
        assert (facts.count, facts.missing) == (len(values), len(rows) - len(values))
        np.testing.assert_allclose(
            [facts.mean, facts.deviation, facts.minimum, facts.maximum, facts.log_mean, facts.log_deviation],
            [values.mean(), values.std(), values.min(), values.max(), logarithms.mean(), logarithms.std()],
            rtol=1e-9,
        )
        ordered, ranks = np.sort(values), np.linspace(0, 1, 101) * (len(values) - 1)
        below, above = np.floor(ranks - 1).astype(int).clip(0), np.ceil(ranks + 1).astype(int).clip(0, len(values) - 1)
        assert np.all((facts.quantiles >= ordered[below]) & (facts.quantiles <= ordered[above]))


def test_vocabularies_are_counted_and_ties_broken_by_the_word(spark: SparkSession, tmp_path: Path) -> None:
    words = ["b", "a", "c", "c", None, "a", "b", "d"]
    rows = spark.createDataFrame([(1, 1.0, word, 1.0) for word in words], TYPES)
    learned = analyze(rows, SCHEMA, str(tmp_path), [LearnedVocabulary("job")])
    facts = learned.of("job")
    with open(learned.vocabulary_uri("job")) as file:
        assert file.read() == "a\t2\nb\t2\nc\t2\nd\t1\n"
    assert facts.top == (("a", 2), ("b", 2), ("c", 2), ("d", 1))
    assert (facts.count, facts.missing, facts.distinct) == (7, 1, 4)


def test_counts_equal_the_standard_librarys(learned: Statistics, rows: list[tuple]) -> None:
    counts = Counter(row[2] for row in rows if row[2] is not None)
    assert dict(learned.of("job").top) == counts
    assert learned.classes[1] == sum(row[3] for row in rows)


def test_order_and_partitioning_do_not_matter(spark: SparkSession, rows: list[tuple], learned: Statistics) -> None:
    shuffled = spark.createDataFrame(rows[::-1], TYPES).repartition(7)
    assert analyze(shuffled, SCHEMA, "") == learned


def test_statistics_survive_json(learned: Statistics) -> None:
    assert Statistics.from_json(learned.to_json()) == learned


def test_fields_without_any_value(spark: SparkSession) -> None:
    facts = analyze(spark.createDataFrame([(None, None, None, 1.0)], TYPES), SCHEMA, "")
    assert facts.of("age").count == 0
    assert facts.of("age").mean is None
    assert facts.of("job").top == ()
