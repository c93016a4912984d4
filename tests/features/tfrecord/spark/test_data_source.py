"""Round trips through real Spark, with TensorFlow as the independent reader and writer."""

import datetime
import decimal
import json
import zlib
from pathlib import Path

import pytest
from pyspark.sql import functions as F
from pyspark.sql import types as T

from emberline.features.tfrecord.codec.framing import RecordReader
from emberline.features.tfrecord.spark.inference import infer_schema
from emberline.features.tfrecord.spark.locations import find_files
from emberline.features.tfrecord.spark.options import ReadOptions

UTC = datetime.UTC
PLAIN_TYPES = T.StructType(
    [
        T.StructField("a_byte", T.ByteType()),
        T.StructField("a_short", T.ShortType()),
        T.StructField("an_int", T.IntegerType()),
        T.StructField("a_long", T.LongType()),
        T.StructField("a_bool", T.BooleanType()),
        T.StructField("a_float", T.FloatType()),
        T.StructField("a_double", T.DoubleType()),
        T.StructField("a_decimal", T.DecimalType(9, 2)),
        T.StructField("a_string", T.StringType()),
        T.StructField("a_binary", T.BinaryType()),
        T.StructField("a_date", T.DateType()),
        T.StructField("a_timestamp", T.TimestampType()),
        T.StructField("a_wall_clock", T.TimestampNTZType()),
        T.StructField("longs", T.ArrayType(T.LongType())),
        T.StructField("shorts", T.ArrayType(T.ShortType())),
        T.StructField("bools", T.ArrayType(T.BooleanType())),
        T.StructField("floats", T.ArrayType(T.FloatType())),
        T.StructField("doubles", T.ArrayType(T.DoubleType())),
        T.StructField("decimals", T.ArrayType(T.DecimalType(9, 2))),
        T.StructField("strings", T.ArrayType(T.StringType())),
        T.StructField("binaries", T.ArrayType(T.BinaryType())),
        T.StructField("dates", T.ArrayType(T.DateType())),
        T.StructField("timestamps", T.ArrayType(T.TimestampType())),
    ]
)
# Values that float32 holds exactly, so that a round trip is the identity.
_DAY, _MOMENT = datetime.date(1931, 2, 3), datetime.datetime(2024, 2, 29, 23, 59, 59, 123456)
FULL_ROW = (
    -128, -32768, -(2**31), -(2**63), True, 1.5, -0.25, decimal.Decimal("1234.50"), "naïve ✓", b"\x00\xff", _DAY,
    _MOMENT, _MOMENT, [1, -1, 2**62], [7], [True, False], [0.5], [1e10, 2.0], [decimal.Decimal("0.25")], ["", "x"],
    [b"", b"\xfe"], [_DAY], [_MOMENT],
)  # fmt: skip
EMPTY_ARRAYS = (*FULL_ROW[:13], *[[] for _ in range(10)])
NULLS = tuple(None for _ in FULL_ROW)
ROWS = [FULL_ROW, EMPTY_ARRAYS, NULLS]


def infer(path, limit=1000):
    """What the data source infers, with its report."""
    options = ReadOptions(infer_records=limit)
    return infer_schema(find_files([str(path)], options), "Example", limit)


def key(row: object) -> str:
    return repr(row)


@pytest.mark.parametrize("codec", ["none", "gzip", "zlib"])
def test_every_type_survives_every_codec(spark, tmp_path, codec):
    frame = spark.createDataFrame(ROWS, PLAIN_TYPES)
    uri = str(tmp_path / "out")
    frame.write.format("tfrecord").option("recordType", "Example").option("codec", codec).mode("overwrite").save(uri)
    back = spark.read.format("tfrecord").schema(PLAIN_TYPES).load(uri)
    assert back.schema == PLAIN_TYPES
    assert sorted(back.collect(), key=key) == sorted(frame.collect(), key=key)


@pytest.mark.parametrize("codec", ["none", "gzip", "zlib"])
def test_tensorflow_parses_what_spark_wrote(spark, tmp_path, codec):
    import tensorflow as tf

    frame = spark.range(0, 57, 1, 3).select(
        F.col("id").alias("n"),
        (F.col("id") / 2).cast("float").alias("half"),
        F.col("id").cast("string").alias("text"),
        F.array(F.col("id"), F.col("id") + 1).alias("pair"),
    )
    uri = tmp_path / "out"
    frame.write.format("tfrecord").option("codec", codec).mode("overwrite").save(str(uri))
    files = sorted(str(path) for path in uri.glob("part-*"))
    assert len(files) == 3
    kinds = {
        "n": tf.io.FixedLenFeature([], tf.int64),
        "half": tf.io.FixedLenFeature([], tf.float32),
        "text": tf.io.FixedLenFeature([], tf.string),
        "pair": tf.io.FixedLenFeature([2], tf.int64),
    }
    data = tf.data.TFRecordDataset(files, compression_type={"none": "", "gzip": "GZIP", "zlib": "ZLIB"}[codec])
    found = [tf.io.parse_single_example(record, kinds) for record in data]
    assert [int(row["n"]) for row in found] == list(range(57))
    for row in found:
        n = int(row["n"])
        assert float(row["half"]) == n / 2
        assert row["text"].numpy() == str(n).encode()
        assert row["pair"].numpy().tolist() == [n, n + 1]


@pytest.mark.parametrize("compression", ["", "GZIP", "ZLIB"])
def test_spark_reads_and_infers_what_tensorflow_wrote(spark, tmp_path, compression):
    import tensorflow as tf

    def example(**features: tf.train.Feature) -> bytes:
        return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()

    def ints(*values: int) -> tf.train.Feature:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    def floats(*values: float) -> tf.train.Feature:
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))

    def strings(*values: bytes) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))

    path = str(tmp_path / "x.tfrecord")
    with tf.io.TFRecordWriter(path, compression) as writer:
        writer.write(
            example(one=ints(1), mixed=ints(3), many=floats(1.0, 2.0), text=strings(b"a"), raw=strings(b"\xff"))
        )
        writer.write(example(one=ints(-2), mixed=floats(0.5), many=floats(), text=strings("é".encode())))
        writer.write(example(mixed=ints(4), many=floats(7.0)))
    frame = spark.read.format("tfrecord").load(path)
    assert "inferred 5 columns from 3 records of 1 (of 1) files" in infer(path).report()
    assert frame.schema == T.StructType(
        [
            T.StructField("many", T.ArrayType(T.FloatType())),  # two values in one record
            T.StructField("mixed", T.FloatType()),  # int64 in some records, float in others
            T.StructField("one", T.LongType()),  # absent from the last record
            T.StructField("raw", T.BinaryType()),  # not UTF-8
            T.StructField("text", T.StringType()),
        ]
    )
    assert [tuple(row) for row in frame.collect()] == [
        ([1.0, 2.0], 3.0, 1, bytearray(b"\xff"), "a"),
        ([], 0.5, -2, None, "é"),
        ([7.0], 4.0, None, None, None),
    ]


def test_sequence_example_holds_arrays_of_arrays(spark, tmp_path):
    import tensorflow as tf

    schema = T.StructType(
        [
            T.StructField("id", T.LongType()),
            T.StructField("tags", T.ArrayType(T.StringType())),
            T.StructField("steps", T.ArrayType(T.ArrayType(T.LongType()))),
            T.StructField("scores", T.ArrayType(T.ArrayType(T.FloatType()))),
            T.StructField("words", T.ArrayType(T.ArrayType(T.StringType()))),
        ]
    )
    rows = [
        (1, ["a"], [[1, 2], [3]], [[0.5], []], [["x", "y"]]),
        (2, [], [], [[1.0, 2.0]], [[], ["z"]]),
        (3, None, None, None, None),
    ]
    frame = spark.createDataFrame(rows, schema).coalesce(1)
    uri = str(tmp_path / "out")
    frame.write.format("tfrecord").option("recordType", "SequenceExample").mode("overwrite").save(uri)
    back = spark.read.format("tfrecord").option("recordType", "SequenceExample").schema(schema).load(uri)
    assert sorted(back.collect()) == sorted(frame.collect())
    inferred = spark.read.format("tfrecord").option("recordType", "SequenceExample").load(uri)
    assert {field.name: field.dataType for field in inferred.schema} == {
        "id": T.LongType(),
        "tags": T.StringType(),
        "steps": schema["steps"].dataType,
        "scores": schema["scores"].dataType,
        "words": schema["words"].dataType,
    }
    (path,) = (tmp_path / "out").glob("part-*")
    first = tf.train.SequenceExample.FromString(next(tf.data.TFRecordDataset(str(path)).as_numpy_iterator()))
    assert [list(f.int64_list.value) for f in first.feature_lists.feature_list["steps"].feature] == [[1, 2], [3]]
    assert list(first.context.feature["id"].int64_list.value) == [1]


def test_byte_array_records_are_the_column(spark, tmp_path):
    import tensorflow as tf

    rows = [(b"",), (b"\x00\xff",), (b"text",)]
    uri = str(tmp_path / "out")
    frame = spark.createDataFrame(rows, "payload binary").coalesce(1)
    frame.write.format("tfrecord").option("recordType", "ByteArray").mode("overwrite").save(uri)
    back = spark.read.format("tfrecord").option("recordType", "ByteArray").load(uri)
    assert back.schema.simpleString() == "struct<byteArray:binary>"
    assert [bytes(row[0]) for row in back.collect()] == [row[0] for row in rows]
    (path,) = (tmp_path / "out").glob("part-*")
    assert list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator()) == [row[0] for row in rows]


def test_null_inside_an_array_is_an_error_and_leaves_nothing(spark, tmp_path):
    frame = spark.range(3).selectExpr("array(id, null) AS holes")
    with pytest.raises(Exception, match=r"'holes'.*null element"):
        frame.write.format("tfrecord").mode("overwrite").save(str(tmp_path / "x"))
    assert not list(tmp_path.iterdir())


def test_absent_feature_of_a_non_null_column_is_an_error(spark, tmp_path):
    spark.createDataFrame([(1, None)], "a long, b long").write.format("tfrecord").save(str(tmp_path / "x"))
    strict = T.StructType([T.StructField("b", T.LongType(), nullable=False)])
    with pytest.raises(Exception, match=r"'b'.*absent.*nullable"):
        spark.read.format("tfrecord").schema(strict).load(str(tmp_path / "x")).collect()


def test_wrong_type_in_the_schema_names_file_record_and_column(spark, tmp_path):
    spark.range(3).write.format("tfrecord").save(str(tmp_path / "x"))
    with pytest.raises(Exception, match=r"part-0000.*record 0.*'id'.*int64_list"):
        spark.read.format("tfrecord").schema("id string").load(str(tmp_path / "x")).collect()


def test_zero_rows_write_one_empty_file_that_reads_back(spark, tmp_path):
    uri = str(tmp_path / "none")
    spark.range(0).write.format("tfrecord").option("codec", "gzip").save(uri)
    assert sorted(path.name for path in Path(uri).iterdir()) == [
        "_SUCCESS",
        "manifest.json",
        "part-00000-of-00001.tfrecord.gz",
    ]
    assert spark.read.format("tfrecord").schema("id long").load(uri).count() == 0
    with pytest.raises(Exception, match=r"No record to infer a schema from"):
        spark.read.format("tfrecord").load(uri)


def test_partitions_without_rows_leave_no_file(spark, tmp_path):
    uri = tmp_path / "sparse"
    spark.range(0, 100, 1, 5).where("id >= 60").write.format("tfrecord").save(str(uri))
    assert sorted(path.name for path in uri.glob("part-*")) == [
        "part-00000-of-00002.tfrecord",
        "part-00001-of-00002.tfrecord",
    ]
    assert sorted(row.id for row in spark.read.format("tfrecord").load(str(uri)).collect()) == list(range(60, 100))


def test_manifest_describes_the_bytes_on_disk(spark, tmp_path):
    from crc32c import crc32c

    uri = tmp_path / "out"
    frame = spark.range(0, 2500, 1, 2).selectExpr("id", "cast(id as string) AS text", "id % 2 AS part")
    frame.write.format("tfrecord").partitionBy("part").save(str(uri))
    manifest = json.loads((uri / "manifest.json").read_text())
    on_disk = sorted(str(path.relative_to(uri)) for path in uri.rglob("part-*"))
    assert [shard["path"] for shard in manifest["shards"]] == on_disk
    assert len(on_disk) == 4
    for shard in manifest["shards"]:
        data = (uri / shard["path"]).read_bytes()
        assert (shard["bytes"], shard["crc32c"]) == (len(data), crc32c(data))
        assert shard["rows"] == shard["records"] == sum(map(len, RecordReader(str(uri / shard["path"]))))
        assert sum(count * size for count, size in shard["blocks"]) == len(data)
    assert manifest["schema"] == [{"name": "id", "type": "int64"}, {"name": "text", "type": "string"}]
    assert manifest["partition_by"] == ["part"]
    assert manifest["rows"] == 2500
    assert manifest["plan"]["rows_per_worker"]["4"] == 625


def test_tf_data_input_reads_what_spark_wrote(spark, tmp_path):
    from emberline.features.tfrecord.input import read_epoch
    from emberline.features.tfrecord.manifest import ShardSet

    uri = tmp_path / "out"
    spark.range(0, 3500, 1, 2).selectExpr("id", "cast(id AS float) / 4 AS x").write.format("tfrecord").save(str(uri))
    shards = ShardSet.from_json((uri / "manifest.json").read_text())
    shards.verify(str(uri))
    seen = []
    for worker in range(2):
        epoch = read_epoch(str(uri), shards, batch_size=250, worker=worker, workers=2, seed=7)
        seen.append([int(n) for batch in epoch for n in batch["id"]])
    assert len(seen[0]) == len(seen[1]) == 1750
    assert sorted(seen[0] + seen[1]) == list(range(3500))


@pytest.mark.parametrize(("option", "value"), [("recordsPerShard", "40"), ("maxRecordsPerFile", "40")])
def test_target_records_per_shard(spark, tmp_path, option, value):
    uri = tmp_path / "out"
    spark.range(0, 100, 1, 1).write.format("tfrecord").option(option, value).save(str(uri))
    sizes = [sum(map(len, RecordReader(str(path)))) for path in sorted(uri.glob("part-*"))]
    assert sizes == [40, 40, 20]


def test_target_bytes_per_shard(spark, tmp_path):
    uri = tmp_path / "out"
    frame = spark.range(0, 20_000, 1, 1).selectExpr("id", "repeat('x', 100) AS text")
    frame.write.format("tfrecord").option("bytesPerShard", 500_000).save(str(uri))
    sizes = [path.stat().st_size for path in sorted(uri.glob("part-*"))]
    assert all(0.9 * 500_000 < size < 1.1 * 500_000 for size in sizes[:-1])
    assert len(sizes) > 4
    assert spark.read.format("tfrecord").load(str(uri)).count() == 20_000


def test_inference_stops_at_its_bound(spark, tmp_path):
    uri = str(tmp_path / "out")
    spark.range(0, 5000, 1, 4).write.format("tfrecord").save(uri)
    assert spark.read.format("tfrecord").option("inferRecords", 100).load(uri).count() == 5000
    assert "inferred 1 columns from 100 records of 4 (of 4) files" in infer(uri, 100).report()


def test_inference_refuses_bytes_mixed_with_numbers(spark, tmp_path):
    for name, column in (("a", "1L AS x"), ("b", "'one' AS x")):
        frame = spark.range(1).selectExpr(column)
        frame.write.format("tfrecord").save(str(tmp_path / name))
    with pytest.raises(Exception, match=r"Feature 'x' holds bytes in .*b/part.* but int64 in .*a/part"):
        spark.read.format("tfrecord").load([str(tmp_path / "a"), str(tmp_path / "b")])


def test_large_values_and_many_columns(spark, tmp_path):
    uri = str(tmp_path / "wide")
    wide = [F.lit(i).alias(f"c{i}") for i in range(300)]
    frame = spark.range(3).select("id", F.repeat(F.lit("é"), 1_500_000).alias("huge"), *wide)
    frame.write.format("tfrecord").option("codec", "zlib").save(uri)
    back = spark.read.format("tfrecord").load(uri)
    row = back.where("id = 2").first()
    assert len(row["huge"]) == 1_500_000
    assert row["c299"] == 299
    assert len(back.columns) == 302


def test_gzip_files_are_one_plain_gzip_stream(spark, tmp_path):
    uri = tmp_path / "out"
    spark.range(10).coalesce(1).write.format("tfrecord").option("compression", "GZIP").save(str(uri))
    (path,) = uri.glob("part-*.tfrecord.gz")
    raw = zlib.decompress(path.read_bytes(), wbits=31)
    assert int.from_bytes(raw[:8], "little") == len(raw) // 10 - 16


def test_a_bad_option_and_a_bad_column_stop_the_write_before_any_task(spark, tmp_path):
    with pytest.raises(Exception, match=r"no option 'codce'.*codec"):
        spark.range(1).write.format("tfrecord").option("codce", "gzip").mode("append").save(str(tmp_path / "x"))
    with pytest.raises(Exception, match=r"Column 'bad' of type map<string,int>"):
        spark.range(1).selectExpr("map('a', 1) AS bad").write.format("tfrecord").save(str(tmp_path / "x"))
    assert not list(tmp_path.iterdir())
