"""Messages are scored as the same rows in files are, and bad ones are kept with their place."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from emberline.features.errors import BadInputError
from emberline.pipelines.scoring.destination import Destination
from emberline.pipelines.scoring.model import open_model
from emberline.pipelines.scoring.raw_rows import Messages
from emberline.pipelines.scoring.score_rows import score_with
from emberline.pipelines.scoring.streaming.messages import MESSAGE, ORIGIN

KINDS = f"{MESSAGE} binary, {ORIGIN[0]} string, {ORIGIN[1]} int, {ORIGIN[2]} bigint"


def test_messages_are_scored_as_rows_are(spark: SparkSession, registered, people, tmp_path: Path) -> None:
    table = people(400)
    expected = registered.expected(table)
    messages = [json.dumps(row).encode() for row in table.to_pylist()]
    # Numbers as texts are read one by one, and so are their neighbours.
    messages[7] = json.dumps(table.to_pylist()[7] | {"age": "17", "amount": "0.5"}).encode()
    bad = {
        b'{"age": 1': "the message is no JSON at character 9: Expecting ',' delimiter",
        b'{"age": 131, "town": "Ulm"}': "age: '131' is above 130",
        b'{"age": 1, "pixels": [1, 2]}': "pixels: '[1, 2]' is not an array of 3 values",
    }
    given = [(bytearray(text), "people", 0, place) for place, text in enumerate([*messages, *bad])]
    rows = Messages(spark.createDataFrame(given, KINDS).repartition(2))
    model = open_model(spark, registered.tracker, registered.uri)
    out = tmp_path / "out"
    result = score_with(spark, None, model, rows, Destination(spark, str(out)), keys=("row", "day"))
    assert (result.rows_read, result.rows_scored, result.rows_rejected) == (403, 400, 3)
    assert result.drift == (), "they are the rows of the training"
    found = {row["row"]: row for row in pq.read_table(out, partitioning=None).to_pylist()}
    assert len(found) == 400
    for place, row in enumerate(table.to_pylist()):
        scored = found[row["row"]]
        assert (scored["day"], *(scored[name] for name in ORIGIN)) == (row["day"], "people", 0, place)
        if place != 7:
            assert scored["score"] == pytest.approx(expected[row["row"]], rel=1e-5)
    kept = pq.read_table(out / "_rejected").to_pylist()
    assert {row["raw"].encode(): row["reason"] for row in kept} == bad
    assert {row["source"] for row in kept} == {"people/0/400", "people/0/401", "people/0/402"}


def test_a_model_with_a_field_called_like_a_place_is_refused(spark: SparkSession, registered, tmp_path: Path) -> None:
    rows = Messages(spark.createDataFrame([(bytearray(b"{}"), "people", 0, 0)], KINDS))
    model = open_model(spark, registered.tracker, registered.uri)
    with pytest.raises(BadInputError, match="has a field 'source_topic'"):
        score_with(spark, None, model, rows, Destination(spark, str(tmp_path / "o")), keys=("source_topic",))
