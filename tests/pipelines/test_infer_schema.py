"""`emberline infer-schema`: a table becomes a declaration; what is no table is refused."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.pipelines.infer_schema import infer


def test_a_csv_with_a_header(tmp_path: Path, emberline: Callable[..., Any]) -> None:
    (tmp_path / "rows.csv").write_text(
        "id,age,paid\n" + "".join(f"{n},{n % 9},{'no' if n % 2 else 'yes'}\n" for n in range(50))
    )
    done = emberline(
        "infer-schema", "--input", tmp_path / "rows.csv", "--label", "paid", "--key", "id", "--master", "local[1]"
    )
    assert done.code == 0, done.stderr[-2000:]
    assert Schema.from_json(done.result["schema"]) == Schema(
        (Field("age", "integer", minimum=0, maximum=8, required=True),), Label("paid", (("no",), ("yes",))), "id"
    )
    assert done.result["rows"] == 50
    assert 'Field("age", "integer", minimum=0, maximum=8, required=True),' in done.stderr


def test_folders_of_other_formats(spark: SparkSession, tmp_path: Path) -> None:
    table = spark.createDataFrame([(1, 0.5), (2, 1.5)], "n long, y double")
    for kind in ("parquet", "json", "orc", "tfrecord"):
        table.write.format(kind).save(str(tmp_path / kind))
        assert infer(spark, str(tmp_path / kind), "y").rows == 2


@pytest.mark.parametrize(
    ("output", "reason"),
    [("table/rows.csv", "lies in"), ("table/code.py", "lies in"), ("link/x.py", "lies in"), ("mine.py", "no new file")],
)
def test_the_code_replaces_nothing(spark: SparkSession, tmp_path: Path, output: str, reason: str) -> None:
    (tmp_path / "table").mkdir()
    (tmp_path / "link").symlink_to("table")
    (tmp_path / "table" / "rows.csv").write_text("id,y\n1,0\n2,1\n")
    (tmp_path / "mine.py").write_text("edited = True\n")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(BadInputError, match=reason):
        infer(spark, f"file://{tmp_path}/table", "y", "id", output=str(tmp_path / output))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_files_that_are_no_table(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "rows.xlsx").write_bytes(b"PK")
    with pytest.raises(BadInputError, match=r"no table that is known by its name: 'rows.xlsx'.*--input-format"):
        infer(spark, str(tmp_path / "rows.xlsx"), "y")


def test_bad_data_ends_with_code_2_and_says_what_to_do(tmp_path: Path, emberline: Callable[..., Any]) -> None:
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(b'x,y\n1,2\n3,"4\n5,6\n'))
    done = emberline("infer-schema", "--input", tmp_path / "rows.csv.gz", "--label", "y", "--master", "local[1]")
    assert (done.code, done.result["kind"]) == (2, "BadInputError")
    assert done.result["reason"].startswith("rows.csv.gz: a quote that opens a field is never closed")
    assert "Traceback" not in done.result["reason"]
