"""Which texts are numbers, against Python, Arrow and TensorFlow: what we take, all three take for the same value."""

import math
import re
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from emberline.features.schema import Field, Label, Schema
from emberline.features.validation.numbers import is_number
from emberline.features.validation.rows import REASON, check_rows
from emberline.features.validation.schema_inference import infer_schema
from emberline.pipelines.datasets.readers.raw_table import named_rows

SUFFIXED = ("30d", "7f", "0x1p3", "1e5L", "5D", "5F", "1_000", "0x1F", "٣", "1.5e", "e5", ".", "+", "--1", "1 2")
TAKEN = ("1", " 1", "1\t", "\r\n-1.5e-3 ", "+.5", "5.", "007", "1e400", "-Infinity", "inf", "NaN", "-nan", "9" * 19)
OTHER = st.text(
    st.characters(codec="utf-8", exclude_characters="\0;'"), max_size=4
)  # quotes and semicolons part reasons
NUMERIC = st.text(st.sampled_from("0123456789+-.eEdDfFlLxXpP_ \t\r٣naifty"), max_size=8)


def of_arrow(text: str) -> float | None:
    """Arrow knows no plus sign and no blanks."""
    try:
        return pc.cast(pa.array([text.strip().removeprefix("+")]), pa.float64())[0].as_py()
    except pa.ArrowInvalid:
        return None


def of_tensorflow(text: str) -> float | None:
    """Infinity is spelled `inf` there."""
    short = re.sub("infinity", "inf", text.strip(), flags=re.IGNORECASE)
    try:
        return float(tf.strings.to_number(short, tf.float64))
    except tf.errors.InvalidArgumentError:
        return None


def of_python(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


READERS: tuple[Callable[[str], float | None], ...] = (of_python, of_arrow, of_tensorflow)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(NUMERIC | OTHER | st.floats().map(repr) | st.integers().map(str), max_size=200))
@example([*SUFFIXED, *TAKEN])
def test_sparks_columns_agree_with_all_others(spark: SparkSession, texts: list[str]) -> None:
    schema = Schema((Field("n", "float"), Field("i", "integer"), Field("many", "float", many=True)), Label("n2"), "key")
    frame = spark.createDataFrame(
        [(str(place), text, text, [text], text) for place, text in enumerate(texts)],
        "key string, n string, i string, many array<string>, n2 string",
    )
    for row in check_rows(named_rows(frame, schema, F.lit("here")), schema, labelled=True).collect():
        text = texts[int(row["key"])]
        values, complaints = [read(text) for read in READERS], (row[REASON] or "").split("; ")
        if not text.strip(" "):
            assert row["n"] is None
        elif is_number(text):
            assert len({str(value) for value in values}) == 1, (text, values)
            expected = values[0]
            if math.isnan(expected):
                assert row["n"] is None
            else:
                assert row["n"] == expected, text
                assert row["many"] == [expected]
                infinite = any(said.startswith("n: ") and "not finite" in said for said in complaints)
                assert infinite == math.isinf(expected), text
        else:
            assert None in values or any(not value.isascii() for value in text), (text, values)
            assert row["n"] is None
            assert any(said.startswith("n: ") and said.endswith("is not a number") for said in complaints)
        whole = re.fullmatch(r"\s*[+-]?[0-9]+\s*", text, re.ASCII)
        assert row["i"] == (int(text) if whole and -(2**63) <= int(text) < 2**63 else None), text


@pytest.mark.parametrize("text", SUFFIXED)
def test_what_java_alone_takes_is_a_text(spark: SparkSession, text: str) -> None:
    assert not is_number(text)
    rows = spark.createDataFrame([(text, 1.0)] * 3, "length string, y double")
    assert infer_schema(rows, "y").fields[0].kind == "string"


@pytest.mark.parametrize("text", TAKEN)
def test_numbers_are_numbers(text: str) -> None:
    assert is_number(text)
