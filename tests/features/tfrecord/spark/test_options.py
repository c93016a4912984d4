"""Options are parsed once, and every mistake names its remedy."""

import pytest

from emberline.features.tfrecord.spark.options import (
    TFRecordOptionError,
    parse_codec,
    read_options,
    read_paths,
    write_options,
)


@pytest.mark.parametrize(
    ("spelling", "codec"),
    [
        ("GZIP", "gzip"),
        ("org.apache.hadoop.io.compress.GzipCodec", "gzip"),
        ("org.apache.hadoop.io.compress.DefaultCodec", "zlib"),  # Hadoop's DefaultCodec writes zlib
        ("deflate", "zlib"),
        ("uncompressed", "none"),
        ("", "none"),  # spark-tfrecord's default
    ],
)
def test_codec_spellings(spelling, codec):
    assert parse_codec(spelling) == codec
    assert write_options({"codec": spelling}).codec == codec


def test_names_are_case_insensitive_and_aliases_agree():
    assert write_options({"RECORDTYPE": "sequenceexample"}).record_type == "SequenceExample"
    assert write_options({"maxRecordsPerFile": "5"}) == write_options({"recordspershard": "5"})
    assert write_options({"partitionBy": '["a,b", "c"]'}).partition_by == ("a,b", "c")
    assert write_options({"partitionBy": "a, b"}).partition_by == ("a", "b")
    # One dictionary of options may serve reading and writing.
    both = {"recordType": "Example", "codec": "gzip", "inferRecords": "7", "partitionBy": "a", "mode": "DROPMALFORMED"}
    assert read_options(both).infer_records == 7
    assert write_options(both).partition_by == ("a",)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"codce": "gzip"}, r"no option 'codce'.*codec"),
        ({"codec": "snappy"}, r"Codec 'snappy'.*gzip"),
        ({"recordType": "Exmaple"}, r"recordType is 'Exmaple'.*Example"),
        ({"recordsPerShard": "-1"}, r"recordsPerShard is '-1'.*at least 0"),
        ({"codec": "gzip", "compression": "none"}, r"same meaning"),
        ({"partitionOverwriteMode": "dynamic"}, r"replaces the whole target"),
        ({"mode": "overwrite"}, r"\.mode\('overwrite'\)"),
        ({"saveMode": "replace"}, r"saveMode is 'replace'"),
        ({"partitionBy": "[1]"}, r"JSON list of strings"),
    ],
)
def test_bad_write_options_teach(options, says):
    with pytest.raises(TFRecordOptionError, match=says):
        write_options(options)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"mode": "PERMISSIVE"}, r"mode is 'PERMISSIVE'.*DROPMALFORMED"),
        ({"inferRecords": "0"}, r"at least 1"),
        ({"recursiveFileLookup": "yes"}, r"'true' or 'false'"),
    ],
)
def test_bad_read_options_teach(options, says):
    with pytest.raises(TFRecordOptionError, match=says):
        read_options(options)


def test_paths_come_in_two_shapes():
    assert read_paths({"path": "/a"}) == ["/a"]
    assert read_paths({"paths": '["/a", "/b"]'}) == ["/a", "/b"]
    with pytest.raises(TFRecordOptionError, match=r"No location"):
        read_paths({})
