"""Spark's classes as Java keeps them once they are loaded: a Java that maps them need not read, check and link them.

`python -m emberline.pipelines.runtime.class_archive` writes the archive for this Java and this Spark, as `make setup`
does: some 180 MB in `$EMBERLINE_CLASS_ARCHIVES`, if set; otherwise in `__pycache__` of Spark's folder, or where that
cannot be written in `$XDG_CACHE_HOME/emberline` or `~/.cache/emberline`. Sessions whose driver and executors are all on
this machine use it where it is (`emberline.pipelines.runtime.java_options`): a Java that starts for a small table then
takes a third less of the processor's time. Java itself compares the archive with its version and every jar, and does
without where anything differs.

An archive is code: it counts only where nobody but this user and root can replace it.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyspark

from emberline.features.tfrecord.codec.compiled import is_private

SECONDS = 600
"""For a run of `REHEARSAL` and the writing of the archive, on a busy machine."""

REHEARSAL = """
import os, sys
from pyspark.sql import SparkSession, functions as F

folder, archive = sys.argv[1:]
os.environ["PYSPARK_PYTHON"] = sys.executable
builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
builder = builder.config("spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1 -XX:ArchiveClassesAtExit=" + archive)
builder = builder.config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1")
spark = builder.config("spark.sql.shuffle.partitions", "2").getOrCreate()
spark.sparkContext.setLogLevel("OFF")
rows = spark.range(1000).select(F.concat_ws(",", "id", F.col("id") % 7, F.lit(" x ")).alias("value"))
rows.write.text(folder + "/text")
parts = F.split(F.col("value"), ",")
lines = spark.read.text(folder + "/text").select(
    F.trim(F.get(parts, F.lit(0))).alias("key"), F.get(parts, F.lit(1)).try_cast("double").alias("number"),
    F.when(F.size(parts) != 3, F.lit("wrong")).alias("reason"), F.col("_metadata.file_path").alias("source"),
    F.sha2("value", 256).alias("digest"), (F.length("value") > 5).alias("good"),
)
lines.write.partitionBy("good").parquet(folder + "/rows")
stored = spark.read.parquet(folder + "/rows")
stored.select("key").limit(5).toArrow()
stored.groupBy("number").agg(F.count(F.lit(1)), F.sum("number"), F.max("key")).orderBy("number").collect()
stored.join(stored.select("key", F.lit(1).alias("one")).distinct(), "key", "left").count()
order = F.xxhash64("key", F.lit(1))
stored.repartition(2, order).sortWithinPartitions(order).select("key").mapInArrow(lambda it: it, "key string").collect()
spark.range(0, 2, 1, 2).mapInArrow(lambda it: it, "id long", barrier=True).collect()
spark.createDataFrame([(1, "a")], "number int, text string").collect()
java = spark.sparkContext._gateway.proc
spark.stop()
java.stdin.close()
java.wait(300)
"""
"""What the steps ask of Spark, in little: whatever classes it loads are in the archive."""


def class_archive() -> Path | None:
    """Returns the archive for this Java and this Spark, if it was written."""
    return next((path for path in _places() if path.is_file() and is_private(path)), None)


def write_class_archive() -> Path | None:
    """Writes the archive, unless it is there; those of other versions of this Spark are deleted.

    Returns:
        The archive; None where there is no private folder for it, or this Java writes none.
    """
    if (known := class_archive()) is not None:
        return known
    path = next(filter(_takes, _places()), None)
    if path is None:
        return None
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / "classes.jsa"
        command = [sys.executable, "-c", REHEARSAL, scratch, str(made)]
        environment = {name: value for name, value in os.environ.items() if name != "PYSPARK_SUBMIT_ARGS"}
        try:
            subprocess.run(command, cwd=scratch, env=environment, capture_output=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return None
        if not made.is_file():
            return None
        beside = path.with_name(f"{path.name}.{os.getpid()}")
        shutil.copyfile(made, beside)
    os.replace(beside, path)
    for old in path.parent.glob(f"{path.name.rpartition('-')[0]}-*"):
        if old != path:
            old.unlink(missing_ok=True)
    return path


def _takes(path: Path) -> bool:
    """Whether a file can be written there, by this user and root alone."""
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError:
        return False
    return is_private(path) and os.access(path.parent, os.W_OK)


def _places() -> Iterator[Path]:
    """Where the archive may be, under a name made of all that it depends on."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which(str(Path(home) / "bin" / "java") if home else "java")
    spark = Path(os.environ.get("SPARK_HOME") or Path(pyspark.__file__).parent)
    if java is None or not (spark / "jars").is_dir():
        return
    program = Path(java).resolve()
    files = [program, *sorted((spark / "jars").iterdir())]
    facts = [f"{file.name} {found.st_size} {found.st_mtime_ns}" for file in files for found in [file.stat()]]
    place = hashlib.sha256(f"{program} {spark}".encode()).hexdigest()[:12]
    content = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:12]
    name = f"spark-classes-{place}-{content}.jsa"
    if folder := os.environ.get("EMBERLINE_CLASS_ARCHIVES"):
        yield Path(folder) / name
        return
    yield spark / "__pycache__" / name
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if os.path.isabs(cache):
        yield Path(cache) / "emberline" / name


if __name__ == "__main__":
    print(write_class_archive() or "This Java writes no archive of Spark's classes; Spark starts without.")
