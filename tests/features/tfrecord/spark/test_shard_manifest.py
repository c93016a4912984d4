"""The manifest beside the shards."""

import pytest
from pyspark.sql import types as T

from emberline.features.tfrecord.manifest import ManifestError, Shard, ShardSet
from emberline.features.tfrecord.spark.shard_manifest import MANIFEST, Manifest, load_shards, stored_type

SHARDS = [Shard("part-0", 10, 10, 100, 1, ((2, 50),)), Shard("p=1/part-0", 5, 5, 60, 2)]
SCHEMA = T.StructType().add("a", "integer").add("b", "double").add("p", "string")


def test_it_reads_back_and_is_a_shard_set(tmp_path):
    Manifest.of(SCHEMA, "Example", "gzip", ["p"]).with_shards(SHARDS).save(str(tmp_path))
    assert load_shards(str(tmp_path)) == SHARDS
    found = ShardSet.from_json((tmp_path / MANIFEST).read_text())
    assert found.rows == 15
    assert [(item.name, str(item.type)) for item in found.schema] == [("a", "int64"), ("b", "float")]
    assert found.shards == tuple(SHARDS)


def test_other_record_types_are_not_taken_for_examples(tmp_path):
    Manifest.of(SCHEMA, "SequenceExample", "none").with_shards(SHARDS).save(str(tmp_path))
    with pytest.raises(ManifestError, match=r"sequenceexample"):
        ShardSet.from_json((tmp_path / MANIFEST).read_text())


def test_another_kind_of_manifest_promises_nothing(tmp_path):
    assert load_shards(str(tmp_path)) is None
    (tmp_path / MANIFEST).write_text('{"train": {"shards": []}}')
    assert load_shards(str(tmp_path)) is None


@pytest.mark.parametrize("content", ["{", '{"shards": [{}]}', '{"shards": 5}'])
def test_an_unusable_manifest_is_an_error(tmp_path, content):
    (tmp_path / MANIFEST).write_text(content)
    with pytest.raises(ManifestError, match=r"manifest.json is not usable.*delete it"):
        load_shards(str(tmp_path))


def test_stored_types():
    nested = T.ArrayType(T.ArrayType(T.DecimalType(5, 2)))
    assert stored_type(nested) == "list<list<float32>>"
    assert [stored_type(kind) for kind in (T.BooleanType(), T.TimestampType(), T.BinaryType())] == [
        "int64",
        "int64",
        "binary",
    ]
