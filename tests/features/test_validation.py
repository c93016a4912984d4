"""Row checks: every kind of bad value gets a reason, good rows get types, nothing is lost."""

import pytest
from pyspark.sql import SparkSession

from features.errors import BadInputError
from features.schema import Field, Label, Schema
from features.validation import check_rows

SCHEMA = Schema(
    (
        Field("age", "integer", ("?",), minimum=0, maximum=130),
        Field("gain", "float"),
        Field("job", "string", ("?",), allowed=("clerk", "nurse")),
        Field("town", "string", required=True),
    ),
    Label("paid", (("no",), ("yes",))),
    "key",
)
TEXTS = ("key", "age", "gain", "job", "town", "paid", "_raw", "_source", "_fault")
NAMES = ", ".join(f"{name} string" for name in TEXTS)
TYPED = "key string, {age} int, gain double, job string, town string, _raw string, _source string, _fault string"
ROWS = {
    "good": ("39", "1.5", "clerk", "Ulm", "yes", None),
    "missing values are good": ("?", "", "?", "Ulm", "no", None),
    "padded": (" 39 ", " -2e3", "nurse ", " Ulm", "yes", None),
    "not an integer": ("39.5", "1", "clerk", "Ulm", "yes", None),
    "not a number": ("39", "a lot", "clerk", "Ulm", "yes", None),
    "too old": ("131", "1", "clerk", "Ulm", "yes", None),
    "negative": ("-3", "1", "clerk", "Ulm", "yes", None),
    "unknown job": ("39", "1", "pirate", "Ulm", "yes", None),
    "no town": ("39", "1", "clerk", "", "yes", None),
    "bad label": ("39", "1", "clerk", "Ulm", "maybe", None),
    "two faults": ("x", "y", "clerk", "Ulm", "yes", None),
    "cut short": ("39", None, None, None, None, "expected 6 fields, got 1"),
}
REASONS = {
    "not an integer": "age: '39.5' is not an integer",
    "not a number": "gain: 'a lot' is not a number",
    "too old": "age: '131' is above 130",
    "negative": "age: '-3' is below 0",
    "unknown job": "job: 'pirate' is not a known value",
    "no town": "town: no value, and one is required",
    "bad label": "paid: 'maybe' is not one of 'no', 'yes'",
    "two faults": "age: 'x' is not an integer; gain: 'y' is not a number",
    "cut short": "expected 6 fields, got 1",
}


@pytest.fixture(scope="module")
def checked(spark: SparkSession) -> dict[str, object]:
    rows = [(key, *values[:5], f"raw {key}", "file", values[5]) for key, values in ROWS.items()]
    return {row["key"]: row for row in check_rows(spark.createDataFrame(rows, NAMES), SCHEMA, labelled=True).collect()}


def test_every_row_is_kept(checked: dict) -> None:
    assert checked.keys() == ROWS.keys()
    assert all(row["_raw"] == f"raw {key}" for key, row in checked.items())


@pytest.mark.parametrize("name", ROWS)
def test_the_reason_says_what_is_wrong(checked: dict, name: str) -> None:
    assert checked[name]["reason"] == REASONS.get(name)


def test_good_rows_are_typed(checked: dict) -> None:
    padded, missing = checked["padded"], checked["missing values are good"]
    assert (padded["age"], padded["gain"], padded["job"], padded["town"], padded["paid"]) == (
        39,
        -2000.0,
        "nurse",
        "Ulm",
        1.0,
    )
    assert (missing["age"], missing["gain"], missing["job"], missing["paid"]) == (None, None, None, 0.0)


def test_a_misspelt_column_is_named(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("k", 1, 1.0, "clerk", "Ulm", "r", "s", None)], TYPED.format(age="aeg"))
    with pytest.raises(BadInputError, match=r"Column 'age' is missing\. Did you mean 'aeg'"):
        check_rows(rows, SCHEMA, labelled=False)


def test_typed_columns_are_taken_as_they_are(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("k", 1, 1.25, "clerk", "Ulm", "r", "s", None)], TYPED.format(age="age"))
    row = check_rows(rows, SCHEMA, labelled=False).first()
    assert row
    assert (row["age"], row["gain"], row["reason"]) == (1, 1.25, None)
