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


def test_a_column_may_divide_them(spark: SparkSession, tmp_path: Path) -> None:
    divided = ROWS.append_column("split", pa.array(["Eval" if index < 20 else "train" for index in range(60)]))
    pq.write_table(divided, tmp_path / "visits.parquet")
    assert {row["age"] for row in VISITS.read(spark, str(tmp_path), "eval").collect()} == set(range(20))
    assert VISITS.read(spark, str(tmp_path), "train").count() == 40


def test_what_is_no_table(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "visits.xlsx").write_bytes(b"PK")
    with pytest.raises(BadInputError, match=r"Give a table with column names"):
        VISITS.read(spark, str(tmp_path))
    with pytest.raises(BadInputError, match=r"'visits' has no synthetic stand-in"):
        VISITS.generate(str(tmp_path), seed=1)
