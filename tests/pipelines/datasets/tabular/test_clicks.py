"""The reader of click logs on the official format, its two ways of holding rows out, and generated logs."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from emberline.features.errors import BadInputError
from emberline.features.validation.rows import check_rows
from emberline.pipelines.datasets.generators import clicks as clicks_generator
from emberline.pipelines.datasets.tabular.clicks import DATASET, SCHEMA, parse

COUNTS = ["1", "-1", "", "4", "1382", "4", "15", "2", "181", "1", "2", "", "2"]
CATEGORIES = [f"{index:08x}" for index in range(25)] + [""]
ROW = "\t".join([*COUNTS, *CATEGORIES])


@pytest.mark.parametrize(
    ("line", "label", "fault"),
    [
        (f"1\t{ROW}", "1", None),
        (ROW, None, None),
        ("\t" + ROW[2:], None, None),
        (f"1\t0\t{ROW}", None, "expected 40 tab-separated fields, got 41"),
        ("1", None, "expected 40 tab-separated fields, got 1"),
    ],
    ids=["labelled", "unlabelled", "unlabelled, first count missing", "a field too many", "cut short"],
)
def test_a_line(spark: SparkSession, line: str, label: str | None, fault: str | None) -> None:
    row = parse(spark.createDataFrame([(line, "f")], "_raw string, _source string")).first()
    assert row
    assert (row["clicked"], row["_fault"]) == (label, fault)
    if fault is None:
        expected = line.split("\t")[1:] if label else line.split("\t")
        assert [row[field.name] for field in SCHEMA.fields] == expected


def test_empty_fields_are_missing_and_minus_one_is_a_value(spark: SparkSession) -> None:
    lines = spark.createDataFrame([(f"0\t{ROW}", "f"), ("", "f")], "_raw string, _source string")
    (row,) = check_rows(parse(lines), SCHEMA, labelled=True).collect()
    assert row["reason"] is None
    assert (row["I1"], row["I2"], row["I3"], row["C1"], row["C26"]) == (1.0, -1.0, None, "00000000", None)


def write(folder: Path, names: list[str], rows: int = 5) -> str:
    for name in names:
        text = "".join(f"{index % 2}\t{index}{name[-1]}\t{ROW[2:]}\n" for index in range(rows))
        (folder / name).write_text("".join(line[2:] + "\n" for line in text.splitlines()) if "test" in name else text)
    return str(folder)


def test_the_last_day_is_held_out(spark: SparkSession, tmp_path: Path) -> None:
    """By number, not by name: day_10 comes after day_9."""
    uri = write(tmp_path, ["day_8", "day_9", "day_10"])
    found = {
        split: DATASET.read(spark, uri, split).select("_source").distinct().collect() for split in ("train", "eval")
    }
    assert {row[0] for row in found["train"]} == {"day_8", "day_9"}
    assert {row[0] for row in found["eval"]} == {"day_10"}


def test_a_single_file_is_split_by_a_hash_of_its_rows(spark: SparkSession, tmp_path: Path) -> None:
    uri = write(tmp_path, ["train.txt", "test.txt"], rows=400)
    (tmp_path / "readme.md").write_text("not data\n")
    sizes = {}
    for split in ("train", "eval"):
        rows = DATASET.read(spark, uri, split).select("_raw", "_source").collect()
        assert {row["_source"] for row in rows} == {"train.txt"}, "files without labels belong to no split"
        assert all(clicks_generator.held_out(row["_raw"]) == (split == "eval") for row in rows)
        sizes[split] = len(rows)
    assert sum(sizes.values()) == 400
    assert 20 < sizes["eval"] < 65
    assert DATASET.read(spark, uri).count() == 800, "scoring reads all of it, and nothing but data"


def test_a_table_with_the_same_names_is_split_too(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "text").mkdir()
    uri = write(tmp_path / "text", ["train.txt"], rows=100)
    DATASET.read(spark, uri).drop("_raw", "_source", "_fault").write.parquet(str(tmp_path / "table"))
    counts = [DATASET.read(spark, str(tmp_path / "table"), split).count() for split in ("train", "eval", None)]
    assert counts[0] + counts[1] == counts[2] == 100
    assert counts[1] == DATASET.read(spark, uri, "eval").count()
    number = F.monotonically_increasing_id()
    numbered = spark.read.parquet(str(tmp_path / "table")).withColumn("row", F.when(number % 5 != 0, number))
    numbered.write.parquet(str(tmp_path / "numbered"))
    counts = [DATASET.read(spark, str(tmp_path / "numbered"), split).count() for split in ("train", "eval")]
    assert sum(counts) == 100, "keys may be numbers, and a row without one is a bad row, not none"


@pytest.mark.parametrize(
    ("names", "message"), [(["test.txt"], "holds no rows with labels"), (["day_0", "day_b"], "not called like a day")]
)
def test_files_that_cannot_be_split(spark: SparkSession, tmp_path: Path, names: list[str], message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        DATASET.read(spark, write(tmp_path, names), "train")


def test_generated_logs_have_the_official_format_and_a_known_best_score(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clicks_generator, "ROWS", {"train.txt": 4_000, "test.txt": 100})
    best = DATASET.generate(str(tmp_path), seed=1)
    assert DATASET.synthetic(str(tmp_path)) == best
    assert 0.8 < best.best["auc"] < 0.9
    found = {}
    for split in ("train", "eval"):
        checked = check_rows(DATASET.read(spark, str(tmp_path), split), SCHEMA, labelled=True)
        row = checked.selectExpr("count(*)", "count(reason)", "avg(clicked)").first()
        assert row
        found[split], faults, clicked = row
        assert faults == 0
        assert 0.15 < clicked < 0.35
    assert sum(found.values()) == 4_000
    assert (
        check_rows(DATASET.read(spark, str(tmp_path)), SCHEMA, labelled=False).where("reason is null").count() == 4_100
    )
    again = tmp_path / "again"
    DATASET.generate(str(again), seed=1)
    assert (again / "train.txt").read_bytes() == (tmp_path / "train.txt").read_bytes()
