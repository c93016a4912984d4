"""Addresses of tables: what is one, and which version it names."""

import argparse
from pathlib import Path

import pytest

from emberline.jobs.etl import parser
from emberline.pipelines.runtime.arguments import location
from emberline.pipelines.runtime.table_address import TableAddress


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("table:lake.shop.orders", TableAddress("table", "lake.shop.orders")),
        ("table:lake.`shop@v1`.orders@v5930218452", TableAddress("table", "lake.`shop@v1`.orders", 5930218452)),
        ("delta:hdfs://node:9000/a b/x=1@v0", TableAddress("delta", "hdfs://node:9000/a b/x=1", 0)),
        ("delta:/orders@v1@v2", TableAddress("delta", "/orders@v1", 2)),
        ("iceberg:lake.shop.orders", TableAddress("iceberg", "lake.shop.orders")),
        ("file:///lake/table:x@v1", None),
        ("/lake/delta@v3", None),
        ("s3://bucket/orders@v3", None),
    ],
)
def test_an_address_is_told_from_a_path(text: str, expected: TableAddress | None) -> None:
    found = TableAddress.parse(text)
    assert found == expected
    assert found is None or str(found) == text


def test_a_relative_folder_of_delta_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert location("delta:lake/orders@v3") == f"delta:file://{tmp_path}/lake/orders@v3"
    assert location("delta:s3://bucket/orders") == "delta:s3://bucket/orders"
    with pytest.raises(argparse.ArgumentTypeError, match=r"password|secret"):
        location("delta:s3://name:password@bucket/orders")


def test_a_table_stands_in_the_place_of_an_input(capsys: pytest.CaptureFixture[str]) -> None:
    rest = ["--pipeline", "iris_dnn", "--output", "out"]
    assert parser().parse_args(["--table", "lake.shop.orders@v3", *rest]).input == "table:lake.shop.orders@v3"
    assert parser().parse_args(["--input", "table:lake.shop.orders@v3", *rest]).input == "table:lake.shop.orders@v3"
    with pytest.raises(SystemExit):
        parser().parse_args(["--table", "a.b", "--input", "c", *rest])
    assert "not allowed with argument" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        parser().parse_args(rest)
