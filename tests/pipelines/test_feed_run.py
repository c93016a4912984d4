"""Two ranks and a feeder on a cluster of three executors: uneven rows, a stream, faults, the quality of file input."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

ROOT = Path(__file__).parents[2]
MASTER = "local-cluster[3,1,1024]"

DRIVER = '''
import json, os, signal, sys, time
from pathlib import Path
from pyspark.sql import functions as F
from emberline.pipelines.cluster.gang import ClusterError
from emberline.pipelines.datasets import load_dataset
from emberline.pipelines.etl import etl
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.runtime.session import session
from emberline.pipelines.tracking import Tracker
from emberline.pipelines.train import train

kind, launcher, folder = sys.argv[1:]
load_dataset("iris").generate(folder + "/raw", seed=1)
overrides = {"training.input": "spark", "training.launcher": launcher, "training.epochs": "2",
             "training.optimizers.0.schedule.kind": "constant"}
if kind == "stream":
    overrides["training.epochs"] = "1"
recipe = load_recipe("iris_dnn", overrides)

def dying_once(batches):
    """Kills its own executor's JVM, the first time, when rows have reached the ranks: before, Spark may just retry."""
    for number, batch in enumerate(batches):
        if number == 9 and not (Path(folder) / "died").exists():
            (Path(folder) / "died").touch()
            time.sleep(15)
            worker = os.getppid()  # the daemon of Python workers; its parent is the executor
            parent = int(Path(f"/proc/{worker}/stat").read_text().rsplit(")", 1)[1].split()[1])
            os.kill(parent, signal.SIGKILL)
        yield batch

with session("test", "MASTER") as spark:
    etl(spark, recipe, folder + "/raw", folder + "/dataset")
    names = [*load_dataset("iris").schema.names, "species"]
    flowers = load_dataset("iris").read(spark, folder + "/raw", "train").select(*dict.fromkeys(names)).drop("row")
    many = flowers.crossJoin(spark.range(9)).drop("id").orderBy(F.rand(1)).limit(10_000)
    if kind == "skewed":
        few = many.limit(10).coalesce(1)
        rows = few.unionByName(many.coalesce(1)).unionByName(many.where("sepal_length > 1e6").coalesce(1))
    elif kind == "stream":
        for part in range(4):
            flowers.coalesce(1).write.parquet(f"{folder}/stream/part-{part}")
        stream = spark.readStream.schema(flowers.schema).option("maxFilesPerTrigger", 1)
        rows = stream.parquet(folder + "/stream/part-*")
    elif kind == "raising":
        late = F.when(F.rand(1) > 0.9999, F.raise_error(F.lit("the table is damaged"))).otherwise(F.col("sepal_length"))
        rows = spark.range(100_000).join(flowers.limit(1)).withColumn("sepal_length", late)
    elif kind == "dying":
        spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", 500)
        rows = many.coalesce(1).mapInArrow(dying_once, many.schema)
    try:
        result = train(spark, recipe, folder + "/dataset", folder + "/training",
                       Tracker("sqlite:///" + folder + "/mlflow.db"), rows=rows)
        print(json.dumps({"steps": result.steps, "metrics": result.metrics, "run_id": result.run_id}))
    except ClusterError as error:
        print(json.dumps({"error": str(error)}))
'''.replace("MASTER", MASTER)


def drive(kind: str, folder: Path, launcher: str = "barrier") -> tuple[dict[str, Any], str]:
    """What a training on fed rows comes to, and what it says."""
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, kind, launcher, str(folder)],
        capture_output=True, text=True, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=400, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


@pytest.mark.slow
def test_uneven_partitions_end_every_epoch_on_all_workers(tmp_path: Path) -> None:
    """10 rows against 10,000, and a partition of none: 10,010 rows make 417 steps of 24, and 2 are left out."""
    found, said = drive("skewed", tmp_path)
    assert found.get("steps") == 2 * 417, found
    assert "epoch 2: 10,010 rows fed, 2 of them left out as less than a global batch, 0 rejected" in said
    assert found["metrics"]["eval_accuracy"] > 0.9


@pytest.mark.slow
def test_a_stream_trains_to_its_end(tmp_path: Path) -> None:
    found, said = drive("stream", tmp_path, "tensorflowonspark")
    assert found.get("steps") == 4 * 1200 // 24, found
    assert "epoch 1: 4,800 rows fed, 0 of them left out" in said


@pytest.mark.slow
def test_an_error_of_the_feed_reaches_the_driver(tmp_path: Path) -> None:
    found, said = drive("raising", tmp_path)
    assert "the table is damaged" in found["error"]
    assert "The job that feeds epoch 1 failed" in found["error"]
    assert "Starting all workers again" not in said, "another attempt would meet the same rows"


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["barrier", "tensorflowonspark"])
def test_a_lost_feeder_begins_the_epoch_again(tmp_path: Path, launcher: str) -> None:
    found, said = drive("dying", tmp_path, launcher)
    assert "Starting all workers again (1)" in said
    assert found.get("steps") == 2 * 416, found
    run = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db").get_run(found["run_id"])
    assert (run.info.status, run.data.metrics["restarts"]) == ("FINISHED", 1)


@pytest.mark.slow
def test_fed_rows_train_as_well_as_files(tmp_path: Path, emberline) -> None:
    found = {}
    for kind in ("spark", "tensorflow"):
        finished = emberline(
            "run", "iris_dnn", "--workspace", tmp_path / kind, "--master", MASTER, "--set", f"training.input={kind}",
            "--set", "training.epochs=30",
        )  # fmt: skip
        assert finished.code == 0, finished.stderr[-4000:]
        found[kind] = finished.result
    assert found["spark"]["steps"] == found["tensorflow"]["steps"] == 30 * 1200 // 24
    assert found["spark"]["metrics"]["accuracy"] == pytest.approx(found["tensorflow"]["metrics"]["accuracy"], abs=0.02)
    assert found["spark"]["metrics"]["log_loss"] == pytest.approx(found["tensorflow"]["metrics"]["log_loss"], abs=0.03)
