"""Tables of one's own by the names of their columns."""

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.features.validation.rows import check_rows
from emberline.pipelines.datasets.readers.named_table import NamedTable
from emberline.pipelines.datasets.splits import is_held_out

VISITS = NamedTable("visits", Schema((Field("age", "integer"), Field("town", "string")), Label("paid"), "visit"))
ROWS = pa.table(
    {"visit": [f"v{index}" for index in range(60)], "age": list(range(60)), "town": ["Ulm", "Bonn", "Kiel"] * 20,
     "paid": [float(index % 7) for index in range(60)], "ignored": ["x"] * 60}
)  # fmt: skip


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_rows_are_divided_by_a_hash_of_their_key(spark: SparkSession, tmp_path: Path, form: str) -> None:
    write = pa.csv.write_csv if form == "csv" else pq.write_table
    write(ROWS, str(tmp_path / f"visits.{form}"))
    parts = {split: VISITS.read(spark, str(tmp_path), split) for split in ("train", "eval")}
    keys = {split: {row["visit"] for row in rows.collect()} for split, rows in parts.items()}
    assert keys["eval"] == {f"v{index}" for index in range(60) if is_held_out(f"v{index}")}
    assert len(keys["train"]) + len(keys["eval"]) == VISITS.read(spark, str(tmp_path)).count() == 60
    checked = check_rows(parts["train"], VISITS.schema, labelled=True).collect()
    assert {row["visit"]: (row["age"], row["town"], row["paid"], row["reason"]) for row in checked} == {
        key: (int(key[1:]), ("Ulm", "Bonn", "Kiel")[int(key[1:]) % 3], int(key[1:]) % 7, None) for key in keys["train"]
    }


@pytest.mark.parametrize("kind", [pa.int32(), pa.int64(), pa.uint8(), pa.string()])
def test_keys_that_are_numbers_divide_rows_as_their_texts_do(
    spark: SparkSession, tmp_path: Path, kind: pa.DataType
) -> None:
    pq.write_table(ROWS.set_column(0, "visit", pa.array(range(60)).cast(kind)), tmp_path / "visits.parquet")
    held = VISITS.read(spark, str(tmp_path), "eval")
    assert {row["age"] for row in held.collect()} == {index for index in range(60) if is_held_out(str(index))}
    assert VISITS.read(spark, str(tmp_path), "train").count() == 60 - held.count()


def test_a_column_may_divide_them(spark: SparkSession, tmp_path: Path) -> None:
    divided = ROWS.append_column("split", pa.array(["Eval" if index < 20 else "train" for index in range(60)]))
    pq.write_table(divided, tmp_path / "visits.parquet")
    assert {row["age"] for row in VISITS.read(spark, str(tmp_path), "eval").collect()} == set(range(20))
    assert VISITS.read(spark, str(tmp_path), "train").count() == 40


def test_words_of_splits_are_those_of_folders_and_others_are_bad_rows(spark: SparkSession, tmp_path: Path) -> None:
    words = ["train", "Training ", "val", "valid", "validation", "dev", "test", "eval", "holdout", None]
    divided = ROWS.append_column("split", pa.array([words[index % 10] for index in range(60)]))
    pq.write_table(divided, tmp_path / "visits.parquet")
    train, held = (VISITS.read(spark, str(tmp_path), split) for split in ("train", "eval"))
    assert {row["age"] % 10 for row in held.collect()} == {2, 3, 4, 5, 6, 7}
    checked = check_rows(train, VISITS.schema, labelled=True).collect()
    reasons = {row["age"] % 10: row["reason"] for row in checked}
    assert (reasons[0], reasons[1], sorted(reasons)) == (None, None, [0, 1, 8, 9])
    assert reasons[8] == ("split: 'holdout' is not one of train, training, eval, test, val, valid, validation, dev")
    assert train.count() + held.count() == 60


def test_a_field_called_split_divides_nothing(spark: SparkSession, tmp_path: Path) -> None:
    pq.write_table(ROWS.append_column("split", pa.array(range(60))), tmp_path / "visits.parquet")
    table = NamedTable("visits", Schema((Field("split", "integer"),), Label("paid"), "visit"))
    counts = [table.read(spark, str(tmp_path), split).count() for split in ("train", "eval")]
    assert counts == [60 - len([key for key in range(60) if is_held_out(f"v{key}")]), 60 - counts[0]]


def test_rows_without_a_key_are_bad_ones(spark: SparkSession, tmp_path: Path) -> None:
    keys = pa.array([None if index % 10 == 0 else f"v{index}" for index in range(60)])
    pq.write_table(ROWS.set_column(0, "visit", keys), tmp_path / "visits.parquet")
    parts = [VISITS.read(spark, str(tmp_path), split) for split in ("train", "eval")]
    assert sum(part.count() for part in parts) == 60
    checked = check_rows(parts[0], VISITS.schema, labelled=True)
    assert checked.where("reason like 'visit: no value%'").count() == 6


def test_what_is_no_table(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "visits.xlsx").write_bytes(b"PK")
    with pytest.raises(BadInputError, match=r"no table that is known by its name: 'visits.xlsx'"):
        VISITS.read(spark, str(tmp_path))
    with pytest.raises(BadInputError, match=r"'visits' has no synthetic stand-in"):
        VISITS.generate(str(tmp_path), seed=1)
