"""What records say about columns, with TensorFlow's protobufs as the source of records."""

from pathlib import Path

import pytest
from pyspark.sql import types as T

from emberline.features.tfrecord.codec.framing import DamagedRecordError, write_records
from emberline.features.tfrecord.spark.inference import SchemaInferenceError, infer_schema
from emberline.features.tfrecord.spark.partitions import DataFile


def files(tmp_path, *groups):
    made = []
    for index, records in enumerate(groups):
        path = str(tmp_path / f"{index}.tfrecord")
        made.append(DataFile(path, write_records(path, [records] if records else []).bytes))
    return made


def example(**features):
    import tensorflow as tf

    kinds = {int: ("int64_list", tf.train.Int64List), float: ("float_list", tf.train.FloatList)}
    made = {}
    for name, values in features.items():
        field, kind = kinds.get(type(values[0]), ("bytes_list", tf.train.BytesList))
        made[name] = tf.train.Feature(**{field: kind(value=values)})
    return tf.train.Example(features=tf.train.Features(feature=made)).SerializeToString()


def types(found):
    return {field.name: field.dataType.simpleString() for field in found.schema}


def test_rules(tmp_path):
    found = infer_schema(
        files(
            tmp_path,
            [
                example(a=[1], b=[1], c=[1, 2], d=[b"x"], e=[b"x"]),
                example(a=[-5], b=[0.5], d=["é".encode()], e=[b"\xff"]),
            ],
            [example(a=[2], c=[0.5], f=[b"p", b"q"])],
        ),
        "Example",
        100,
    )
    assert types(found) == {
        "a": "bigint", "b": "float", "c": "array<float>", "d": "string", "e": "binary", "f": "array<string>",
    }  # fmt: skip
    assert all(field.nullable for field in found.schema)
    assert (found.records, found.files, found.files_total) == (3, 2, 2)


def test_unpacked_numbers_count_too(tmp_path):
    # Feature { int64_list { value: 1 value: 2 } } as proto2 writers encode it: one tagged varint per value.
    feature = bytes([0x1A, 4, 0x08, 1, 0x08, 2])
    entry = bytes([0x0A, 1]) + b"n" + bytes([0x12, len(feature)]) + feature
    record = bytes([0x0A, len(entry) + 2, 0x0A, len(entry)]) + entry
    assert types(infer_schema(files(tmp_path, [record]), "Example", 1)) == {"n": "array<bigint>"}


def test_the_bound_is_spread_over_files(tmp_path):
    groups = [[example(a=[i])] * 50 for i in range(3)] + [[]]
    found = infer_schema(files(tmp_path, *groups), "Example", 30)
    assert (found.records, found.files) == (30, 3)
    assert infer_schema(files(tmp_path, [example(a=[1])], *groups), "Example", 120).records == 120
    assert infer_schema(files(tmp_path, *groups), "Example", 10**6).records == 150


def test_contradictions_and_nothing_are_errors(tmp_path):
    with pytest.raises(
        SchemaInferenceError, match=r"'a' holds bytes in .*0.tfrecord: record 1 but int64 in .*record 0"
    ):
        infer_schema(files(tmp_path, [example(a=[1]), example(a=[b"1"])]), "Example", 10)
    with pytest.raises(SchemaInferenceError, match=r"No record.*spark.read.schema"):
        infer_schema(files(tmp_path, []), "Example", 10)
    with pytest.raises(SchemaInferenceError, match=r"record 0 is no valid tf.train.Example"):
        infer_schema(files(tmp_path, [b"\x0a\xff\xff\x01"]), "Example", 10)


def test_damage_ends_a_file_where_the_read_may_drop_it(tmp_path):
    sources = files(tmp_path, [example(a=[1])] * 3, [example(b=[1])] * 3)
    whole = bytearray(Path(sources[0].path).read_bytes())
    whole[-20] ^= 1  # in the last record
    Path(sources[0].path).write_bytes(whole)
    with pytest.raises(DamagedRecordError, match="record 2 "):
        infer_schema(sources, "Example", 100)
    found = infer_schema(sources, "Example", 100, drop_malformed=True)
    assert (types(found), found.records) == ({"a": "bigint", "b": "bigint"}, 5)
    foreign = files(tmp_path, [example(a=[1]), b"\x0a\xff\xff\x01"])
    assert infer_schema(foreign, "Example", 10, drop_malformed=True).records == 1


def test_byte_arrays_need_no_record():
    assert infer_schema([], "ByteArray", 10).schema == T.StructType([T.StructField("byteArray", T.BinaryType())])
