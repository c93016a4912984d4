"""What `local[*]` cannot show: executors that get our code as a .zip, and executors with little memory."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
pytestmark = pytest.mark.slow

ZIPPED = """
import json, sys
from pyspark.sql import SparkSession
from emberline.features.tfrecord.spark.data_source import register
import emberline.features.tfrecord.spark.data_source as module

def where(batches):
    import emberline.features.tfrecord.codec.example as shipped, os, time, pyarrow as pa
    for batch in batches:
        yield pa.record_batch({"file": [shipped.__file__], "numba": [str("numba" in __import__("sys").modules)]})

spark = SparkSession.builder.getOrCreate()
register(spark)
uri = sys.argv[1] + "/out"
spark.range(0, 1000, 1, 2).selectExpr("id", "id % 2 AS odd").write.format("tfrecord").partitionBy("odd").save(uri)
count = spark.read.format("tfrecord").load(uri).where("odd = 1").count()
seen = spark.range(0, 1, 1, 1).mapInArrow(where, "file string, numba string").collect()
print(json.dumps({"count": count, "driver": module.__file__, "executor": seen[0].file, "numba": seen[0].numba}))
"""

LARGE = """
import json, os, sys
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from emberline.features.tfrecord.spark.data_source import register

def peak(batches):
    import pyarrow as pa
    for batch in batches:
        status = open("/proc/self/status").read()
        yield pa.record_batch({"kib": [int(status.split("VmHWM:")[1].split()[0])]})

spark = SparkSession.builder.getOrCreate()
register(spark)
text = [F.hex(F.col("id") * (i + 3)).alias(f"s{i}") for i in range(4)]
numbers = [(F.col("id") / (i + 1)).cast("float").alias(f"f{i}") for i in range(4)]
uri = sys.argv[1] + "/out"
spark.range(0, 5_000_000, 1, 1).select("id", *text, *numbers).write.format("tfrecord").save(uri)
written = spark.range(0, 1, 1, 1).mapInArrow(peak, "kib long").first().kib
total = spark.read.format("tfrecord").schema("id long, s3 string, f3 float").load(uri).agg(
    F.count("s3"), F.sum("id"), F.count("f3")).first()
read = spark.range(0, 1, 1, 1).mapInArrow(peak, "kib long").first().kib
print(json.dumps({"total": list(total), "write_mib": written / 1024, "read_mib": read / 1024}))
"""


def submit(folder: Path, script: str, *arguments: str) -> dict[str, object]:
    """Run a script with our code in a .zip and nowhere else; returns the JSON on its last line."""
    bundle = folder / "emberline.zip"
    with zipfile.ZipFile(bundle, "w") as archive:
        package = ROOT / "emberline"
        for path in [package / "__init__.py", *sorted((package / "features").rglob("*.py"))]:
            archive.write(path, path.relative_to(ROOT))
    (folder / "job.py").write_text(script)
    command = [
        str(Path(sys.executable).with_name("spark-submit")), "--master", "local-cluster[1,1,1024]",
        "--conf", "spark.ui.enabled=false", "--conf", "spark.executor.memory=1g", *arguments,
        "--py-files", str(bundle), str(folder / "job.py"), str(folder),
    ]  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["PYSPARK_PYTHON"] = environment["PYSPARK_DRIVER_PYTHON"] = sys.executable
    # As an image build does; without it the first worker of a machine compiles.
    environment["EMBERLINE_KERNEL_CACHE"] = str(folder / "kernels")
    compiled = [sys.executable, "-m", "emberline.features.tfrecord.codec.compiled"]
    subprocess.run(compiled, cwd=ROOT, env=environment, capture_output=True, timeout=300, check=True)
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_the_code_travels_in_a_zip(tmp_path):
    found = submit(tmp_path, ZIPPED)
    assert found["count"] == 500
    assert "emberline.zip" in str(found["executor"])
    assert "emberline.zip" in str(found["driver"])
    assert found["numba"] == "False"  # kernels come from the cache, not from a compiler in every worker


def test_five_million_rows_of_one_partition_in_a_one_gib_executor(tmp_path):
    # spark.executor.pyspark.memory is a hard limit (RLIMIT_AS) of the Python worker beside the 1 GiB of the JVM.
    found = submit(
        tmp_path, LARGE, "--conf", "spark.executor.pyspark.memory=1g", "--conf", "spark.python.worker.reuse=true"
    )
    assert found["total"] == [5_000_000, sum(range(5_000_000)), 5_000_000]
    assert max(float(found["write_mib"]), float(found["read_mib"])) < 400, found
