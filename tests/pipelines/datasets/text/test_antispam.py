"""The reader of chat messages, and the messages that are generated for it."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from emberline.features.errors import BadInputError
from emberline.features.validation.rows import check_rows
from emberline.pipelines.datasets.text.antispam import DATASET, FILES, SCHEMA


def write(folder: Path, messages: dict[str, list[str]]) -> str:
    for verdict, lines in messages.items():
        (folder / FILES[verdict]).write_text("\n".join(lines) + "\n")
    return str(folder)


def test_the_file_tells_the_verdict_and_equal_messages_lie_on_one_side(spark: SparkSession, tmp_path: Path) -> None:
    passed = [f"你好 朋友 {number % 50}" for number in range(100)]
    uri = write(tmp_path, {"pass": [*passed, "", "  "], "spam": ["中 奖 了  ", "恭喜"]})
    sides = {
        split: check_rows(DATASET.read(spark, uri, split), SCHEMA, labelled=True).collect()
        for split in ("train", "eval")
    }
    rows = [row for side in sides.values() for row in side]
    assert not [row["reason"] for row in rows if row["reason"]]
    assert sorted(row["message"] for row in rows) == sorted([*passed, "中 奖 了", "恭喜"])
    assert {row["message"] for row in rows if row["verdict"] == 1} == {"中 奖 了", "恭喜"}
    assert not {row["message"] for row in sides["train"]} & {row["message"] for row in sides["eval"]}
    assert 5 <= len(sides["eval"]) <= 45


def test_other_files_and_tables_have_no_verdict(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "new.txt").write_text("恭喜您中奖了\n")
    spark.createDataFrame([("你好",)], "message string").write.parquet(str(tmp_path / "table"))
    for name, message in (("new.txt", "恭喜您中奖了"), ("table", "你好")):
        rows = check_rows(DATASET.read(spark, str(tmp_path / name)), SCHEMA, labelled=False).collect()
        assert [row["message"] for row in rows] == [message]


def test_a_missing_file_is_named(spark: SparkSession, tmp_path: Path) -> None:
    uri = write(tmp_path, {"spam": ["恭喜"]})
    with pytest.raises(BadInputError, match=r"holds \['msgspam.log.seg'\].*expected \['msgpass.log.seg'"):
        DATASET.read(spark, uri, "train")


def test_made_up_messages_can_be_told_apart_but_not_all(tmp_path: Path) -> None:
    best = DATASET.generate(str(tmp_path), seed=3).best
    assert DATASET.synthetic(str(tmp_path)) is not None
    assert 0.8 < best["accuracy"] < 0.95
    lines = [(tmp_path / name).read_text().splitlines() for name in FILES.values()]
    assert [len(one) for one in lines] == [4000, 4000]
