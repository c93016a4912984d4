"""One task attempt's files, without Spark."""

from pathlib import Path

import pyarrow as pa
import pytest

from emberline.features.tfrecord.codec.feature_types import UnsupportedColumnError
from emberline.features.tfrecord.codec.framing import RecordReader, RecordWriter, crc32c
from emberline.features.tfrecord.spark import shard_writer
from emberline.features.tfrecord.spark.options import WriteOptions
from emberline.features.tfrecord.spark.shard_writer import ShardWriter, StagingGoneError, open_staging, remove_staging


@pytest.fixture
def staging(tmp_path):
    open_staging(str(tmp_path / "staging"))
    return str(tmp_path / "staging")


def batch(rows, first=0):
    numbers = list(range(first, first + rows))
    return pa.record_batch({"id": pa.array(numbers), "part": pa.array([n % 5 if n % 7 else None for n in numbers])})


def counts(files):
    return {(file.directory, file.sequence): file.records for file in files}


def test_rows_are_split_by_directory_and_nothing_is_lost(staging):
    options = WriteOptions(partition_by=("part",), max_open_files=2)
    files = ShardWriter(staging, options, 3).write([batch(100), batch(100, 100)])
    assert len(counts(files)) == len(files)
    per_folder = {}
    for file in files:
        assert file.task == 3
        assert file.records == sum(map(len, RecordReader(file.uri)))
        assert file.crc32c == crc32c(Path(file.uri).read_bytes())
        per_folder[file.directory] = per_folder.get(file.directory, 0) + file.records
    expected = {}
    for n in range(200):
        name = f"part={n % 5}" if n % 7 else "part=__HIVE_DEFAULT_PARTITION__"
        expected[name] = expected.get(name, 0) + 1
    assert per_folder == expected


def test_shards_of_an_exact_number_of_records(staging):
    files = ShardWriter(staging, WriteOptions(shard_records=30), 0).write([batch(50), batch(45)])
    assert [file.records for file in files] == [30, 30, 30, 5]


def test_block_index_covers_the_file(staging):
    (file,) = ShardWriter(staging, WriteOptions(), 0).write([batch(700), batch(1800, 700)])
    sizes = [size for count, size in file.blocks for _ in range(count)]
    assert len(sizes) == 3
    assert sum(sizes) == file.bytes
    reader = iter(RecordReader(file.uri, batch_records=1000))
    first, second = next(reader), next(reader)
    assert second.first_offset - first.first_offset == sizes[0]


def test_a_failing_attempt_removes_its_files(staging):
    def batches():
        yield batch(10)
        raise RuntimeError("lost")

    with pytest.raises(RuntimeError, match=r"lost"):
        ShardWriter(staging, WriteOptions(), 0).write(batches())
    assert not list(Path(staging).rglob("*.tfrecord"))


def test_an_attempt_that_outlives_its_job_writes_nothing(tmp_path):
    gone = tmp_path / "gone"
    with pytest.raises(StagingGoneError, match=r"job has ended"):
        ShardWriter(str(gone), WriteOptions(), 0).write([batch(1)])
    assert not gone.exists()


def test_a_job_that_ends_while_a_file_is_opened_is_noticed(staging, monkeypatch):
    def opened_late(uri, codec):
        remove_staging(staging)
        return RecordWriter(uri, codec)  # makes the folders anew

    monkeypatch.setattr(shard_writer, "RecordWriter", opened_late)
    with pytest.raises(StagingGoneError, match=r"job has ended"):
        ShardWriter(staging, WriteOptions(), 0).write([batch(1)])
    assert not Path(staging).exists()


def test_a_byte_array_cannot_be_null(staging):
    rows = pa.record_batch({"x": pa.array([b"a", None])})
    with pytest.raises(UnsupportedColumnError, match=r"'x' has a null"):
        ShardWriter(staging, WriteOptions(record_type="ByteArray"), 0).write([rows])
