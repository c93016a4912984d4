"""Only what a query needs is read, and no query sees another one's conditions."""

import pytest


def ids(frame):
    return sorted(row.id for row in frame.select("id").collect())


def read(spark, *paths, **options):
    return spark.read.format("tfrecord").options(**options).load([str(path) for path in paths])


def test_pruned_partitions_are_not_opened_and_no_query_leaks_into_another(spark, tmp_path):
    uri = tmp_path / "out"
    spark.range(6).selectExpr("id", "id % 3 AS day", "cast(id AS string) AS text").write.format("tfrecord").partitionBy(
        "day"
    ).save(str(uri))
    frame = read(spark, uri)
    for path in (uri / "day=2").glob("part-*"):
        path.write_bytes(b"not a TFRecord file at all")
    assert ids(frame.where("day = 0")) == [0, 3]
    assert ids(frame.where("day < 2 AND id > 0")) == [1, 3, 4]
    with pytest.raises(Exception, match=r"day=2.*no TFRecord file"):
        frame.count()
    one, two = frame.where("day = 0"), frame.where("day = 1")
    assert ids(one.union(two)) == [0, 1, 3, 4]
    assert one.join(two.selectExpr("id - 1 AS id", "text AS other"), "id").count() == 2


def test_only_required_columns_are_decoded(spark, tmp_path):
    uri = str(tmp_path / "out")
    spark.range(4).selectExpr("id", "cast(id AS string) AS text").write.format("tfrecord").save(uri)
    # Decoding `text` as a number fails, so a query that succeeds has not touched it.
    frame = spark.read.format("tfrecord").schema("id long, text long").load(uri)
    assert ids(frame.select("id")) == [0, 1, 2, 3]
    assert frame.count() == 4
    assert frame.where("id > 1").selectExpr("sum(id)").first()[0] == 5
    with pytest.raises(Exception, match=r"'text'"):
        frame.select("text").collect()
    assert spark.read.format("tfrecord").option("columns", "id").load(uri).columns == ["id"]
    with pytest.raises(Exception, match=r"columns names 'txt'.*'text'"):
        spark.read.format("tfrecord").option("columns", "txt").load(uri)
