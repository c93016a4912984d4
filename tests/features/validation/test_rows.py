"""Row checks: every kind of bad value gets a reason, good rows get types, nothing is lost."""

import pytest
from pyspark.sql import SparkSession

from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.features.validation.rows import check_rows, fault_counts, masked_reason

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
    "no label": ("39", "1", "clerk", "Ulm", " ", None),
    "NaN is no value": ("39", "NaN", "clerk", "Ulm", "no", None),
    "infinite": ("39", "-Infinity", "clerk", "Ulm", "no", None),
    "a quote inside": ("it's; 'x'", "1", "clerk", "Ulm", "no", None),
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
    "no label": "paid: no value, and one is required",
    "infinite": "gain: '-Infinity' is not finite",
    "a quote inside": "age: 'it’s; ’x’' is not an integer",
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


def test_faults_are_counted_by_field_and_kind(spark: SparkSession) -> None:
    """From reasons whose values are struck out, whatever stands in the values."""
    rows = [(key, *values[:5], f"raw {key}", "file", values[5]) for key, values in ROWS.items()]
    checked = check_rows(spark.createDataFrame(rows, NAMES), SCHEMA, labelled=True).where("reason is not null")
    reasons = {row[0]: row[1] for row in checked.groupBy(masked_reason()).count().collect()}
    assert reasons["age: '…' is not an integer"] == 2
    assert fault_counts(reasons, SCHEMA) == {
        ("age", "type"): 3,
        ("age", "domain"): 2,
        ("gain", "type"): 2,
        ("gain", "domain"): 1,
        ("job", "domain"): 1,
        ("town", "missing"): 1,
        ("paid", "domain"): 1,
        ("paid", "missing"): 1,
        ("", "row"): 1,
    }


BOX = Field("box", "float", shape=(2, 2), minimum=0)
TAGS = Field("tags", "string", ("?",), many=True, allowed=("a", "b", "c"))
DAYS = Field("days", "integer", many=True, maximum=7, required=True)
ARRAYS = Schema((BOX, TAGS, DAYS), Label("paid", (("0",), ("1",))), "key")
ARRAY_ROWS = {
    "good": ([1.0, 2.0, 3.0, 4.0], ["a", "b "], [1, 7]),
    "missing values are good": (None, [], [1]),
    "too short": ([1.0, 2.0], ["a"], [1]),
    "too small": ([1.0, -2.0, 3.0, -4.0], ["a"], [1]),
    "not finite": ([1.0, float("inf"), 3.0, 4.0], None, [1]),
    "a gap": ([1.0, None, 3.0, 4.0], None, [1]),
    "a NaN is a gap": ([1.0, float("nan"), 3.0, 4.0], None, [1]),
    "a missing mark inside": (None, ["a", "?"], [1]),
    "an unknown tag": (None, ["a", "pirate", "zebra"], [1]),
    "too large": (None, None, [1, 8]),
    "nothing where something must be": (None, None, []),
}
ARRAY_REASONS = {
    "too short": "box: '[1.0, 2.0]' is not an array of 4 values",
    "too small": "box: '-2.0' is below 0",
    "not finite": "box: 'Infinity' is not finite",
    "a gap": "box: '[1.0, null, 3.0, 4.0]' has a gap: a value of it is missing",
    "a NaN is a gap": "box: '[1.0, NaN, 3.0, 4.0]' has a gap: a value of it is missing",
    "a missing mark inside": "tags: '[a, ?]' has a gap: a value of it is missing",
    "an unknown tag": "tags: 'pirate' is not a known value",
    "too large": "days: '8' is above 7",
    "nothing where something must be": "days: no value, and one is required",
}
BESIDE = "_raw string, _source string, _fault string"


def test_arrays_are_checked_value_by_value(spark: SparkSession) -> None:
    rows = [(key, *values, 1, "r", "s", None) for key, values in ARRAY_ROWS.items()]
    table = spark.createDataFrame(
        rows, f"key string, box array<double>, tags array<string>, days array<int>, paid int, {BESIDE}"
    )
    checked = check_rows(table, ARRAYS, labelled=True)
    assert [dict(checked.dtypes)[name] for name in ("box", "tags", "days")] == [
        field.spark_type for field in (BOX, TAGS, DAYS)
    ]
    found = {row["key"]: row for row in checked.collect()}
    assert {key: row["reason"] for key, row in found.items()} == {key: ARRAY_REASONS.get(key) for key in ARRAY_ROWS}
    assert found["good"]["box"] == [1.0, 2.0, 3.0, 4.0]
    assert (found["good"]["tags"], found["good"]["days"], found["good"]["paid"]) == (["a", "b"], [1, 7], 1.0)
    assert (found["missing values are good"]["box"], found["missing values are good"]["tags"]) == (None, None)


def test_arrays_of_texts_become_numbers(spark: SparkSession) -> None:
    table = spark.createDataFrame(
        [("k1", ["1", " 2", "3", "4e0"], ["1"]), ("k2", ["1", "two", "3", "4"], ["1.5"])],
        "key string, box array<string>, days array<string>",
    ).selectExpr("*", "null tags", "'' _raw", "'' _source", "cast(null as string) _fault")
    first, second = check_rows(table, ARRAYS, labelled=False).orderBy("key").collect()
    assert (first["box"], first["days"], first["reason"]) == ([1.0, 2.0, 3.0, 4.0], [1], None)
    assert second["reason"] == "box: 'two' is not a number; days: '1.5' is not an integer"


def test_only_arrays_are_arrays_and_only_single_values_are_single(spark: SparkSession) -> None:
    table = spark.createDataFrame(
        [("k", "a|b", [[1.0, 2.0], [3.0, 4.0]], [3])],
        "key string, tags string, box array<array<double>>, age array<int>",
    ).selectExpr("*", "array(1) days", "'' _raw", "'' _source", "cast(null as string) _fault")
    schema = Schema((*ARRAYS.fields, Field("age", "string")), ARRAYS.label, "key")
    row = check_rows(table, schema, labelled=False).first()
    assert row
    assert row["reason"] == (
        "box: '[[1.0, 2.0], [3.0, 4.0]]' is not an array; tags: 'a|b' is not an array; "
        "age: 'array<int>' is not a single value"
    )
    assert fault_counts({"tags: '…' is not an array": 2, "box: '…' is not an array of 4 values": 3}, schema) == {
        ("tags", "type"): 2,
        ("box", "domain"): 3,
    }


LABELS = {
    "text": (("small", "large", "huge"), "string", {"small": 0.0, " huge": 2.0, "": None, "tiny": None}),
    "integers": (("0", "1", "2"), "int", {0: 0.0, 2: 2.0, 3: None, None: None}),
    "whole floats": (("0", "1", "2"), "double", {0.0: 0.0, 2.0: 2.0, 1.5: None, float("nan"): None, 1e300: None}),
    "booleans as text": (("false", "true"), "boolean", {False: 0.0, True: 1.0, None: None}),
    "booleans as digits": (("0", "1"), "boolean", {False: 0.0, True: 1.0}),
}


@pytest.mark.parametrize("name", LABELS)
def test_a_class_is_found_by_text_number_or_boolean(spark: SparkSession, name: str) -> None:
    words, kind, expected = LABELS[name]
    schema = Schema((), Label("size", tuple((word,) for word in words)), "key")
    rows = [(str(index), value, "", "", None) for index, value in enumerate(expected)]
    checked = check_rows(spark.createDataFrame(rows, f"key string, size {kind}, {BESIDE}"), schema, labelled=True)
    found = sorted(checked.collect(), key=lambda row: int(row["key"]))
    assert [row["size"] for row in found] == list(expected.values())
    assert [row["reason"] is None for row in found] == [value is not None for value in expected.values()]


def test_a_numeric_label_is_finite_and_within_its_limits(spark: SparkSession) -> None:
    schema = Schema((), Label("price", minimum=0, maximum=100), "key")
    values = ["12.5", "", "dear", "NaN", "inf", "1e39", "-1", "101"]
    rows = [(str(index), value, "", "", None) for index, value in enumerate(values)]
    checked = check_rows(spark.createDataFrame(rows, f"key string, price string, {BESIDE}"), schema, labelled=True)
    found = {values[int(row["key"])]: (row["price"], row["reason"]) for row in checked.collect()}
    assert found["12.5"] == (12.5, None)
    assert {value: reason for value, (_, reason) in found.items() if value != "12.5"} == {
        "": "price: no value, and one is required",
        "dear": "price: 'dear' is not a number",
        "NaN": "price: 'NaN' is not a number",
        "inf": "price: 'inf' is not finite",
        "1e39": "price: '1e39' is not finite",
        "-1": "price: '-1' is below 0",
        "101": "price: '101' is above 100",
    }


def test_a_float_is_not_cut_down_to_an_integer(spark: SparkSession) -> None:
    rows = [("a", 39.0), ("b", 39.7), ("c", float("nan")), ("d", None), (None, 1.0)]
    table = spark.createDataFrame(rows, "key string, age double").selectExpr(
        "*", "1.5D gain", "'nurse' job", "'Ulm' town", "'' _raw", "'' _source", "cast(null as string) _fault"
    )
    found = {row["key"]: (row["age"], row["reason"]) for row in check_rows(table, SCHEMA, labelled=False).collect()}
    assert found == {
        "a": (39, None),
        "b": (None, "age: '39.7' is not an integer"),
        "c": (None, None),
        "d": (None, None),
        None: (1, "key: no value, and one is required"),
    }


def test_a_label_may_have_a_thousand_classes(spark: SparkSession) -> None:
    label = Label("kind", tuple((f"k{number}", f"K{number}") for number in range(1000)))
    rows = [(key, kind, None, "", "", None) for key, kind in (("a", "k999"), ("b", "K0"), ("c", "k1000"))]
    table = spark.createDataFrame(rows, f"key string, kind string, age string, {BESIDE}")
    checked = check_rows(table, Schema((Field("age", "string"),), label, "key"), labelled=True)
    found = {row["key"]: row for row in checked.collect()}
    assert {key: row["kind"] for key, row in found.items()} == {"a": 999.0, "b": 0.0, "c": None}
    assert found["c"]["reason"].startswith("kind: 'k1000' is not one of 'k0', 'K0', 'k1'")
