"""Publishing of staged files, without Spark."""

import time
from pathlib import Path

import pytest

from emberline.features import storage
from emberline.features.tfrecord.codec.framing import RecordReader, RecordWriter, frame_records
from emberline.features.tfrecord.spark.commit import Job, TargetExistsError, TFRecordCommitError
from emberline.features.tfrecord.spark.shard_manifest import Manifest
from emberline.features.tfrecord.spark.shard_writer import StagedFile

MANIFEST = Manifest("ByteArray", "none", (("x", "binary"),))


def stage(folder: str, task: int, *records: bytes, sequence: int = 0) -> StagedFile:
    uri = storage.join(folder, f"task-{task}-{time.monotonic_ns()}", "0.tfrecord")
    with RecordWriter(uri) as writer:
        writer.write(frame_records(list(records)))
    return StagedFile(uri, "", task, sequence, len(records), writer.bytes, writer.crc32c)


def stored(target: Path) -> list[bytes]:
    return [
        batch[i]
        for path in sorted(target.glob("part-*"))
        for batch in RecordReader(str(path))
        for i in range(len(batch))
    ]


def test_only_winners_are_published_in_partition_order(tmp_path):
    job = Job.begin(str(tmp_path / "out"), "job", MANIFEST, mode="overwrite")
    stage(job.staging, 0, b"speculative loser")
    won = [stage(job.staging, 2, b"c"), stage(job.staging, 0, b"a"), stage(job.staging, 1, b"b")]
    job.commit(won)
    assert stored(tmp_path / "out") == [b"a", b"b", b"c"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("mode", ["overwrite", "append"])
def test_a_commit_that_fails_gives_the_old_data_back(tmp_path, mode):
    first = Job.begin(str(tmp_path / "out"), "one", MANIFEST, mode="overwrite")
    first.commit([stage(first.staging, 0, b"old")])
    job = Job.begin(str(tmp_path / "out"), "two", MANIFEST, mode=mode)
    files = [stage(job.staging, 0, b"new"), stage(job.staging, 1, b"lost")]
    storage.delete(files[1].uri)
    with pytest.raises(TFRecordCommitError, match=r"storage that all nodes share"):
        job.commit(files)
    job.abort()
    assert stored(tmp_path / "out") == [b"old"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_replacing_file_by_file_where_folders_cannot_be_renamed(tmp_path, monkeypatch):
    first = Job.begin(str(tmp_path / "out"), "one", MANIFEST, mode="overwrite")
    first.commit([stage(first.staging, task, b"old") for task in range(3)])
    monkeypatch.setattr(storage, "renames_folders", lambda _: False)
    job = Job.begin(str(tmp_path / "out"), "two", MANIFEST, mode="overwrite")
    job.commit([stage(job.staging, 0, b"new")])
    assert stored(tmp_path / "out") == [b"new"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "_SUCCESS",
        "manifest.json",
        "part-00000-of-00001.tfrecord",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_a_killed_job_left_between_two_renames_is_put_back(tmp_path):
    first = Job.begin(str(tmp_path / "out"), "one", MANIFEST, mode="overwrite")
    first.commit([stage(first.staging, 0, b"old")])
    (tmp_path / "out").rename(tmp_path / ".out.replaced-0123abcd")
    job = Job.begin(str(tmp_path / "out"), "two", MANIFEST, mode="append")
    assert stored(tmp_path / "out") == [b"old"]
    job.commit([stage(job.staging, 0, b"new")])
    assert sorted(stored(tmp_path / "out")) == [b"new", b"old"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("mode", "expected"), [("append", [b"late", b"first"]), ("ignore", [b"first"]), ("error", [b"first"])]
)
def test_a_target_that_appears_while_the_job_runs_is_not_overwritten(tmp_path, mode, expected):
    job = Job.begin(str(tmp_path / "out"), "late", MANIFEST, mode=mode)
    other = Job.begin(str(tmp_path / "out"), "first", MANIFEST, mode=mode)
    other.commit([stage(other.staging, 0, b"first")])
    files = [stage(job.staging, 0, b"late")]
    if mode == "error":
        with pytest.raises(TargetExistsError, match=r"already exists"):
            job.commit(files)
        job.abort()
    else:
        job.commit(files)
    assert sorted(stored(tmp_path / "out")) == sorted(expected)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
