"""Spark Connect: a client without a JVM trains through a server."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CLIENT = """
import json, sys
from pyspark.sql import SparkSession
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.tracking import Tracker
from emberline.pipelines.train import train
dataset, output, store = sys.argv[1:]
spark = SparkSession.builder.remote("local[3]").getOrCreate()
overrides = {"training.epochs": "2", "training.workers": "2"}
result = train(spark, load_recipe("iris_dnn", overrides), dataset, output, Tracker(store))
print(json.dumps([type(spark).__module__, result.steps, result.metrics["eval_accuracy"]]))
spark.stop()
"""


@pytest.mark.slow
def test_a_training_through_spark_connect(flowers: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, flowers, str(tmp_path / "training"), f"sqlite:///{tmp_path}/mlflow.db"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=os.environ | {"PYSPARK_PYTHON": sys.executable, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    client, steps, accuracy = json.loads(done.stdout.splitlines()[-1])
    assert client.startswith("pyspark.sql.connect")
    assert steps > 100
    assert accuracy > 0.9
    assert (tmp_path / "training" / "model" / "saved_model.pb").exists()
