"""The census reader on the official files and on generated ones."""

import hashlib
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from emberline.features.errors import BadInputError
from emberline.features.validation.rows import check_rows
from emberline.pipelines.datasets.tabular.census import DATASET, SCHEMA, parse


def test_the_official_files_are_read_whole(spark: SparkSession, census: Path) -> None:
    """32,561 and 16,281 rows with 7,841 and 3,846 earners of more than 50,000: the archive's own numbers."""
    for split, rows, positive in (("train", 32_561, 7_841), ("eval", 16_281, 3_846)):
        checked = check_rows(DATASET.read(spark, str(census), split), SCHEMA, labelled=True)
        found = checked.selectExpr("count(*)", "count(reason)", "sum(income_bracket)").first()
        assert found
        assert tuple(found) == (rows, 0, positive)


def test_a_question_mark_is_missing(spark: SparkSession, census: Path) -> None:
    checked = check_rows(DATASET.read(spark, str(census), "train"), SCHEMA, labelled=True)
    missing = checked.where("workclass is null").count()
    assert missing == (census / "adult.data").read_text().count(" ?, ") - sum(
        line.count(" ?, ") - (line.split(", ")[1] == "?")
        for line in (census / "adult.data").read_text().splitlines()
        if " ?, " in line
    )


LINE = "25, Private, 226802, 11th, 7, Never-married, Machine-op-inspct, Own-child, Black, Male, 0, 0, 40, United-States"


@pytest.mark.parametrize(
    ("line", "fault", "label"),
    [
        (f"{LINE}, <=50K.", None, "<=50K."),
        (f"  {LINE},>50K ", None, ">50K"),
        (LINE, None, None),
        ("25, Private", "expected 15 comma-separated fields, got 2", None),
        (f"{LINE}, <=50K, extra", "expected 15 comma-separated fields, got 16", "<=50K"),
    ],
)
def test_lines_are_split(spark: SparkSession, line: str, fault: str | None, label: str | None) -> None:
    row = parse(spark.createDataFrame([(line, "f")], "_raw string, _source string")).first()
    assert row
    assert (row["_fault"], row["income_bracket"]) == (fault, label)
    assert row["row"] == hashlib.sha256(line.strip().encode()).hexdigest()[:16]


def test_comments_and_empty_lines_are_no_rows(spark: SparkSession) -> None:
    lines = spark.createDataFrame(
        [("|1x3 Cross validator", "f"), ("", "f"), ("  ", "f")], "_raw string, _source string"
    )
    assert parse(lines).count() == 0


def test_generated_files_have_the_official_format_and_a_known_best_score(spark: SparkSession, tmp_path: Path) -> None:
    best = DATASET.generate(str(tmp_path), seed=5)
    assert DATASET.synthetic(str(tmp_path)) == best
    assert 0.9 < best.best["auc"] < 0.96
    for split, rows, damaged in (("train", 32_561, 12), ("eval", 16_281, 0)):
        checked = check_rows(DATASET.read(spark, str(tmp_path), split), SCHEMA, labelled=True)
        found = checked.selectExpr("count(*)", "count(reason)", "avg(income_bracket)").first()
        assert found
        assert tuple(found)[:2] == (rows, damaged)
        assert 0.18 < found[2] < 0.3
    again = tmp_path / "again"
    DATASET.generate(str(again), seed=5)
    assert (again / "adult.data").read_bytes() == (tmp_path / "adult.data").read_bytes()


def test_real_data_is_not_called_synthetic(census: Path) -> None:
    assert DATASET.synthetic(str(census)) is None


def test_a_parquet_table_with_the_same_names_is_read(spark: SparkSession, census: Path, tmp_path: Path) -> None:
    DATASET.read(spark, str(census), "eval").drop("_raw", "_source", "_fault").limit(50).write.parquet(
        str(tmp_path / "t")
    )
    rows = DATASET.read(spark, str(tmp_path / "t"))
    assert check_rows(rows, SCHEMA, labelled=True).where("reason is null").count() == 50


@pytest.mark.parametrize(("make", "message"), [(None, "does not exist"), ("", "holds no file with anything in it")])
def test_an_absent_or_empty_input_is_named(spark: SparkSession, tmp_path: Path, make: str | None, message: str) -> None:
    path = tmp_path / "raw"
    if make is not None:
        path.mkdir()
        (path / "adult.data").write_text(make)
    with pytest.raises(BadInputError, match=message):
        DATASET.read(spark, str(path), "train" if make is not None else None)
