"""Damage is located or counted, without Spark."""

import pyarrow as pa
import pytest
from pyspark.sql import types as T

from emberline.features.tfrecord.codec.framing import DamagedRecordError
from emberline.features.tfrecord.spark.options import ReadOptions, WriteOptions
from emberline.features.tfrecord.spark.partitions import DataFile
from emberline.features.tfrecord.spark.shard_reader import DamageParam, ShardReader
from emberline.features.tfrecord.spark.shard_writer import ShardWriter, open_staging

SCHEMA, ARROW = T.StructType().add("id", "long"), pa.schema([("id", pa.int64())])


class Log:
    """Stands in for Spark's accumulator."""

    def __init__(self):
        self.value = {}

    def add(self, found):
        self.value = DamageParam().addInPlace(self.value, found)


@pytest.fixture
def shard(tmp_path):
    """100 records of equal size."""
    rows = pa.record_batch({"id": pa.array(range(1000, 1100))})
    open_staging(str(tmp_path))
    (file,) = ShardWriter(str(tmp_path), WriteOptions(), 0).write([rows])
    return file.uri, open(file.uri, "rb").read()


def read(path, size, mode="FAILFAST", expected=100):
    log = Log()
    reader = ShardReader(SCHEMA, ARROW, ReadOptions(mode=mode, batch_rows=7), log)
    rows = [n for batch in reader.read([DataFile(path, size, (), expected)]) for n in batch.column(0).to_pylist()]
    return rows, log.value


def flip(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize(
    ("harm", "record", "reason"),
    [
        (lambda data, size: flip(data, 40 * size + 20), 40, "checksum of the data"),
        (lambda data, size: flip(data, 40 * size), 40, "checksum of the length"),
        (lambda data, size: flip(data, 41 * size - 1), 40, "checksum of the data"),
        (lambda data, size: data[:-5], 99, "ends inside this record"),
        (lambda data, size: data[: 60 * size], 60, "holds 60 records, its manifest says 100"),
        (lambda data, size: data + data[:size], 101, "holds 101 records, its manifest says 100"),
        (lambda data, size: b"PK\x03\x04" + bytes(200), 0, "no TFRecord file"),
        (lambda data, size: b"", 0, "holds 0 records"),
    ],
)
def test_damage(shard, harm, record, reason):
    path, data = shard
    size = len(data) // 100
    with open(path, "wb") as stream:
        stream.write(harm(data, size))
    with pytest.raises(DamagedRecordError, match=rf"record {record} at byte {record * size}: .*{reason}"):
        read(path, len(data))
    rows, log = read(path, len(data), "DROPMALFORMED")
    assert rows[:100] == list(range(1000, 1000 + min(record, 100)))
    assert (log[path].record, log[path].lost_records) == (record, 100 - min(record, 100))


def test_a_missing_file_is_damage(tmp_path):
    gone = str(tmp_path / "gone")
    with pytest.raises(DamagedRecordError, match=r"gone.*the manifest names it"):
        read(gone, 0)
    rows, log = read(gone, 0, "DROPMALFORMED")
    assert rows == []
    assert log[gone].lost_records == 100


def test_without_a_manifest_nobody_knows_what_is_lost(shard):
    path, data = shard
    with open(path, "wb") as stream:
        stream.write(data[:-5])
    assert read(path, len(data), "DROPMALFORMED", None)[1][path].lost_records is None


def test_partition_columns_are_constants_in_the_order_of_the_schema(shard):
    path, data = shard
    schema = T.StructType().add("day", "date").add("id", "long").add("kind", "string")
    arrow = pa.schema([("day", pa.date32()), ("id", pa.int64()), ("kind", pa.string())])
    file = DataFile(path, len(data), (("kind", None), ("day", "2024-01-02"), ("unused", "x")))
    batches = list(ShardReader(schema, arrow, ReadOptions()).read([file]))
    assert batches[0].schema == arrow
    assert batches[0].slice(0, 1).to_pydict() == {
        "day": [pa.scalar("2024-01-02").cast(pa.date32()).as_py()],
        "id": [1000],
        "kind": [None],
    }
