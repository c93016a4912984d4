"""What `load` and `save` accept: save modes, partitions, pruning, globs, lists, single files, damage."""

import datetime
import threading
import time
from pathlib import Path

import pytest

from emberline.features.tfrecord.spark.data_source import damage_report


def ids(frame):
    return sorted(row.id for row in frame.select("id").collect())


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def read(spark, *paths, **options):
    return spark.read.format("tfrecord").options(**options).load([str(path) for path in paths])


def test_overwrite_replaces_files_and_manifest(spark, tmp_path):
    uri = tmp_path / "out"
    spark.range(0, 90, 1, 3).write.format("tfrecord").option("codec", "gzip").mode("overwrite").save(str(uri))
    spark.range(0, 10, 1, 2).write.format("tfrecord").mode("overwrite").save(str(uri))
    assert names(uri) == ["_SUCCESS", "manifest.json", "part-00000-of-00002.tfrecord", "part-00001-of-00002.tfrecord"]
    assert ids(read(spark, uri)) == list(range(10))
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_overwrite_may_read_its_own_target(spark, tmp_path):
    uri = tmp_path / "out"
    spark.range(10).write.format("tfrecord").save(str(uri))
    read(spark, uri).where("id < 4").write.format("tfrecord").mode("overwrite").save(str(uri))
    assert ids(read(spark, uri)) == [0, 1, 2, 3]


def test_overwrite_keeps_the_old_data_readable_until_the_commit(spark, tmp_path):
    uri = tmp_path / "out"
    spark.range(5).write.format("tfrecord").save(str(uri))
    gate = tmp_path / "gate"

    def slow(batches):
        for batch in batches:
            while not gate.exists():
                time.sleep(0.05)
            yield batch

    frame = spark.range(0, 8, 1, 2).mapInArrow(slow, "id long")
    job = threading.Thread(target=lambda: frame.write.format("tfrecord").mode("overwrite").save(str(uri)))
    job.start()
    try:
        deadline = time.monotonic() + 60
        while not any(tmp_path.glob(".out.*.staging")) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert any(tmp_path.glob(".out.*.staging"))
        assert (uri / "_SUCCESS").exists()
        assert sorted(path.name for path in uri.glob("part-*")) != []
        old = [path.read_bytes() for path in sorted(uri.glob("part-*"))]
    finally:
        gate.touch()
        job.join()
    assert sum(map(len, old)) > 0
    assert ids(read(spark, uri)) == list(range(8))


def test_append_adds_files_and_extends_the_manifest(spark, tmp_path):
    uri = tmp_path / "out"
    for low in (0, 10, 20):
        spark.range(low, low + 10, 1, 2).write.format("tfrecord").mode("append").save(str(uri))
    assert ids(read(spark, uri)) == list(range(30))
    assert names(uri) == [
        "_SUCCESS", "manifest.json",
        "part-00000-of-00002-a00001.tfrecord", "part-00000-of-00002-a00002.tfrecord", "part-00000-of-00002.tfrecord",
        "part-00001-of-00002-a00001.tfrecord", "part-00001-of-00002-a00002.tfrecord", "part-00001-of-00002.tfrecord",
    ]  # fmt: skip
    (uri / "part-00001-of-00002-a00001.tfrecord").unlink()
    with pytest.raises(Exception, match=r"part-00001-of-00002-a00001.*gone.*manifest"):
        read(spark, uri).count()


def test_append_to_foreign_files_leaves_no_manifest_that_would_miss_them(spark, tmp_path):
    uri = tmp_path / "out"
    spark.range(5).coalesce(1).write.format("tfrecord").save(str(uri))
    (uri / "manifest.json").unlink()
    spark.range(5, 8).write.format("tfrecord").mode("append").save(str(uri))
    assert not (uri / "manifest.json").exists()
    assert (uri / "_SUCCESS").exists()
    assert ids(read(spark, uri)) == list(range(8))


@pytest.fixture(scope="module")
def days(spark, tmp_path_factory):
    """Two partition columns, a null among them."""
    uri = tmp_path_factory.mktemp("partitioned") / "days"
    rows = [
        (0, datetime.date(2024, 1, 1), "a/b"),
        (1, datetime.date(2024, 1, 2), "ä =%"),
        (2, datetime.date(2024, 1, 2), None),
        (3, datetime.date(2024, 1, 3), "a/b"),
    ]
    frame = spark.createDataFrame(rows, "id long, day date, kind string").coalesce(1)
    writer = frame.write.format("tfrecord").option("recordType", "Example").option("codec", "gzip")
    writer.partitionBy("day", "kind").mode("overwrite").save(str(uri))
    return uri


def test_partition_directories_are_sparks_own(spark, days, tmp_path):
    frame = read(spark, days)
    frame.write.partitionBy("day", "kind").parquet(str(tmp_path / "parquet"))
    ours = {path.parent.relative_to(days) for path in days.rglob("part-*")}
    assert ours == {
        path.parent.relative_to(tmp_path / "parquet") for path in (tmp_path / "parquet").rglob("part-*.parquet")
    }


def test_partition_columns_are_discovered_with_their_types(spark, days):
    frame = read(spark, days)
    assert frame.schema.simpleString() == "struct<id:bigint,day:date,kind:string>"
    assert sorted(map(tuple, frame.collect())) == [
        (0, datetime.date(2024, 1, 1), "a/b"),
        (1, datetime.date(2024, 1, 2), "ä =%"),
        (2, datetime.date(2024, 1, 2), None),
        (3, datetime.date(2024, 1, 3), "a/b"),
    ]
    typed = spark.read.format("tfrecord").schema("day string, id long").load(str(days))
    assert sorted(map(tuple, typed.collect()))[0] == ("2024-01-01", 0)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("day = date'2024-01-02'", [1, 2]),
        ("day = '2024-01-02'", [1, 2]),
        ("day > '2024-01-01' AND kind IS NOT NULL", [1, 3]),
        ("kind IS NULL", [2]),
        ("kind = 'a/b' OR day = '2024-01-02'", [0, 1, 2, 3]),
        ("day IN ('2024-01-01', '2024-01-03')", [0, 3]),
        ("NOT (kind = 'a/b')", [1]),
        ("kind <=> NULL", [2]),
        ("kind LIKE 'a%'", [0, 3]),
        ("id = 3", [3]),
        ("year(day) = 2024 AND id > 1", [2, 3]),
        ("kind = 'none such'", []),
    ],
)
def test_filters_on_partitions(spark, days, condition, expected):
    assert ids(read(spark, days).where(condition)) == expected


@pytest.fixture(scope="module")
def tree(spark, tmp_path_factory):
    """a: 0..4, b: 5..9, c: 10..14, one file each."""
    root = tmp_path_factory.mktemp("tree")
    for position, name in enumerate("abc"):
        low = 5 * position
        spark.range(low, low + 5, 1, 1).write.format("tfrecord").save(str(root / name))
    return root


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["a"], range(5)),
        (["a", "c"], [*range(5), *range(10, 15)]),
        (["a/part-00000-of-00001.tfrecord"], range(5)),
        (["[ab]"], range(10)),
        (["{a,c}/part-*"], [*range(5), *range(10, 15)]),
        (["?/part-00000-of-*.tfrecord"], range(15)),
        (["a", "a"], range(5)),
    ],
)
def test_globs_lists_and_single_files(spark, tree, patterns, expected):
    assert ids(read(spark, *[tree / pattern for pattern in patterns])) == list(expected)


def test_file_uris_and_relative_paths(spark, tree, monkeypatch):
    assert ids(spark.read.format("tfrecord").load(f"file://{tree}/a")) == list(range(5))
    assert ids(spark.read.load(f"file:{tree}/a", format="tfrecord")) == list(range(5))


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("nothing", {}, "does not exist"),
        ("x*", {}, "nothing matches"),
        (".", {}, "folders that are no partitions.*recursiveFileLookup"),
        ("a", {"basePath": "/elsewhere"}, "does not lie under the basePath"),
        ("a", {"mode": "PERMISSIVE"}, "mode is 'PERMISSIVE'"),
    ],
)
def test_bad_locations_teach(spark, tree, name, options, says):
    with pytest.raises(Exception, match=says):
        read(spark, f"{tree}/{name}", **options).count()


def test_recursive_lookup_and_name_filter(spark, tree):
    assert ids(read(spark, tree, recursiveFileLookup="true")) == list(range(15))
    assert ids(read(spark, tree, recursiveFileLookup="true", pathGlobFilter="part-*.tfrecord")) == list(range(15))


def test_base_path_brings_the_partition_column_back(spark, days):
    part = f"{days}/day=2024-01-02"
    assert "day" not in read(spark, part).columns
    frame = read(spark, part, basePath=str(days))
    assert {row.day for row in frame.collect()} == {datetime.date(2024, 1, 2)}


def test_an_unfinished_or_empty_folder_is_no_empty_table(spark, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(Exception, match=r"no TFRecord files and no _SUCCESS"):
        spark.read.format("tfrecord").schema("id long").load(str(tmp_path / "empty")).count()


@pytest.fixture
def shard(spark, tmp_path):
    """One file of 100 records of equal size, and its bytes."""
    uri = tmp_path / "damaged"
    spark.range(1000, 1100).coalesce(1).write.format("tfrecord").save(str(uri))
    (path,) = uri.glob("part-*")
    return path, path.read_bytes()


def flip(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize(
    ("harm", "record", "whole"),
    [
        ("data bit", 40, 40),
        ("cut between records", 60, 60),
    ],
)
def test_damage_is_located_or_counted(spark, shard, harm, record, whole):
    path, data = shard
    size = len(data) // 100
    path.write_bytes(
        {
            "data bit": flip(data, 40 * size + 20),
            "cut between records": data[: 60 * size],
        }[harm]
    )
    offset = record * size
    with pytest.raises(Exception, match=rf"part-00000-of-00001.tfrecord: record {record} at byte {offset}: "):
        spark.read.format("tfrecord").schema("id long").load(str(path.parent)).collect()
    frame = spark.read.format("tfrecord").schema("id long").option("mode", "DROPMALFORMED").load(str(path.parent))
    assert ids(frame) == list(range(1000, 1000 + whole))
    (found,) = [damage for damage in damage_report(spark) if damage.uri == str(path)]
    assert (found.record, found.offset, found.lost_records) == (record, offset, 100 - whole)
    frame.collect()  # reading again does not count twice
    assert len([damage for damage in damage_report(spark) if damage.uri == str(path)]) == 1


def test_a_record_that_is_no_example_is_damage(spark, shard):
    from emberline.features.tfrecord.codec.framing import frame_records

    path, data = shard
    size = len(data) // 100
    (path.parent / "manifest.json").unlink()
    path.write_bytes(data[: 10 * size] + bytes(frame_records([b"\xff\xff\xff"])) + data[10 * size :])
    with pytest.raises(Exception, match=rf"record 10 at byte {10 * size}: .*tf.train.Example"):
        spark.read.format("tfrecord").schema("id long").load(str(path)).collect()
    frame = spark.read.format("tfrecord").schema("id long").option("mode", "DROPMALFORMED").load(str(path))
    assert ids(frame) == list(range(1000, 1010))
    (found,) = [damage for damage in damage_report(spark) if damage.uri == str(path)]
    assert found.lost_records is None  # no manifest, nobody knows


def test_damaged_gzip_is_located(spark, tmp_path):
    uri = tmp_path / "gz"
    spark.range(50_000).coalesce(1).write.format("tfrecord").option("codec", "gzip").save(str(uri))
    (path,) = uri.glob("part-*")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(Exception, match=r"part-00000-of-00001.tfrecord.gz: record \d+ at byte \d+: "):
        spark.read.format("tfrecord").schema("id long").load(str(uri)).collect()
    frame = spark.read.format("tfrecord").schema("id long").option("mode", "DROPMALFORMED").load(str(uri))
    got = ids(frame)
    assert 0 < len(got) < 50_000
    assert got == list(range(len(got)))
    (found,) = [damage for damage in damage_report(spark) if damage.uri == str(path)]
    assert found.lost_records == 50_000 - len(got)
