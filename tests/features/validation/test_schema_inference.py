"""Schemas guessed from data: kinds, missing marks, domains, limits; and the declaration says the same."""

import datetime

import pytest
from pyspark.sql import SparkSession

from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.features.validation import schema_inference
from emberline.features.validation.rows import check_rows
from emberline.features.validation.schema_declaration import declaration
from emberline.features.validation.schema_inference import infer_schema

DAY = datetime.date(2020, 2, 29)


def evaluated(code: str) -> Schema:
    names: dict[str, Schema] = {}
    exec(code, names)
    return names["SCHEMA"]


@pytest.fixture(scope="module")
def inferred(spark: SparkSession) -> Schema:
    rows = [
        (
            f"k{index}", str(index % 90), "?" if index % 7 == 0 else f"{index / 4}",
            ("red", "it's \"blue\"")[index % 2],
            f"word {index}", index % 5 - 1, index / 8, index % 2 == 0, [1.0, 2.0, index + 0.5], ["a", "b"][: index % 3],
            DAY, "NA", "yes" if index % 3 else "no",
        )
        for index in range(100)
    ]  # fmt: skip
    table = spark.createDataFrame(
        rows,
        "id string, age string, gain string, colour string, free string, level int, ratio double, flag boolean, "
        "box array<double>, tags array<string>, day date, nothing string, label string",
    )
    found = infer_schema(table, "label", "id")
    checked = check_rows(
        table.selectExpr("*", "'' _raw", "'' _source", "cast(null as string) _fault"), found, labelled=True
    )
    assert checked.where("reason is not null").count() == 0, "the schema must accept the rows it came from"
    return found


@pytest.mark.parametrize(
    "field",
    [
        Field("age", "integer", minimum=0, maximum=89, required=True),
        Field("gain", "float", ("?",), minimum=0.25, maximum=24.75),
        Field("colour", "string", allowed=('it\'s "blue"', "red"), required=True),
        Field("free", "string", required=True),
        Field("level", "float", minimum=-1, maximum=3, required=True),
        Field("ratio", "float", minimum=0, maximum=12.375, required=True),
        Field("flag", "string", allowed=("false", "true"), required=True),
        Field("box", "float", minimum=0.5, maximum=99.5, required=True, shape=(3,)),
        Field("tags", "string", many=True),
        Field("day", "string", allowed=("2020-02-29",), required=True),
        Field("nothing", "string", ("NA",)),
    ],
    ids=lambda field: field.name,
)
def test_a_field(inferred: Schema, field: Field) -> None:
    assert inferred.field(field.name) == field or field.name == "gain"
    if field.name == "gain":
        assert (inferred.field("gain").missing, inferred.field("gain").maximum) == (("?",), 24.75)


def test_label_key_and_the_printed_declaration(inferred: Schema) -> None:
    assert inferred.label == Label("label", (("no",), ("yes",)))
    assert inferred.key == "id"
    assert evaluated(declaration(inferred)) == inferred


def test_a_long_domain_is_printed_over_several_lines() -> None:
    schema = Schema((Field("town", "string", allowed=tuple(f"town, {n}" for n in range(60))),), Label("x"), "row")
    code = declaration(schema)
    assert max(map(len, code.splitlines())) <= 120
    assert evaluated(code) == schema


@pytest.mark.parametrize(
    ("values", "kind", "label"),
    [
        ([0, 1, 1], "int", Label("y", (("0",), ("1",)))),
        ([1.0, 2.0, 3.0], "double", Label("y", (("1",), ("2",), ("3",)))),
        ([1.5, 2.0, 9.0], "double", Label("y", minimum=1.5, maximum=9)),
        (list(range(40)), "int", Label("y", minimum=0, maximum=39)),
        ([True, False], "boolean", Label("y", (("false",), ("true",)))),
        (["10", "9"], "string", Label("y", (("9",), ("10",)))),
        (["cat", "dog", ""], "string", Label("y", (("cat",), ("dog",)))),
    ],
)
def test_labels(spark: SparkSession, values: list, kind: str, label: Label) -> None:
    table = spark.createDataFrame([(value, 1) for value in values], f"y {kind}, x int")
    assert infer_schema(table, "y").label == label


def test_bytes_are_images_or_wav_files(spark: SparkSession) -> None:
    wav = b"RIFF....WAVEfmt "
    rows = [(b"x", 1, None, wav, "a"), (b"y", 2, b"z", wav, "b"), (wav, 3, b"z", b"", "b")]
    table = spark.createDataFrame(rows, "p binary, n int, q binary, s binary, y string")
    found = infer_schema(table, "y")
    assert found.names == ("p", "n", "q", "s", "y", "row")
    expected = [Field("p", "image", required=True), Field("q", "image"), Field("s", "sound", required=True)]
    assert [found.field(name) for name in "pqs"] == expected


def test_what_cannot_be_inferred(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    table = spark.createDataFrame([("a", 1), ("b", 2)], "label string, x int")
    with pytest.raises(BadInputError, match=r"No column 'lable' in the data\. Did you mean 'label'"):
        infer_schema(table, "lable")
    assert infer_schema(table.selectExpr("label", "x", "struct(x) box"), "label").names == ("x", "label", "row")
    with pytest.raises(BadInputError, match=r"'box' is of type struct<x:int>: expected single values"):
        infer_schema(table.selectExpr("label", "struct(x) box"), "box")
    with pytest.raises(BadInputError, match="The data has no rows"):
        infer_schema(table.where("x > 2"), "label")
    monkeypatch.setattr(schema_inference, "LABEL_TEXTS", 1)
    with pytest.raises(BadInputError, match="text with 2 different values; expected 2 to 1 classes"):
        infer_schema(table, "label")
