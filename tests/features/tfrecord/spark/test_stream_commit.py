"""Micro-batches are published once, without Spark."""

import json
import time
from pathlib import Path

import pytest

from emberline.features import storage
from emberline.features.tfrecord.codec.framing import RecordReader, RecordWriter, frame_records
from emberline.features.tfrecord.spark.shard_manifest import Manifest
from emberline.features.tfrecord.spark.shard_writer import StagedFile
from emberline.features.tfrecord.spark.stream_commit import MicroBatch

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


def test_micro_batches_commit_once(tmp_path):
    target = str(tmp_path / "out")

    def commit(batch, *records):
        one = MicroBatch(target, "11111111-2222", batch)
        return one.commit(MANIFEST, [stage(one.staging, task, record) for task, record in enumerate(records)])

    assert commit(0, b"a", b"b")
    assert commit(1, b"c")
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
    with pytest.raises(OSError, match=r"power cut"):
        crashed.commit(MANIFEST, [stage(crashed.staging, task, b"b") for task in range(3)])
    monkeypatch.setattr(storage, "write_text_atomic", write)
    assert crashed.commit(MANIFEST, [stage(crashed.staging, 0, b"b")])
    assert sorted(stored(tmp_path / "out")) == [b"a", b"b"]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert [shard["records"] for shard in manifest["shards"]] == [1, 1]
