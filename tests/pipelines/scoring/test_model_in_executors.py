"""The model in an executor: sent once, unpacked once per host, loaded once per Python worker, on its own threads."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from emberline.pipelines.saved_model.executors import load, ship, task_threads
from emberline.pipelines.scoring.model import open_model

ANSWER = "threads int, same boolean, gpus string, worker int, folder string"


class Probe:
    """Loads the model twice in every task."""

    def __init__(self, archive: str) -> None:
        self.archive = archive

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import tensorflow as tf
        from pyspark import SparkFiles

        for _ in batches:
            first, second = (load(self.archive, ("serve_encoded",), task_threads()) for _ in range(2))
            yield pa.RecordBatch.from_pydict(
                {
                    "threads": pa.array([tf.config.threading.get_intra_op_parallelism_threads()], pa.int32()),
                    "same": [first is second],
                    "gpus": [os.environ["CUDA_VISIBLE_DEVICES"]],
                    "worker": pa.array([os.getpid()], pa.int32()),
                    "folder": [SparkFiles.get(self.archive)],
                }
            )


def test_one_copy_one_load_own_threads(spark: SparkSession, registered) -> None:
    model = open_model(spark, registered.tracker, registered.uri)
    sent = len(spark.sparkContext.listArchives)
    assert open_model(spark, registered.tracker, registered.uri) == model
    assert len(spark.sparkContext.listArchives) == sent, "the same model was sent twice"
    found = spark.range(0, 8, 1, 8).mapInArrow(Probe(model.archive), ANSWER).collect()
    assert {row["threads"] for row in found} == {1}, "spark.task.cpus"
    assert all(row["same"] for row in found)
    assert {row["gpus"] for row in found} == {""}
    assert len({row["folder"] for row in found}) == 1 < len(found)
    assert len({row["worker"] for row in found}) < len(found)


def test_another_content_is_another_model(spark: SparkSession, registered, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    names = []
    for text in ("one", "two", "one"):
        (folder / "file").write_text(text)
        names.append(ship(spark, str(folder), "model"))
    assert names[0] == names[2] != names[1]


ON_A_CLUSTER = textwrap.dedent("""
    import importlib.util, json, sys
    from emberline.pipelines.scoring.model import open_model
    from emberline.pipelines.score import score
    from emberline.pipelines.runtime.session import session
    from emberline.pipelines.tracking import Tracker

    test, store, model, rows, out, script = sys.argv[1:]
    spec = importlib.util.spec_from_file_location("probe", test)
    probe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(probe)
    from pyspark import cloudpickle
    cloudpickle.register_pickle_by_value(sys.modules.setdefault("probe", probe))
    settings = {
        "spark.task.cpus": "2", "spark.worker.resource.gpu.amount": "1", "spark.executor.resource.gpu.amount": "1",
        "spark.worker.resource.gpu.discoveryScript": script, "spark.task.resource.gpu.amount": "1",
    }
    with session("score on a cluster", "local-cluster[1,2,1024]", settings) as spark:
        tracker = Tracker(store)
        opened = open_model(spark, tracker, model)
        found = spark.range(0, 2, 1, 2).mapInArrow(probe.Probe(opened.archive), probe.ANSWER).collect()
        result = score(spark, None, model, rows, out, tracker)
        print(json.dumps({"tasks": [row.asDict() for row in found], "scored": result.rows_scored}))
""")


@pytest.mark.slow
def test_a_task_has_its_own_cores_and_gpus(registered, tmp_path: Path) -> None:
    """There is no GPU on this machine, so TensorFlow scores on cores; what it was shown is what counts."""
    script, job = tmp_path / "discover", tmp_path / "job.py"
    script.write_text("""#!/bin/sh\necho '{"name": "gpu", "addresses": ["5"]}'\n""")
    script.chmod(0o755)
    job.write_text(ON_A_CLUSTER)
    given = [__file__, registered.tracker.uri, registered.uri, registered.rows, str(tmp_path / "out"), str(script)]
    done = subprocess.run(
        [sys.executable, str(job), *given],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert {row["gpus"] for row in found["tasks"]} == {"5"}
    assert {row["threads"] for row in found["tasks"]} == {2}
    assert found["scored"] == 3000
