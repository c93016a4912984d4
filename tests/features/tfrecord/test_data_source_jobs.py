"""Jobs that fail, retry, restart or stream: what readers see afterwards."""

import json
import time
from pathlib import Path

import pytest
from pyspark import TaskContext
from pyspark.sql import functions as F

from features import storage
from features.tfrecord.commit import Job, TFRecordCommitError
from features.tfrecord.framing import RecordReader, RecordWriter, frame_records
from features.tfrecord.shard_manifest import Manifest
from features.tfrecord.shard_writer import StagedFile
from features.tfrecord.stream_commit import MicroBatch


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
    before = {str(path): path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    frame = spark.range(0, 40_000, 1, 2).mapInArrow(failing(99), "id long")
    with pytest.raises(Exception, match="the executor was lost"):
        frame.write.format("tfrecord").mode(mode).save(str(uri))
    assert {str(path): path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")} == before


MANIFEST = Manifest("ByteArray", "none", (("x", "binary"),))


def stage(folder: str, task: int, *records: bytes, sequence: int = 0) -> StagedFile:
    uri = storage.join(folder, f"task-{task}-{time.monotonic_ns()}", "0.tfrecord")
    with RecordWriter(uri) as writer:
        writer.write(frame_records(list(records)))
    return StagedFile(uri, "", task, sequence, len(records), writer.bytes, writer.crc32c)


def stored(target: Path) -> list[bytes]:
    return [batch[i] for path in sorted(target.glob("part-*")) for batch in RecordReader(str(path)) for i in range(len(batch))]


def test_only_winners_are_published_in_partition_order(tmp_path):
    job = Job.begin(str(tmp_path / "out"), "job", MANIFEST, replace=True)
    stage(job.staging, 0, b"speculative loser")
    won = [stage(job.staging, 2, b"c"), stage(job.staging, 0, b"a"), stage(job.staging, 1, b"b")]
    job.commit(won)
    assert stored(tmp_path / "out") == [b"a", b"b", b"c"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("replace", [True, False])
def test_a_commit_that_fails_gives_the_old_data_back(tmp_path, replace):
    first = Job.begin(str(tmp_path / "out"), "one", MANIFEST, replace=True)
    first.commit([stage(first.staging, 0, b"old")])
    job = Job.begin(str(tmp_path / "out"), "two", MANIFEST, replace=replace)
    files = [stage(job.staging, 0, b"new"), stage(job.staging, 1, b"lost")]
    storage.delete(files[1].uri)
    with pytest.raises(TFRecordCommitError, match="storage that all nodes share"):
        job.commit(files)
    job.abort()
    assert stored(tmp_path / "out") == [b"old"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_replacing_file_by_file_where_folders_cannot_be_renamed(tmp_path, monkeypatch):
    from features.tfrecord import commit

    first = Job.begin(str(tmp_path / "out"), "one", MANIFEST, replace=True)
    first.commit([stage(first.staging, task, b"old") for task in range(3)])
    monkeypatch.setattr(commit, "_swap", lambda *_: False)
    job = Job.begin(str(tmp_path / "out"), "two", MANIFEST, replace=True)
    job.commit([stage(job.staging, 0, b"new")])
    assert stored(tmp_path / "out") == [b"new"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "_SUCCESS", "manifest.json", "part-00000-of-00001.tfrecord",
    ]  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_micro_batches_commit_once(tmp_path):
    target = str(tmp_path / "out")

    def commit(batch, *records):
        one = MicroBatch(target, "11111111-2222", batch)
        return one.commit(MANIFEST, [stage(one.staging, task, record) for task, record in enumerate(records)])

    assert commit(0, b"a", b"b") and commit(1, b"c")
    assert not commit(1, b"c again")  # Spark could not note the commit down and repeats the batch
    assert commit(2)  # a batch without rows
    assert sorted(stored(tmp_path / "out")) == [b"a", b"b", b"c"]
    assert not list((tmp_path / "out").glob("_staging*"))


def test_a_crashed_commit_of_a_micro_batch_is_cleaned_up_by_its_repetition(tmp_path, monkeypatch):
    target = str(tmp_path / "out")
    one = MicroBatch(target, "11111111-2222", 0)
    one.commit(MANIFEST, [stage(one.staging, 0, b"a")])
    crashed = MicroBatch(target, "11111111-2222", 1)
    write = storage.write_text_atomic

    def crash(uri, text):
        if "_batches" in uri:
            raise OSError("power cut")
        write(uri, text)

    monkeypatch.setattr(storage, "write_text_atomic", crash)
    with pytest.raises(OSError, match="power cut"):
        crashed.commit(MANIFEST, [stage(crashed.staging, task, b"b") for task in range(3)])
    monkeypatch.setattr(storage, "write_text_atomic", write)
    assert crashed.commit(MANIFEST, [stage(crashed.staging, 0, b"b")])
    assert sorted(stored(tmp_path / "out")) == [b"a", b"b"]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert [shard["records"] for shard in manifest["shards"]] == [1, 1]


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
