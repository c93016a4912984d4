"""Jobs that fail, retry, restart or stream: what readers see afterwards."""

import json
import time

import pytest
from pyspark import TaskContext
from pyspark.sql import functions as F


def ids(spark, uri):
    return sorted(row.id for row in spark.read.format("tfrecord").schema("id long").load(str(uri)).collect())


def failing(attempts):
    """Passes rows on, and fails behind the last row in the first `attempts` attempts of partition 1."""

    def run(batches):
        yield from batches
        context = TaskContext.get()
        if context.partitionId() == 1 and context.attemptNumber() < attempts:
            raise RuntimeError("the executor was lost")

    return run


def test_retried_tasks_leave_no_duplicates(spark, tmp_path):
    uri = tmp_path / "out"
    frame = spark.range(0, 40_000, 1, 2).mapInArrow(failing(2), "id long")
    frame.write.format("tfrecord").option("recordsPerShard", 7000).mode("overwrite").save(str(uri))
    assert ids(spark, uri) == list(range(40_000))
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert len(list(uri.glob("part-*"))) == 6 == len(json.loads((uri / "manifest.json").read_text())["shards"])


@pytest.mark.parametrize("mode", ["error", "append", "overwrite"])
def test_a_failed_job_leaves_no_trace(spark, tmp_path, mode):
    uri = tmp_path / "out"
    if mode != "error":
        spark.range(5).write.format("tfrecord").save(str(uri))

    def tree():
        return {str(path): path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}

    before = tree()
    frame = spark.range(0, 40_000, 1, 2).mapInArrow(failing(99), "id long")
    with pytest.raises(Exception, match=r"the executor was lost"):
        frame.write.format("tfrecord").mode(mode).save(str(uri))
    # The other partition's attempt may still be running: it notices at its next file, and removes what it has made.
    deadline = time.monotonic() + 30
    while tree() != before and time.monotonic() < deadline:
        time.sleep(0.1)
    assert tree() == before


def test_streaming_write_is_exactly_once_over_a_restart(spark, tmp_path):
    uri, checkpoint = tmp_path / "out", tmp_path / "checkpoint"
    source = tmp_path / "source"
    source.mkdir()

    def arrive(low, high):
        spark.range(low, high).coalesce(1).write.mode("append").parquet(str(source))

    def run():
        stream = spark.readStream.schema("id long").option("maxFilesPerTrigger", 1).parquet(str(source))
        writer = stream.withColumn("odd", F.col("id") % 2).writeStream.format("tfrecord").partitionBy("odd")
        query = writer.option("checkpointLocation", str(checkpoint)).trigger(availableNow=True).start(str(uri))
        query.awaitTermination()

    arrive(0, 10)
    arrive(10, 20)
    run()
    assert ids(spark, uri) == list(range(20))
    # The sink has committed the last batch, but the checkpoint has lost it: Spark runs the batch again.
    for path in (checkpoint / "commits").glob("*1*"):
        path.unlink()
    arrive(20, 30)
    run()
    assert ids(spark, uri) == list(range(30))
    assert sorted(path.name for path in uri.iterdir()) == ["_SUCCESS", "_batches", "manifest.json", "odd=0", "odd=1"]
    assert spark.read.format("tfrecord").load(str(uri)).where("odd = 1").count() == 15
