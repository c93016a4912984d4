"""The quick look against `check_rows`: never passes a row that is rejected, never gives another value."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from emberline.features.schema import Field, Label, Schema
from emberline.features.validation.rows import REASON, check_rows
from emberline.pipelines.datasets.readers.raw_table import named_rows
from emberline.pipelines.scoring.arrow_checks import check_batch, fits

SCHEMA = Schema(
    (
        Field("whole", "integer", minimum=-2, maximum=9),
        Field("needed", "integer", required=True),
        Field("number", "float", maximum=5.0),
        Field("sure", "float", required=True),
        Field("word", "string", ("?", "none"), allowed=("a", "b c")),
        Field("must", "string", ("?",), required=True),
        Field("pair", "float", minimum=0.0, shape=(2,)),
        Field("bits", "integer", maximum=1, many=True, required=True),
        Field("tags", "string", ("?",), allowed=("x", "y"), many=True),
    ),
    Label("label", (("0",), ("1",))),
    "key",
)
INF, NAN = float("inf"), float("nan")
VALUES: dict[str, tuple[pa.DataType, list[Any]]] = {
    "key": (pa.string(), ["k", "", None]),
    "whole": (pa.int32(), [0, 9, 10, -2, -3, -1, None]),
    "needed": (pa.int64(), [1, -1, None]),
    "number": (pa.float32(), [0.5, 5.0, 5.5, INF, -INF, NAN, None]),
    "sure": (pa.float64(), [1.0, NAN, None]),
    "word": (pa.string(), ["a", " a", "b c ", "z", "?", " none ", "", "  ", "\ta", None]),
    "must": (pa.string(), ["q", "", " ", "?", None]),
    "pair": (pa.list_(pa.float64()), [[0.0, 1.0], [1.0], [], None, [None, 1.0], [NAN, 1.0], [-1.0, 0.0], [INF, 1.0]]),
    "bits": (pa.list_(pa.int16()), [[0, 1], [1], [2], [], None, [None]]),
    "tags": (pa.list_(pa.string()), [["x", "y"], [], None, [" x"], ["z"], ["?"], [""], [None]]),
}


def table(rows: int) -> pa.Table:
    """Mostly the first value of each field, which is good; all others now and then."""
    draw = np.random.default_rng(11)

    def column(kind: pa.DataType, values: list[Any]) -> pa.Array:
        places = np.where(draw.random(rows) < 0.85, 0, draw.integers(0, len(values), rows))
        return pa.array([values[place] for place in places], kind)

    return pa.table({name: column(*given) for name, given in VALUES.items()})


@pytest.mark.parametrize("encoded", [False, True])
def test_it_agrees_with_the_closer_look(spark: SparkSession, encoded: bool) -> None:
    given = table(3000)
    frame = spark.createDataFrame(given.append_column("place", pa.array(range(len(given)))))
    raw = named_rows(frame, SCHEMA, F.lit("here"))
    checked = {row["place"]: row for row in check_rows(raw, SCHEMA, labelled=False, carried=["place"]).collect()}
    if encoded:
        for name in ("word", "must"):
            given = given.set_column(given.column_names.index(name), name, given[name].dictionary_encode())
    (batch,) = given.combine_chunks().to_batches()
    assert fits(SCHEMA, {item.name: item.type for item in batch.schema})
    found, accepted = check_batch(batch, SCHEMA)
    assert accepted is not None
    good = np.array([checked[place][REASON] is None for place in range(len(given))])
    assert not (accepted & ~good).any(), "a bad row was passed"
    assert 400 < accepted.sum() > 0.9 * good.sum(), "what is good is mostly known to be"
    columns = {name: found.column(name).to_pylist() for name in found.schema.names}
    for place in np.flatnonzero(accepted):
        for field in SCHEMA.fields:
            mine, theirs = columns[field.name][place], checked[place][field.name]
            if field.kind == "string" and not field.many:
                mine = mine or None  # both stand for a missing text
            if field.shape or field.many:
                mine = mine or None
            if isinstance(mine, float) and np.isnan(mine):
                mine = None
            assert mine == theirs, (field.name, place)


def test_a_good_batch_is_good_at_a_glance() -> None:
    (batch,) = pa.table({name: pa.array([values[0]] * 5, kind) for name, (kind, values) in VALUES.items()}).to_batches()
    found, accepted = check_batch(batch.slice(1, 3), SCHEMA)
    assert accepted is None
    assert found.num_rows == 3
    assert found.column("whole").type == pa.int64()
    assert pa.types.is_dictionary(found.column("word").type)


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.list_(pa.float32(), 2), pa.large_list(pa.float32())])
@pytest.mark.parametrize(
    ("value", "good"), [(0.1, False), (0.0999, True), (INF, False), (NAN, False), (None, False), (-3e38, True)]
)
def test_arrays_stay_as_wide_as_they_are(kind: pa.DataType, value: float | None, good: bool) -> None:
    """Of 32 bits, 0.1 is above the limit that is 0.1."""
    schema = Schema((Field("pair", "float", maximum=0.1, shape=(2,)),), Label("label"), "key")
    pairs = pa.array([[-3e38, value], [-3e38, -3e38]], kind)
    found, accepted = check_batch(pa.RecordBatch.from_pydict({"pair": pairs, "key": ["a", "b"]}), schema)
    assert (True if accepted is None else bool(accepted[0])) == good
    assert accepted is None or accepted[1]
    assert found.column("pair").type.value_type == pa.float32()
    assert found.column("pair").to_pylist()[1] == pairs.to_pylist()[1]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("whole", pa.string()), ("whole", pa.float64()), ("number", pa.decimal128(5, 2)), ("word", pa.int32()),
        ("pair", pa.float64()), ("word", pa.list_(pa.string())), ("bits", pa.list_(pa.string())),
    ],
)  # fmt: skip
def test_other_types_are_converted_first(name: str, kind: pa.DataType) -> None:
    types = {field: kind for field, (kind, _) in VALUES.items()}
    assert fits(SCHEMA, types)
    assert not fits(SCHEMA, types | {name: kind})


def test_numbers_that_stand_for_no_value_are_converted_first() -> None:
    schema = Schema((Field("a", "integer", ("-9",)),), Label("label"), "key")
    assert not fits(schema, {"a": pa.int64()})
