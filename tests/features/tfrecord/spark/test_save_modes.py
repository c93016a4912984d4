"""The save modes and partitionBy that Spark withholds from Python data sources."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]


def ids(frame):
    return sorted(row.id for row in frame.select("id").collect())


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def read(spark, *paths, **options):
    return spark.read.format("tfrecord").options(**options).load([str(path) for path in paths])


def test_default_mode_is_error_and_names_the_way_out(spark, tmp_path):
    uri = tmp_path / "out"
    spark.range(3).write.format("tfrecord").save(str(uri))
    before = names(uri)
    with pytest.raises(Exception, match=r"already exists and the save mode is 'error'"):
        spark.range(9).write.format("tfrecord").save(str(uri))
    with pytest.raises(Exception, match=r"already exists"):
        spark.range(9).write.format("tfrecord").mode("errorifexists").save(str(uri))
    assert names(uri) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("spelling", ["mode", "option"])
def test_ignore_leaves_what_is_there(spark, tmp_path, spelling):
    uri = tmp_path / "out"

    def write(rows):
        writer = spark.range(rows).write.format("tfrecord")
        writer = writer.mode("ignore") if spelling == "mode" else writer.option("saveMode", "ignore").mode("append")
        writer.save(str(uri))

    write(3)
    write(9)
    assert ids(read(spark, uri)) == [0, 1, 2]


def test_other_formats_are_untouched(spark, tmp_path):
    frame = spark.range(6).selectExpr("id", "id % 2 AS part")
    frame.write.partitionBy("part").format("parquet").save(str(tmp_path / "p"))
    with pytest.raises(Exception, match=r"PATH_ALREADY_EXISTS"):
        frame.write.parquet(str(tmp_path / "p"))
    frame.write.save(str(tmp_path / "p"), format="parquet", mode="ignore", partitionBy="part")
    assert spark.read.parquet(str(tmp_path / "p")).where("part = 1").count() == 3


def test_installing_does_not_end_a_program_given_on_the_command_line():
    # PySpark takes `python -c` for a doctest and exits when its Connect modules are imported without their packages.
    program = "from emberline.features.tfrecord.spark import save_modes; save_modes.install(); print('alive')"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT, timeout=300
    )
    assert done.stdout.strip() == "alive"
