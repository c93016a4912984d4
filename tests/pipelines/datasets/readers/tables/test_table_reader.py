"""Folders and files that people have, to rows: pyarrow and pandas write them, and say what is in them."""

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.features.validation.rows import check_rows
from emberline.pipelines.datasets.readers.named_table import NamedTable
from emberline.pipelines.datasets.readers.tables.table_format import TableFormat
from emberline.pipelines.datasets.readers.tables.table_reader import open_table, read_table
from emberline.pipelines.infer_schema import infer

ROWS = pd.DataFrame({"id": range(40), "x": [n / 2 for n in range(40)], "label": ["no", "yes"] * 20})


def plain(rows: Any) -> list[dict[str, Any]]:
    return [row.asDict() for row in rows.collect()]


def accepted(spark: SparkSession, source: Path, key: str | None = None, **said: Any) -> tuple[Schema, list[Any]]:
    """The schema that is inferred, and the rows, of which none may be rejected."""
    form = TableFormat(said.pop("format", ""), said)
    found = infer(spark, str(source), "label", key, form=form)
    schema = Schema.from_json(found.schema)
    data = NamedTable("table", schema, format=form.format, options=form.options)
    checked = check_rows(data.read(spark, str(source)), schema, labelled=True)
    rows = checked.collect()
    assert [row for row in rows if row[checked.columns[-1]]] == []
    assert len(rows) == found.rows
    return schema, rows


# -- many files, one table


def test_columns_of_csv_files_are_matched_by_their_own_headers(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.csv").write_text("id,width,height\n1,1.5,101\n")
    (tmp_path / "b.csv").write_text("height,id,width,new\n103,3,3.5,n\n")
    (tmp_path / "c.csv").write_text("id;width\n5;5.5\n")
    assert plain(read_table(spark, str(tmp_path)).orderBy("id")) == [
        {"id": "1", "width": "1.5", "height": "101", "new": None},
        {"id": "3", "width": "3.5", "height": "103", "new": "n"},
        {"id": "5", "width": "5.5", "height": None, "new": None},
    ]
    told = capsys.readouterr().err
    assert "columns that some files lack are null there: 'new' (c.csv); 'height' (c.csv)" in told
    (tmp_path / "d.csv").write_text("1,2,3\n")
    with pytest.raises(BadInputError, match=r"'d.csv' has no header, and 'a.csv' has one"):
        read_table(spark, str(tmp_path), expected=("id",))


@pytest.mark.parametrize("form", ["parquet", "orc"])
def test_types_that_differ_between_files_are_widened_or_named(spark: SparkSession, tmp_path: Path, form: str) -> None:
    def write(table: pa.Table, name: str) -> None:
        (pq.write_table if form == "parquet" else pyarrow.orc.write_table)(table, str(tmp_path / f"{name}.{form}"))

    write(pa.table({"id": pa.array([1], pa.int32()), "x": [5], "odd": ["a"], "day": [dt.date(2020, 1, 2)]}), "a")
    write(pa.table({"x": [2.5, 3.5], "id": pa.array([2, 3], pa.int64()), "odd": [1, 2], "new": [True, None]}), "b")
    table = open_table(spark, str(tmp_path))
    assert plain(table.rows.orderBy("id")) == [
        {"id": 1, "x": 5.0, "day": dt.date(2020, 1, 2), "new": None},
        {"id": 2, "x": 2.5, "day": None, "new": True},
        {"id": 3, "x": 3.5, "day": None, "new": None},
    ]
    with pytest.raises(BadInputError, match=rf"Column 'odd' cannot be read: it is string in 'a.{form}' and int64 in"):
        table.require(["odd"])


@pytest.mark.parametrize("lacking", [False, True])
def test_times_of_96_bits_are_instants_of_every_year(spark: SparkSession, tmp_path: Path, lacking: bool) -> None:
    """Spark writes its timestamps so; where files differ, Arrow reads them and nanoseconds would end in 2262."""
    frame = spark.sql("select 1 as id, timestamp'9999-12-31 23:59:58.000001 UTC' as at")
    assert spark.conf.get("spark.sql.parquet.outputTimestampType") == "INT96"
    frame.coalesce(1).write.parquet(str(tmp_path / "table"))
    if lacking:
        frame.select("id").coalesce(1).write.mode("append").parquet(str(tmp_path / "table"))
    read = read_table(spark, str(tmp_path / "table"))
    assert read.schema["at"].dataType == frame.schema["at"].dataType
    texts = [
        row.at
        for row in read.where("at is not null").selectExpr("date_format(at, 'y-MM-dd HH:mm:ss.SSSSSS') at").collect()
    ]
    assert texts == [frame.selectExpr("date_format(at, 'y-MM-dd HH:mm:ss.SSSSSS') at").first()["at"]]


def test_a_whole_number_that_is_no_float_is_a_bad_row(spark: SparkSession, tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [2**53 + 1, 7]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"x": [0.5]}), tmp_path / "b.parquet")
    rows = open_table(spark, str(tmp_path)).frame.orderBy("x").collect()
    assert [(row["x"], row["_fault"]) for row in rows][:2] == [(0.5, None), (7.0, None)]
    assert rows[2]["_fault"] == "x: '9007199254740993' is a float in other files, and none is like it"


# -- what is in a folder


@pytest.mark.parametrize("form", ["csv", "parquet", "json"])
def test_what_folders_say_is_text_until_the_schema_says_otherwise(
    spark: SparkSession, tmp_path: Path, form: str
) -> None:
    for number, name in enumerate(["zip=01001", "zip=00501", "zip=a%20b%25+c", "zip=__HIVE_DEFAULT_PARTITION__"]):
        folder = tmp_path / name
        folder.mkdir()
        frame = pd.DataFrame({"id": [f"k{number}"], "label": ["yes" if number % 2 else "no"]})
        if form == "csv":
            frame.to_csv(folder / "rows.csv", index=False)
        elif form == "json":
            frame.to_json(folder / "rows.json", orient="records", lines=True)
        else:
            frame.to_parquet(folder / "rows.parquet")
    schema = Schema((Field("zip", "string"),), Label("label", (("no",), ("yes",))), "id")
    rows = check_rows(NamedTable("t", schema).read(spark, str(tmp_path)), schema, labelled=True).collect()
    assert {row["id"]: row["zip"] for row in rows} == {"k0": "01001", "k1": "00501", "k2": "a b%+c", "k3": None}
    assert accepted(spark, tmp_path, "id")[0].field("zip").kind == "string"


@pytest.mark.parametrize("form", ["csv", "parquet", "orc", "json"])
def test_a_path_is_taken_literally(spark: SparkSession, tmp_path: Path, form: str) -> None:
    folder = tmp_path / "a[1] {b,c}*?%20"
    folder.mkdir()
    write = {"csv": ROWS.to_csv, "parquet": ROWS.to_parquet, "orc": ROWS.to_orc,
             "json": lambda path: ROWS.to_json(path, orient="records", lines=True)}[form]  # fmt: skip
    write(folder / f"rows[x].{form}")  # type: ignore[operator]
    (tmp_path / "a1 b").mkdir()
    assert read_table(spark, str(folder)).count() == 40


# -- types at their edges


def test_keys_and_columns_of_every_width(spark: SparkSession, tmp_path: Path) -> None:
    table = pa.table(
        {"id": pa.array(range(40), pa.int32()), "x": pa.array([n / 10 for n in range(40)], pa.float32()),
         "half": pa.array(ROWS["x"].to_numpy("float16")), 
         "ns": pa.array([n * 10**9 + n for n in range(40)], pa.timestamp("ns")),
         "time": [dt.time(n % 24, n) for n in range(40)], 
         "big": pa.array([2**64 - 1 - n for n in range(40)], pa.uint64()),
         "seconds": pa.array([n * 500 for n in range(40)], pa.duration("ms")),
         "list": [[n, n + 1] for n in range(40)], "gaps": [[n, None] for n in range(40)],
         "map": pa.array([[("a", n)] for n in range(40)], pa.map_(pa.string(), pa.int64())),
         "place": [{"town": f"t{n}", "n": n} for n in range(40)],
         "inf": [float("inf") if n == 3 else n / 2 for n in range(40)], "label": ["no", "yes"] * 20}
    )  # fmt: skip
    pq.write_table(table, tmp_path / "rows.parquet")
    schema, rows = accepted(spark, tmp_path, "id")
    kinds = {field.name: field.kind for field in schema.fields}
    assert kinds == {
        "x": "float", "half": "float", "ns": "string", "time": "string", "big": "string", "seconds": "float",
        "list": "integer", "place.town": "string", "place.n": "integer", "inf": "float",
    }  # fmt: skip
    by_id = {row["id"]: row for row in rows}
    assert sorted(map(int, by_id)) == list(range(40))
    assert [by_id[str(n)]["x"] for n in range(40)] == table["x"].to_pylist()
    assert by_id["7"]["big"] == str(2**64 - 8)
    assert (by_id["3"]["inf"], by_id["4"]["inf"], by_id["5"]["seconds"], by_id["5"]["time"]) == (
        None,
        2,
        2.5,
        "05:05:00",
    )


def test_codes_are_no_numbers(spark: SparkSession, tmp_path: Path) -> None:
    lines = [
        f"{n},{n}D,{n}F,0{n},{10**18 + n}{n % 10},{1_000_000_000 + n}000000000,{'no' if n % 2 else 'yes'}"
        for n in range(40)
    ]
    (tmp_path / "rows.csv").write_text("\n".join(["id,d,f,zip,huge,large,label", *lines]) + "\n")
    schema, rows = accepted(spark, tmp_path, "id")
    assert {field.name: field.kind for field in schema.fields} == {
        "d": "string", "f": "string", "zip": "string", "huge": "string", "large": "integer",
    }  # fmt: skip
    assert {(row["d"], row["zip"]) for row in rows} == {(f"{n}D", f"0{n}") for n in range(40)}


def test_labels_as_files_write_them(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("x,label\n" + "".join(f"{n},{n % 2}.0\n" for n in range(40)))
    assert accepted(spark, tmp_path)[0].label.classes == (("0.0",), ("1.0",))
    (tmp_path / "rows.csv").write_text("x,label\n" + "".join(f"{n},{n + 0.1}\n" for n in range(40)))
    assert accepted(spark, tmp_path)[0].label.maximum == 39.1


# -- JSON


def test_json_documents_and_lines(spark: SparkSession, tmp_path: Path) -> None:
    ROWS.to_json(tmp_path / "rows.json", orient="records", indent=2)
    assert read_table(spark, str(tmp_path)).count() == 40
    (tmp_path / "rows.json").write_text(json.dumps({"id": {"0": 1}, "label": {"0": "no"}}))
    with pytest.raises(BadInputError, match=r"'rows.json' is one JSON document, not JSON lines"):
        read_table(spark, str(tmp_path))
    lines = [{"id": 2**63, "a.b": 1, "A": {"c": [1]}, "a": "x"}, {"id": 1, "m": [{"x": 1}]}]
    (tmp_path / "rows.json").write_text("\n".join(map(json.dumps, lines)) + "\n{oh no\n")
    rows = open_table(spark, str(tmp_path))
    assert rows.columns == ("A.c", "a", "a.b", "id")
    assert rows.left_out == {"m": "it is of type array<struct<x:bigint>>: write single values, or lists of them"}
    assert [(row["_raw"], row["_fault"]) for row in rows.frame.collect()] == [
        (None, None),
        (None, None),
        ("{oh no", "is not JSON"),
    ]


# -- dialects, from the command line


def test_a_dialect_is_recognised_or_given(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(
        "id;x;town;label\n"
        + "".join(f'{n};{n},5;"Roe; ""Al"", {n}\nx\\";{"no" if n % 2 else "yes"}\n' for n in range(40))
    )
    schema, rows = accepted(spark, tmp_path, "id")
    assert (schema.field("x").kind, schema.field("x").maximum) == ("float", 39.5)
    assert {row["town"] for row in rows} == {f'Roe; "Al", {n}\nx\\' for n in range(40)}
    (tmp_path / "rows.csv").write_text("".join(f"{n}:{n * 2}:{'no' if n % 2 else 'yes'}\n" for n in range(40)))
    said = {"sep": ":", "header": "no", "names": "id,x,label"}
    schema, rows = accepted(spark, tmp_path, "id", format="csv", **said)
    assert {row["id"]: row["x"] for row in rows} == {str(n): n * 2 for n in range(40)}


def test_bad_records_are_looked_past_and_told(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ROWS.to_csv(tmp_path / "rows.csv", index=False)
    with (tmp_path / "rows.csv").open("a") as file:
        file.write("40,1\n")
    found = infer(spark, str(tmp_path), "label", "id")
    assert found.rows == 40
    assert "1 rows cannot be taken apart" in capsys.readouterr().err
    schema = Schema.from_json(found.schema)
    checked = check_rows(NamedTable("t", schema).read(spark, str(tmp_path)), schema, labelled=True)
    assert [(row["reason"], row["_raw"], row["_source"]) for row in checked.where("reason is not null").collect()] == [
        ("expected 3 fields, got 2", "40,1", "rows.csv")
    ]


def test_the_code_goes_to_a_file(tmp_path: Path, emberline: Callable[..., Any]) -> None:
    ROWS.to_csv(tmp_path / "rows.csv", index=False, sep=":")
    done = emberline(
        "infer-schema", "--input", tmp_path / "rows.csv", "--label", "label", "--key", "id", "--output",
        tmp_path / "mine.py", "--option", "sep=:", "--master", "local[1]",
    )  # fmt: skip
    assert done.code == 0, done.stderr[-2000:]
    scope: dict[str, Any] = {}
    exec((tmp_path / "mine.py").read_text(), scope)
    assert scope["SCHEMA"] == Schema.from_json(done.result["schema"])
