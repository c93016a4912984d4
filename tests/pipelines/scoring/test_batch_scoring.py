"""Scoring rows from anywhere, against the SavedModel called in this process."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mlflow.tracking import MlflowClient
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from emberline.features.errors import BadInputError
from emberline.features.validation.rows import REASON, check_rows
from emberline.pipelines.datasets.readers.raw_table import keyed_rows
from emberline.pipelines.datasets.readers.tables.table_reader import open_table
from emberline.pipelines.score import score
from tests.pipelines.scoring.conftest import SCHEMA


def scores(frame: DataFrame) -> dict[str, float]:
    """Scores by key; no key twice."""
    rows = frame.select("row", "score").collect()
    found = {row["row"]: row["score"] for row in rows}
    assert len(found) == len(rows)
    return found


def require_equal(found: dict[str, float], expected: dict[str, float]) -> None:
    assert found.keys() == expected.keys()
    np.testing.assert_allclose([found[key] for key in expected], list(expected.values()), rtol=1e-5)


def as_text(rows: DataFrame) -> DataFrame:
    return rows.withColumns({name: F.col(name).cast("string") for name in ("age", "amount")})


SOURCES: dict[str, Callable[[SparkSession, str, Path], tuple[object, dict[str, object]]]] = {
    "files that executors read": lambda spark, rows, folder: (rows, {}),
    "a frame": lambda spark, rows, folder: (spark.read.parquet(rows).repartition(3), {}),
    "a frame of texts": lambda spark, rows, folder: (as_text(spark.read.parquet(rows)), {}),
    "another format": lambda spark, rows, folder: (
        spark.read.parquet(rows).write.orc(str(folder / "orc")) or str(folder / "orc"),
        {"form": "orc"},
    ),
    "files without a key": lambda spark, rows, folder: (rows, {"keys": ["day", "job"], "batch_rows": 100}),
}


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_gives_the_models_own_scores(
    spark: SparkSession, registered, people, tmp_path: Path, source: str
) -> None:
    given, options = SOURCES[source](spark, registered.rows, tmp_path)
    result = score(spark, None, registered.uri, given, str(tmp_path / "out"), registered.tracker, **options)
    written = spark.read.parquet(str(tmp_path / "out"))
    expected = registered.expected(people())
    kept = options.get("keys", ["row"])
    assert written.columns == [*kept, "score", "class", "model_version", "scored_at"]
    if "keys" in options:
        assert sorted(row["score"] for row in written.collect()) == pytest.approx(sorted(expected.values()), rel=1e-5)
        assert {row["job"] for row in written.collect()} == set(people()["job"].to_pylist())
        return
    require_equal(scores(written), expected)
    assert (result.rows_read, result.rows_scored, result.rows_rejected) == (3000, 3000, 0)
    assert not (tmp_path / "out" / "_rejected").exists()
    assert {row["model_version"] for row in written.collect()} == {1}
    assert sorted(path.name for path in tmp_path.iterdir()) in (["out"], ["orc", "out"]), "nothing is left behind"


@pytest.mark.parametrize("typed", [True, False])
@pytest.mark.parametrize("files", [True, False])
def test_bad_rows_are_put_aside_with_their_reasons(
    spark: SparkSession, registered, people, tmp_path: Path, typed: bool, files: bool
) -> None:
    table = people()
    ages, towns, amounts = (table[name].to_pylist() for name in ("age", "town", "amount"))
    pixels, tags, keys = (table[name].to_pylist() for name in ("pixels", "tags", "row"))
    ages[10], towns[20], amounts[30], pixels[40], keys[50] = 131, "Rom", float("inf"), [1.0], None
    tags[60], pixels[70] = ["a", " b "], None  # unusual, and good
    bad = {
        "k000010": "age: '131' is above 130",
        "k000020": "town: 'Rom' is not a known value",
        "k000030": "amount: 'Infinity' is not finite",
        "k000040": "pixels: '[1.0]' is not an array of 3 values",
    }
    columns = {"row": keys, "age": ages, "town": towns, "amount": amounts, "pixels": pixels, "tags": tags}
    damaged = pa.table({name: columns.get(name, table[name]) for name in table.column_names})
    (tmp_path / "rows").mkdir()
    pq.write_table(damaged, tmp_path / "rows" / "part.parquet", row_group_size=500)
    source: object = str(tmp_path / "rows")
    if not files:
        source = spark.read.parquet(str(source))
    if not typed:
        source = as_text(spark.read.parquet(str(tmp_path / "rows")))
    result = score(spark, None, registered.uri, source, str(tmp_path / "out"), registered.tracker)
    assert (result.rows_read, result.rows_scored, result.rows_rejected) == (3000, 2995, 5)
    rejected = spark.read.parquet(str(tmp_path / "out" / "_rejected")).collect()
    reasons = {row["reason"] for row in rejected}
    assert reasons == {*bad.values(), "row: no value, and one is required"}
    assert any('"age":131' in row["raw"] or '"age":"131"' in row["raw"] for row in rejected)
    if typed and files:
        assert all(row["source"].endswith("part.parquet") for row in rejected)
    found, expected = scores(spark.read.parquet(str(tmp_path / "out"))), registered.expected(table)
    same = {key: value for key, value in expected.items() if key not in {*bad, "k000050", "k000060", "k000070"}}
    require_equal({key: found[key] for key in same}, same)
    assert {"k000060", "k000070"} <= found.keys()


def test_when_every_row_is_bad(spark: SparkSession, registered, people, tmp_path: Path) -> None:
    rows = spark.createDataFrame(people(20).to_pandas()[["row"]]).withColumns(
        {"age": F.lit(500), "town": F.lit("Ulm"), "job": F.lit("x"), "amount": F.lit(1.0)}
    )
    rows = rows.withColumns({"pixels": F.array(*[F.lit(1.0)] * 3), "tags": F.array(F.lit("a"))})
    with pytest.raises(BadInputError, match=r"all 20 were rejected, for example: age: '500' is above 130"):
        score(spark, None, registered.uri, rows, str(tmp_path / "out"), registered.tracker)
    with pytest.raises(BadInputError, match=r"all 0 were rejected"):
        score(spark, None, registered.uri, rows.limit(0), str(tmp_path / "out"), registered.tracker)
    with pytest.raises(BadInputError, match="Column 'pixels' is missing"):
        score(spark, None, registered.uri, rows.drop("pixels"), str(tmp_path / "out"), registered.tracker)
    assert list(tmp_path.iterdir()) == []


def test_predictions_as_tfrecords(spark: SparkSession, registered, people, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    score(spark, None, registered.uri, registered.rows, out, registered.tracker, layout="tfrecord")
    require_equal(scores(spark.read.format("tfrecord").load(out)), registered.expected(people()))
    with pytest.raises(BadInputError, match="has no Delta Lake"):
        score(spark, None, registered.uri, registered.rows, out, registered.tracker, layout="delta")


def test_a_model_of_a_run_and_drift(spark: SparkSession, registered, people, tmp_path: Path) -> None:
    older = people().set_column(1, "age", pa.array(np.full(3000, 120), pa.int32()))
    pq.write_table(older, tmp_path / "rows.parquet")
    uri = f"runs:/{registered.version.run_id}/model"
    rows = str(tmp_path / "rows.parquet")
    result = score(spark, None, uri, rows, str(tmp_path / "out"), registered.tracker)
    assert (result.model, result.version) == (registered.version.name, 1)
    assert result.drift == ("age",)
    client = MlflowClient(registered.tracker.uri)
    experiment = client.get_experiment_by_name(f"emberline/{registered.version.name}")
    (run, *_) = client.search_runs([experiment.experiment_id], "tags.`emberline.step` = 'score'")
    assert run.data.metrics["drifted_fields"] == 1
    assert run.data.metrics["rows_scored"] == 3000
    assert run.data.tags["emberline.drift"] == "age"
    assert run.data.tags["emberline.model"] == f"{registered.version.name}/1"
    assert run.data.tags["emberline.predictions"] == str(tmp_path / "out")
    with pytest.raises(BadInputError, match="No run 'none'"):
        score(spark, None, "runs:/none/model", rows, str(tmp_path / "out2"), registered.tracker)
    with pytest.raises(BadInputError, match=r"cannot be fetched from .* once it is registered: `emberline register`"):
        score(spark, None, f"runs:/{run.info.run_id}/model", rows, str(tmp_path / "out2"), registered.tracker)


ODD_TYPES = [
    ("age", pa.duration("us")), ("age", pa.uint8()), ("age", pa.uint64()), ("age", pa.time32("s")),
    ("age", pa.time64("us")), ("age", pa.timestamp("ns")), ("amount", pa.float16()), ("amount", pa.duration("s")),
    ("amount", pa.duration("ns")), ("amount", pa.decimal128(9, 3)), ("amount", pa.uint32()),
    ("amount", pa.timestamp("us")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kind"), ODD_TYPES, ids=str)
def test_types_that_others_write_are_taken_as_etl_takes_them(
    spark: SparkSession, registered, people, tmp_path: Path, name: str, kind: pa.DataType
) -> None:
    """Arrow reads some of them as others than Spark does."""
    table, rows = people(40), str(tmp_path / "rows.parquet")
    values = np.arange(40) % 2
    odd = pa.array(values.astype(np.float16) if kind == pa.float16() else values.tolist(), kind)
    table = table.set_column(table.column_names.index(name), name, odd)
    pq.write_table(table, rows)
    read = keyed_rows(open_table(spark, rows, expected=SCHEMA.names).rows_with_origin, SCHEMA)
    checked = check_rows(read, SCHEMA, labelled=False)
    taken = {row["row"]: (row[name], row[REASON]) for row in checked.select("row", name, REASON).collect()}
    if all(reason for _, reason in taken.values()):
        with pytest.raises(BadInputError, match=f"all 40 were rejected, for example: {name}: "):
            score(spark, None, registered.uri, rows, str(tmp_path / "out"), registered.tracker)
        return
    result = score(spark, None, registered.uri, rows, str(tmp_path / "out"), registered.tracker)
    good = {key for key, (_, reason) in taken.items() if reason is None}
    assert (result.rows_scored, result.rows_rejected) == (len(good), 40 - len(good))
    same = pa.array([taken[key][0] for key in table["row"].to_pylist()])
    expected = registered.expected(table.set_column(table.column_names.index(name), name, same))
    found = scores(spark.read.parquet(str(tmp_path / "out")))
    require_equal(found, {key: value for key, value in expected.items() if key in good})
