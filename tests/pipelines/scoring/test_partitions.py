"""Partitions of predictions: replaced as a whole, never doubled, never half there."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyspark.sql import SparkSession

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.pipelines.score import score

DAYS = ["2026-11-01", "2026-11-02", "2026-11-03"]


def days(table: pa.Table, *wanted: str) -> pa.Table:
    return table.filter(pc.is_in(table["day"], pa.array(wanted)))


def by_day(spark: SparkSession, out: Path, layout: str = "parquet") -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for row in spark.read.format(layout).load(str(out)).collect():
        scores = found.setdefault(str(row["day"]), {})
        assert row["row"] not in scores, "a row was doubled"
        scores[row["row"]] = row["score"]
    return found


@pytest.mark.parametrize("how", [{"partition_by": "day"}, {"overwrite": True}, {}])
def test_a_file_is_no_place_for_predictions(
    spark: SparkSession, registered, people, tmp_path: Path, how: dict[str, object]
) -> None:
    (tmp_path / "diary.txt").write_text("dear")
    with pytest.raises(BadInputError, match=r"is a file, which is never replaced|already exists"):
        score(
            spark, None, registered.uri, spark.createDataFrame(people(3)), str(tmp_path / "diary.txt"),
            registered.tracker, **how,
        )  # fmt: skip
    assert (tmp_path / "diary.txt").read_text() == "dear"


@pytest.mark.parametrize("layout", ["parquet", pytest.param("tfrecord", marks=pytest.mark.slow)])
def test_a_partition_is_replaced_and_others_stay(
    spark: SparkSession, registered, people, tmp_path: Path, layout: str
) -> None:
    table, out = people(300), tmp_path / "out"
    expected = registered.expected(table)

    def run(rows: pa.Table) -> object:
        frame = spark.createDataFrame(rows)
        options = {"partition_by": "day", "layout": layout}
        return score(spark, None, registered.uri, frame, str(out), registered.tracker, **options)

    run(days(table, *DAYS[:2]))
    assert {day: len(rows) for day, rows in by_day(spark, out, layout).items()} == {DAYS[0]: 100, DAYS[1]: 100}
    run(days(table, DAYS[1], DAYS[2]).slice(0, 150))
    found = by_day(spark, out, layout)
    second = days(table, DAYS[1], DAYS[2]).slice(0, 150)
    assert found[DAYS[0]].keys() == set(days(table, DAYS[0])["row"].to_pylist())
    for day in DAYS[1:]:
        assert found[day].keys() == set(days(second, day)["row"].to_pylist())
    every = {key: value for rows in found.values() for key, value in rows.items()}
    np.testing.assert_allclose([every[key] for key in every], [expected[key] for key in every], rtol=1e-5)
    old = days(table, DAYS[0])
    bad = old.set_column(old.column_names.index("age"), "age", pa.array(np.full(100, 999), pa.int32()))
    result = run(pa.concat_tables([bad, days(table, DAYS[1])]))
    assert result.rows_rejected == 100
    assert {day: len(rows) for day, rows in by_day(spark, out, layout).items()} == {
        DAYS[1]: 100,
        DAYS[2]: len(found[DAYS[2]]),
    }, "a day of bad rows has no predictions any more"
    rejected = spark.read.parquet(str(out / "_rejected"))
    assert [(str(row["day"]), row["count"]) for row in rejected.groupBy("day").count().collect()] == [(DAYS[0], 100)]
    run(days(table, DAYS[0]))
    assert not storage.list_files(str(out / "_rejected"), recursive=True)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


HALTING = textwrap.dedent("""
    import sys, time
    from pyspark import TaskContext
    from emberline.pipelines.score import score
    from emberline.pipelines.runtime.session import session
    from emberline.pipelines.tracking import Tracker

    rows, out, store, model, sign = sys.argv[1:]

    def halting(batches):
        for number, batch in enumerate(batches):
            if TaskContext.get().partitionId() == 1 and number == 500:  # of some 600; the other task goes on
                open(sign, "w").close()
                time.sleep(600)
            yield batch

    with session("halting", "local[2]") as spark:
        spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "50")
        frame = spark.read.parquet(rows).where("day <= '2026-11-02'").crossJoin(spark.range(30)).drop("id")
        stops = frame.repartition(2).mapInArrow(halting, frame.schema)
        score(spark, None, model, stops, out, Tracker(store), partition_by="day", batch_rows=50)
""")


def written(folder: Path) -> list[Path]:
    """Files of predictions that are out of sight so far."""
    return [path for path in folder.glob("out.staging-*/attempts/**/*.parquet") if path.is_file()]


@pytest.mark.slow
def test_a_killed_job_leaves_no_part_of_a_partition(spark: SparkSession, registered, people, tmp_path: Path) -> None:
    table, out, sign = people(300), tmp_path / "out", tmp_path / "half"
    score(
        spark, None, registered.uri, spark.createDataFrame(days(table, DAYS[0])), str(out), registered.tracker,
        partition_by="day",
    )  # fmt: skip
    before = by_day(spark, out)
    script = tmp_path / "slow.py"
    script.write_text(HALTING)
    command = [
        sys.executable, str(script), registered.rows, str(out), registered.tracker.uri, registered.uri, str(sign),
    ]  # fmt: skip
    root = str(Path(__file__).parents[3])
    job = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": root}, start_new_session=True)
    try:
        deadline = time.monotonic() + 120
        while not sign.exists() or not written(tmp_path):
            assert job.poll() is None, "the job ended by itself"
            assert time.monotonic() < deadline
            time.sleep(0.2)
    finally:
        os.killpg(job.pid, signal.SIGKILL)
        job.wait(60)
    (left,) = tmp_path.glob("out.staging-*")
    assert by_day(spark, out) == before
    shutil.rmtree(left)
    score(spark, None, registered.uri, registered.rows, str(out), registered.tracker, partition_by="day")
    assert {day: len(rows) for day, rows in by_day(spark, out).items()} == dict.fromkeys(DAYS, 1000)
