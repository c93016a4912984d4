"""Statistics learned in Spark, against numpy and the standard library."""

import json
import re
import resource
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from emberline.features.analysis.analyze import analyze
from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.features.statistics import LearnedQuantiles, LearnedVocabulary, Statistics

SCHEMA = Schema(
    (Field("age", "integer"), Field("gain", "float"), Field("job", "string")), Label("paid", (("0",), ("1",))), "key"
)
TYPES = "age bigint, gain double, job string, paid float"
NEEDS = [LearnedQuantiles("gain", 7), LearnedVocabulary("job"), LearnedVocabulary("age")]


@pytest.fixture(scope="module")
def rows() -> list[tuple]:
    generator = np.random.default_rng(3)
    jobs = ["clerk", "nurse", "baker", "Müller", None]
    return [
        (int(age) if age < 90 else None, float(gain), jobs[job], float(paid))
        for age, gain, job, paid in zip(
            generator.integers(0, 100, 3000),
            generator.normal(0, 1e4, 3000),
            generator.integers(0, 5, 3000),
            generator.integers(0, 2, 3000),
            strict=True,
        )
    ]


@pytest.fixture(scope="module")
def learned(spark: SparkSession, rows: list[tuple], tmp_path_factory: pytest.TempPathFactory) -> Statistics:
    folder = str(tmp_path_factory.mktemp("learned"))
    return analyze(spark.createDataFrame(rows, TYPES), SCHEMA, folder, NEEDS)


def only(field: Field, label: Label | None = None) -> Schema:
    return Schema((field,), label or Label("label"), "key")


def test_numbers_equal_numpys(learned: Statistics, rows: list[tuple]) -> None:
    for index, name in enumerate(("age", "gain")):
        values = np.array([row[index] for row in rows if row[index] is not None], float)
        facts = learned.of(name)
        logarithms = np.log1p(np.maximum(values, 0))
        assert (facts.count, facts.missing) == (len(values), len(rows) - len(values))
        np.testing.assert_allclose(
            [facts.mean, facts.deviation, facts.minimum, facts.maximum, facts.log_mean, facts.log_deviation],
            [values.mean(), values.std(), values.min(), values.max(), logarithms.mean(), logarithms.std()],
            rtol=1e-11,
        )
        assert facts.zeros == (values == 0).sum()
        assert facts.distinct == len(np.unique(values))
        parts, ordered = len(facts.quantiles) - 1, np.sort(values)
        ranks = [max(1, -(-len(values) * index // parts)) for index in range(parts + 1)]
        assert facts.quantiles == tuple(ordered[rank - 1] for rank in ranks)
        assert facts.rank_error == 0
        shares = np.arange(41) / 40
        edges = values.min() * (1 - shares) + values.max() * shares
        assert facts.histogram == tuple(np.histogram(values, edges)[0])


def test_quantiles_hold_every_share_that_was_asked(learned: Statistics) -> None:
    assert len(learned.of("gain").quantiles) == 141
    assert len(learned.of("age").quantiles) == 101


def test_counts_equal_the_standard_librarys(learned: Statistics, rows: list[tuple]) -> None:
    for index, name in ((0, "age"), (2, "job")):
        counts = Counter(str(row[index]) for row in rows if row[index] is not None)
        ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        assert learned.of(name).top == tuple(ordered)
        with open(learned.vocabulary_uri(name)) as file:
            assert file.read() == "".join(f"{word}\t{count}\n" for word, count in ordered)
    assert learned.classes == tuple(sum(row[3] == value for row in rows) for value in (0.0, 1.0))
    assert learned.of("job").text_lengths == (5, pytest.approx(5 + 0.25, abs=0.05), 6)


def test_order_and_partitioning_do_not_matter(
    spark: SparkSession, rows: list[tuple], learned: Statistics, tmp_path: Path
) -> None:
    shuffled = spark.createDataFrame(rows[::-1], TYPES).repartition(7)
    assert analyze(shuffled, SCHEMA, str(tmp_path), NEEDS) == learned
    assert Path(learned.vocabulary_uri("job")).read_bytes() == (tmp_path / "vocabularies/job.txt").read_bytes()


def test_sums_of_many_sizes_do_not_depend_on_the_order(spark: SparkSession, tmp_path: Path) -> None:
    generator = np.random.default_rng(5)
    values = generator.normal(0, 1, 40_000) * 10.0 ** generator.integers(-8, 8, 40_000)
    found = [
        analyze(
            spark.createDataFrame([(v, 1.0) for v in order.tolist()], "x double, label float").repartition(parts),
            only(Field("x", "float")),
            str(tmp_path),
        )
        for order, parts in ((values, 1), (np.sort(values), 5))
    ]
    assert json.dumps(found[0].to_json()) == json.dumps(found[1].to_json())
    facts = found[0].of("x")
    assert (facts.mean, facts.deviation) == (pytest.approx(values.mean(), rel=1e-9), pytest.approx(values.std()))
    ordered, n = np.sort(values), len(values)
    assert 0 < facts.rank_error < 1 / 1000
    for share, value in zip(np.linspace(0, 1, 101), facts.quantiles, strict=True):
        rank = max(1, np.ceil(share * n - 1e-6))
        low, high = np.searchsorted(ordered, value) + 1, np.searchsorted(ordered, value, "right")
        assert low - facts.rank_error * n - 1 <= rank <= high + facts.rank_error * n + 1


def test_statistics_survive_json(learned: Statistics) -> None:
    assert Statistics.from_json(json.loads(json.dumps(learned.to_json()))) == learned


def test_fields_without_any_value(spark: SparkSession, tmp_path: Path) -> None:
    frame = spark.createDataFrame([(None, float("nan"), "", 1.0)], TYPES)
    facts = analyze(frame, SCHEMA, str(tmp_path), [LearnedVocabulary("job"), LearnedVocabulary("age")])
    for name in ("age", "gain", "job"):
        assert (facts.of(name).count, facts.of(name).missing, facts.of(name).mean) == (0, 1, None)
    assert (tmp_path / "vocabularies/job.txt").read_bytes() == b""
    assert (facts.vocabulary("age").words, facts.classes) == (0, (0, 1))


def test_no_rows_at_all(spark: SparkSession, tmp_path: Path) -> None:
    facts = analyze(spark.createDataFrame([], TYPES), SCHEMA, str(tmp_path), [LearnedVocabulary("job")])
    assert (facts.rows, facts.of("gain").count, facts.vocabulary("job").words) == (0, 0, 0)


def test_constants_infinities_and_huge_numbers(spark: SparkSession, tmp_path: Path) -> None:
    schema = Schema(
        (Field("c", "float"), Field("i", "float"), Field("h", "integer"), Field("w", "float")), Label("y"), "k"
    )
    inf, big = float("inf"), 2**62
    data = [(0.1, inf, big, 1.7e308, 2.0), (0.1, -inf, -big, -1.7e308, 4.0), (0.1, 3.0, -1, None, 9.0)]
    facts = analyze(
        spark.createDataFrame(data, "c double, i double, h bigint, w double, y float"), schema, str(tmp_path)
    )
    constant, infinite, huge, wide = (facts.of(name) for name in "cihw")
    assert (constant.mean, constant.deviation, constant.histogram) == (0.1, 0.0, (3,))
    assert (infinite.values, infinite.infinite, infinite.mean, infinite.maximum) == (3, 2, 3.0, 3.0)
    assert (huge.count, huge.missing, huge.minimum, huge.maximum) == (2, 1, float(-big), float(big))
    assert (wide.mean, wide.deviation, sum(wide.histogram)) == (0.0, 1.7e308, 2)
    assert facts.label is not None
    assert (facts.label.mean, facts.classes) == (5.0, ())


def test_fields_of_several_values(spark: SparkSession, tmp_path: Path) -> None:
    schema = Schema(
        (Field("tags", "string", many=True), Field("ids", "integer", many=True), Field("box", "float", shape=(2,))),
        Label("label"),
        "key",
    )
    data = [(["a", "b", "a", ""], [3, -1, 3], [1.0, 2.0], 1.0), ([], [], [3.0, float("nan")], 1.0),
            (None, None, None, 1.0), (["b", None], [10], [5.0, 6.0], 1.0)]  # fmt: skip
    frame = spark.createDataFrame(data, "tags array<string>, ids array<bigint>, box array<double>, label float")
    learned = analyze(frame, schema, str(tmp_path), [LearnedVocabulary("tags"), LearnedVocabulary("ids")])
    tags, ids, box = (learned.of(name) for name in ("tags", "ids", "box"))
    assert (tags.count, tags.missing, tags.values, tags.lengths) == (2, 2, 4, (1, 2.0, 3))
    assert tags.top == (("a", 2), ("b", 2))
    assert (ids.count, ids.values, ids.lengths, ids.top) == (2, 3, (1, 1.5, 2), (("3", 2), ("10", 1)))
    assert (ids.mean, ids.distinct) == (pytest.approx(16 / 3), 2)
    assert (box.count, box.missing, box.values, box.mean, box.lengths) == (3, 1, 5, 3.4, None)


def test_vocabularies_serve_every_need_and_leave_out_what_lines_cannot_hold(
    spark: SparkSession, tmp_path: Path
) -> None:
    words = ["ä"] * 3 + ["z"] * 3 + ["b"] * 2 + ["a\tb"] * 2 + ["c\n"] + ["𝔘", "ﬁ", "d"]
    frame = spark.createDataFrame([(word, 1.0) for word in words], "w string, label float")
    needs = [LearnedVocabulary("w", size=2), LearnedVocabulary("w", minimum_count=2), LearnedVocabulary("w", 4)]
    learned = analyze(frame, only(Field("w", "string")), str(tmp_path), needs)
    # The order is that of code points, not of UTF-16.
    assert Path(learned.vocabulary_uri("w")).read_text() == "z\t3\nä\t3\nb\t2\nd\t1\n"
    assert learned.vocabulary("w").cuts == ((1, 4), (2, 3))
    assert (learned.vocabulary("w").left_out, learned.of("w").distinct) == (4, 8)
    assert [word for word, _ in learned.of("w").top] == ["z", "ä", "a\tb", "b", "c\n", "d", "ﬁ", "𝔘"]
    assert [path.name for path in (tmp_path / "vocabularies").iterdir()] == ["w.txt"]


def test_three_hundred_columns(spark: SparkSession, tmp_path: Path) -> None:
    fields = tuple(Field(f"f.{index}", "float" if index % 2 else "string") for index in range(300))
    columns = [
        (F.col("id") + index).cast("double" if index % 2 else "string").alias(field.name)
        for index, field in enumerate(fields)
    ]
    frame = spark.range(0, 50, 1, 2).select(*columns, F.lit(1.0).alias("label"))
    learned = analyze(frame, Schema(fields, Label("label"), "key"), str(tmp_path), [LearnedVocabulary("f.298")])
    assert learned.of("f.299").mean == 299 + 24.5
    assert learned.of("f.298").vocabulary.words == 50


def test_a_hundred_thousand_words(spark: SparkSession, tmp_path: Path) -> None:
    frame = spark.range(300_000).select(
        F.concat(F.lit("w"), F.col("id") % 100_000).alias("w"), F.lit(1.0).alias("label")
    )
    learned = analyze(frame, only(Field("w", "string")), str(tmp_path), [LearnedVocabulary("w")])
    lines = Path(learned.vocabulary_uri("w")).read_text().splitlines()
    assert lines == sorted(f"w{index}\t3" for index in range(100_000))
    assert (learned.of("w").distinct, len(learned.of("w").top)) == (100_000, 100)


@pytest.mark.slow
def test_millions_of_words_do_not_pass_through_the_driver(spark: SparkSession, tmp_path: Path) -> None:
    frame = spark.range(3_500_000).select(F.md5(F.col("id").cast("string")).alias("w"), F.lit(1.0).alias("label"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    learned = analyze(frame, only(Field("w", "string")), str(tmp_path), [LearnedVocabulary("w")])
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 64 * 1024, "KiB; the words alone as Python objects take more than 280 MiB"
    assert learned.vocabulary("w").words == 3_500_000
    with open(learned.vocabulary_uri("w")) as file:
        lines = sum(1 for _ in file)
    assert lines == 3_500_000


@pytest.mark.parametrize("need", [LearnedVocabulary("gain"), LearnedQuantiles("job", 4), LearnedVocabulary("jobb")])
def test_a_need_that_no_field_can_meet_is_refused(spark: SparkSession, need: object) -> None:
    with pytest.raises(BadInputError):
        analyze(spark.createDataFrame([], TYPES), SCHEMA, "", [need])


def test_a_missing_column_is_named(spark: SparkSession) -> None:
    with pytest.raises(BadInputError, match="gain"):
        analyze(spark.createDataFrame([], "age bigint, gainz double, job string"), SCHEMA, "")


def test_other_folders_are_no_other_statistics(learned: Statistics) -> None:
    assert replace(learned, folder="elsewhere") == learned


def test_files_of_words_have_names_that_every_store_takes(spark: SparkSession, tmp_path: Path) -> None:
    """No slash, no percent sign, and no more letters than a folder takes."""
    names = ("race/ethnicity", "share %", "ä" * 90, "ä" * 91)
    frame = spark.createDataFrame(
        [(*("xy"[n % 2] for _ in names), 1.0) for n in range(4)],
        ", ".join(f"`{name}` string" for name in names) + ", label float",
    )
    fields = tuple(Field(name, "string") for name in names)
    schema = Schema(fields, Label("label", classes=(("0",), ("1",))), "key")
    found = analyze(frame, schema, str(tmp_path), [LearnedVocabulary(name) for name in names])
    files = [Path(found.vocabulary_uri(name)).name for name in names]
    assert len(set(files)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,130}\.txt", file) for file in files)
    assert all(Path(found.vocabulary_uri(name)).read_text() == "x\t2\ny\t2\n" for name in names)
