"""Quick, Draw!'s files: points in order, ends of strokes, and lines that are no drawings."""

import json
from pathlib import Path

from pyspark.sql import SparkSession

from emberline.features.validation.rows import check_rows
from emberline.pipelines.datasets.images import drawings
from emberline.pipelines.datasets.splits import is_held_out


def test_lines_are_drawings_or_say_why_not(spark: SparkSession, tmp_path: Path) -> None:
    good = {"word": "star", "key_id": "1", "recognized": True, "drawing": [[[0, 5, 9], [1, 2, 3]], [[7, 8], [6, 4]]]}
    timed = good | {"key_id": "2", "drawing": [[[1.5, 2.5], [3, 4], [0, 17]]]}
    torn = good | {"key_id": "3", "drawing": [[[1, 2], [3]]]}
    empty = good | {"key_id": "4", "drawing": []}
    unknown = good | {"key_id": "5", "word": "cat"}
    lines = [json.dumps(one) for one in (good, timed, torn, empty, unknown)]
    (tmp_path / "some.ndjson").write_text("\n".join([*lines, "no json", "", json.dumps({"word": "star"})]) + "\n")
    dataset = drawings.DATASET
    rows = check_rows(dataset.read(spark, str(tmp_path)), dataset.schema, labelled=True).collect()
    assert len(rows) == 7
    found = {row["key_id"]: row for row in rows}
    assert (found["1"]["across"], found["1"]["down"], found["1"]["ends"], found["1"]["word"], found["1"]["reason"]) == (
        [0.0, 5.0, 9.0, 7.0, 8.0], [1.0, 2.0, 3.0, 6.0, 4.0], [0, 0, 1, 0, 1], 3.0, None
    )  # fmt: skip
    assert (found["2"]["across"], found["2"]["ends"]) == ([1.5, 2.5], [0, 1])
    odd = "a stroke has not as many places across as downwards, or none"
    assert found["3"]["reason"] == found["4"]["reason"] == odd
    assert found["5"]["reason"].startswith("word: 'cat' is not one of")
    others = [row["reason"] for row in rows if row["key_id"] not in "12345"]
    assert others == ["the line is no drawing in JSON"] * 2


def test_the_stand_in_is_divided_by_keys(spark: SparkSession, tmp_path: Path) -> None:
    facts = drawings.DATASET.generate(str(tmp_path), seed=1)
    assert 0.95 < facts.best["accuracy"] <= 1
    dataset = drawings.DATASET
    rows = {
        split: [row["key_id"] for row in dataset.read(spark, str(tmp_path), split).select("key_id").collect()]
        for split in ("train", "eval")
    }
    assert len(rows["train"]) + len(rows["eval"]) == len(drawings.WORDS) * drawings.DRAWINGS
    assert all(is_held_out(key) for key in rows["eval"])
    assert not any(is_held_out(key) for key in rows["train"])
