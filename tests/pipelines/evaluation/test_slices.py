"""Slices by raw fields that the network need not read: which rows they hold, and how many of them are measured."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.sql import SparkSession

from emberline.features.errors import BadInputError
from emberline.pipelines.evaluation.slices import MISSING, MOST_SLICES, Slices, require_sliceable, with_slices
from emberline.pipelines.metrics.grouped import ALL, GROUPS, GroupMetrics
from emberline.pipelines.recipe import Evaluation, Recipe
from emberline.pipelines.recipes import load_recipe

LINE = "{age}, Private, 1, HS-grad, 9, Divorced, {job}, Wife, White, {gender}, 0, 0, 40, Peru, <=50K."


def recipe(*slices: str) -> Recipe:
    return dataclasses.replace(load_recipe("census_linear"), evaluation=Evaluation(slices))


def sliced(spark: SparkSession, folder: Path, people: list[dict[str, Any]], *slices: str) -> list[dict[str, Any]]:
    """What `with_slices` makes of these people, in order; the last is scored and not in the file."""
    lines = [LINE.format(**{"age": 40, "job": "Sales", "gender": "Male"} | person) for person in people]
    folder.mkdir(exist_ok=True)
    (folder / "adult.test").write_text("|1x3 Cross validator\n" + "\n".join(lines) + "\n")
    version: Any = SimpleNamespace(manifest={"source": {"uri": str(folder)}})
    import hashlib

    keys = [hashlib.sha256(line.encode()).hexdigest()[:16] for line in [*lines, "another"]]
    scored = spark.createDataFrame([(key, index) for index, key in enumerate(keys)], "row string, place int")
    found = with_slices(spark, scored, recipe(*slices), version).orderBy("place").collect()
    assert len(found) == len(keys), "equal rows are not multiplied"
    return [row.asDict() for row in found]


def test_a_row_has_the_raw_values_it_came_with(spark: SparkSession, tmp_path: Path) -> None:
    """The linear model reads no gender; equal lines, with one key, stay two rows; `?` is a missing value."""
    people = [
        {"age": 20},
        {"age": 30, "gender": "Female"},
        {"age": 49, "job": "?"},
        {"age": 50},
        {"age": "?"},
        {"age": 50},
    ]
    found = sliced(spark, tmp_path / "raw", people, "gender", "age:30,50", "occupation")
    assert [row["slice_gender"] for row in found] == ["Male", "Female", "Male", "Male", "Male", "Male", None]
    assert [row["slice_occupation"] for row in found][:3] == ["Sales", "Sales", MISSING]
    assert [row["slice_age"] for row in found] == [
        "below 30", "30 to 50", "30 to 50", "50 and more", MISSING, "50 and more", None,
    ]  # fmt: skip
    (quartiles,) = {
        tuple(
            row["slice_age"] for row in sliced(spark, tmp_path / "q", [{"age": n} for n in range(20, 60)], "age")[:-1]
        )
    }
    assert [quartiles.count(value) for value in dict.fromkeys(quartiles)] == [9, 10, 10, 11]
    assert quartiles[0] == "below 29"


def test_what_is_rare_is_counted(spark: SparkSession) -> None:
    values = [f"v{index:02d}" for index in range(MOST_SLICES + 3) for _ in range(50 - index)]
    frame = spark.createDataFrame([(value, "x") for value in values], "slice_a string, slice_b string")
    slices = Slices.of(frame)
    assert len(slices.groups) == MOST_SLICES + 1
    rare = {"values": 3, "rows": sum(value >= f"v{MOST_SLICES}" for value in values)}
    assert slices.details() == {"slices_left_out": {"a": rare}}
    grouped = slices.grouped(frame).select("slice_a", GROUPS).distinct().collect()
    other = slices.groups["b", "x"]
    for value, groups in grouped:
        expected = [ALL, slices.groups["a", value], other] if ("a", value) in slices.groups else [ALL, other]
        assert groups == expected
    table = slices.table({number: GroupMetrics({"rows": float(number)}) for number in range(len(slices.groups) + 1)})
    assert table["a"]["v03"] == {"rows": slices.groups["a", "v03"]}
    assert list(table["a"])[:3] == ["v00", "v01", "v02"]
    assert Slices.of(frame.drop("slice_a", "slice_b").limit(0)).details() == {}


def test_rows_that_left_the_raw_files(spark: SparkSession) -> None:
    frame = spark.createDataFrame([("x",), (None,)], "slice_a string")
    with pytest.raises(
        BadInputError, match="1 held-out rows are not in the raw files of their dataset version any more"
    ):
        Slices.of(frame)


@pytest.mark.parametrize(
    ("slices", "message"),
    [
        (("sex",), "No field 'sex' in the data"),
        (("gender:1,2",), "'gender' is a text: leave out the bounds"),
    ],
)
def test_slices_that_the_data_cannot_have(slices: tuple[str, ...], message: str) -> None:
    from emberline.pipelines.datasets.tabular.census import SCHEMA

    with pytest.raises(BadInputError, match=message):
        require_sliceable(recipe(*slices), SCHEMA)


@pytest.mark.parametrize("declared", ["age:50,30", "age:thirty", ":1", "age:1,1"])
def test_slices_that_are_no_slices(declared: str) -> None:
    with pytest.raises(BadInputError, match="expected a field, or a field and rising numbers, such as age:30,50"):
        Evaluation((declared,))


def test_slices_are_set_from_the_command_line() -> None:
    assert load_recipe("census_linear", {"evaluation.slices": "gender"}).evaluation.slices == ("gender",)
    two = load_recipe("census_linear", {"evaluation.slices": "('gender', 'age:30,50')"})
    assert two.evaluation.slices == ("gender", "age:30,50")
    with pytest.raises(BadInputError, match="threshold must lie between 0 and 1"):
        load_recipe("census_linear", {"evaluation.threshold": "2.0"})


def test_a_key_of_several_slices_is_refused(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from emberline.features.schema import Field, Label, Schema
    from emberline.pipelines.datasets.readers.named_table import NamedTable

    schema = Schema((Field("town", "string"),), Label("sold", (("no",), ("yes",))), "user")
    monkeypatch.setattr("emberline.pipelines.evaluation.slices.load_dataset", lambda name: NamedTable("t", schema))
    version: Any = SimpleNamespace(manifest={"source": {"uri": str(tmp_path)}})
    scored = spark.createDataFrame([("u1", 1), ("u1", 2)], "user string, place int")
    rows = "user,town,sold,split\nu1,Ulm,no,eval\nu1,{},yes,eval\n"
    (tmp_path / "rows.csv").write_text(rows.format("Ulm"))
    found = with_slices(spark, scored, recipe("town"), version)
    assert [row["slice_town"] for row in found.collect()] == ["Ulm", "Ulm"]
    (tmp_path / "rows.csv").write_text(rows.format("Bonn"))
    with pytest.raises(BadInputError, match=r"of the key user='u1' lie in 2 slices.*evaluation.slices=\(\)"):
        with_slices(spark, scored, recipe("town"), version)
