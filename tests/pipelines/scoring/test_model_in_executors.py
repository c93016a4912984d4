"""The model in an executor: sent once, unpacked once per host, loaded once per Python worker, on its own threads."""

import os
from collections.abc import Iterator

import pyarrow as pa
from pyspark.sql import SparkSession

from pipelines.scoring.model import open_model
from pipelines.scoring_model import load, ship, task_threads

ANSWER = "threads int, same boolean, gpus string, worker int, folder string"


class Probe:
    """Loads the model twice in every task."""

    def __init__(self, archive: str) -> None:
        self.archive = archive

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import tensorflow as tf
        from pyspark import SparkFiles

        for _ in batches:
            first, second = (load(self.archive, task_threads()) for _ in range(2))
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


def test_another_content_is_another_model(spark: SparkSession, registered, tmp_path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    names = []
    for text in ("one", "two", "one"):
        (folder / "file").write_text(text)
        names.append(ship(spark, str(folder), "model"))
    assert names[0] == names[2] != names[1]
