"""From what a user gives to `load` to files, without Spark."""

import json

import pytest

from emberline.features.tfrecord.spark.locations import LocationError, find_files
from emberline.features.tfrecord.spark.options import ReadOptions


def tree(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def found(root, *patterns, **options):
    files = find_files([f"{root}/{pattern}" for pattern in patterns], ReadOptions(**options))
    return [file.path.removeprefix(f"{root}/") for file in files]


def test_hidden_files_and_descriptions_are_no_data(tmp_path):
    tree(
        tmp_path, "d/_SUCCESS", "d/.x.crc", "d/manifest.json", "d/_staging-1/task/0.tfrecord", "d/part-0", "d/other.bin"
    )
    (tmp_path / "d/manifest.json").write_text("{}")
    assert found(tmp_path, "d") == ["d/other.bin", "d/part-0"]  # a foreign file is data, and an error when read
    assert found(tmp_path, "d", path_glob="part-*") == ["d/part-0"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*/x", ["a/x", "b/x"]),
        ("{a,c}*/x", ["a/x"]),
        ("[^a]/[x-z]", ["b/x", "b/y"]),
        ("b/?", ["b/x", "b/y"]),
        ("*", ["a/x", "b/x", "b/y"]),
        (".*/x", [".h/x"]),
    ],
)
def test_globs(tmp_path, pattern, expected):
    tree(tmp_path, "a/x", "b/x", "b/y", ".h/x")
    assert found(tmp_path, pattern) == expected


def test_partition_values_and_base_path(tmp_path):
    tree(tmp_path, "t/day=1/kind=a%2Fb/x", "t/_p=2/kind=c/x")
    (one, two) = find_files([f"{tmp_path}/t"], ReadOptions())
    assert (one.values, two.values) == ((("_p", "2"), ("kind", "c")), (("day", "1"), ("kind", "a/b")))
    (part,) = find_files([f"{tmp_path}/t/day=1"], ReadOptions())
    assert part.values == (("kind", "a/b"),)
    (part,) = find_files([f"{tmp_path}/t/day=1"], ReadOptions(base_path=f"{tmp_path}/t"))
    assert part.values == (("day", "1"), ("kind", "a/b"))


def test_a_file_that_the_manifest_names_is_expected(tmp_path):
    tree(tmp_path, "d/part-0")
    shard = {"path": "part-1", "rows": 5, "records": 5, "bytes": 9, "crc32c": 0}
    (tmp_path / "d/manifest.json").write_text(json.dumps({"shards": [shard]}))
    files = find_files([f"{tmp_path}/d"], ReadOptions())
    assert [(file.path.rpartition("/")[2], file.expected) for file in files] == [("part-0", None), ("part-1", 5)]


@pytest.mark.parametrize(
    ("pattern", "says"),
    [("nowhere", "does not exist"), ("z*", "nothing matches"), ("empty", "no TFRecord files"), (".", "no partitions")],
)
def test_what_cannot_be_meant_is_an_error(tmp_path, pattern, says):
    tree(tmp_path, "a/x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(LocationError, match=says):
        found(tmp_path, pattern)


def test_a_finished_write_of_no_rows_has_no_files(tmp_path):
    tree(tmp_path, "d/_SUCCESS")
    assert found(tmp_path, "d") == []
