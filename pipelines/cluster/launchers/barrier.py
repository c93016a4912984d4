"""Spark's own barrier stage as ranks: all tasks start together or none, and no node registers anywhere.

Needs no classic context: `mapInArrow` in barrier mode works through Spark Connect too.
"""

import threading
import uuid
from collections.abc import Callable, Iterator

import pyarrow as pa
from pyspark import InheritableThread
from pyspark.sql import SparkSession
from pyspark.taskcontext import BarrierTaskContext

from emberline.pipelines.cluster.door import reserved_port
from emberline.pipelines.cluster.launchers import Launched, LaunchError, Node
from emberline.pipelines.cluster.roles import tf_config
from emberline.pipelines.cluster.worker import work
from emberline.pipelines.runtime.gpus import visible_gpus

FREE_SECONDS = 30
"""How long cancelled tasks may take to leave their executors."""


class _Stage:
    def __init__(self, spark: SparkSession, node: Node, on_failure: Callable[[str], None]) -> None:
        self._spark = spark
        self._failure = ""
        self._tag = f"emberline-training-{uuid.uuid4().hex}"
        self._quiet = threading.Event()
        count = len(node.roles)
        ranks = spark.range(0, count, 1, count)

        def run() -> None:
            spark.addTag(self._tag)
            try:
                ranks.mapInArrow(_Rank(node), "rank int", barrier=True).collect()
            except Exception as error:  # whatever Spark raises is the same to us: the stage did not end well
                self._failure = f"{type(error).__name__}: {error}"
                if not self._quiet.is_set():
                    on_failure(self._failure)
            finally:
                spark.removeTag(self._tag)

        self._thread = InheritableThread(target=run, session=spark, daemon=True)
        self._thread.start()

    def wait(self) -> None:
        self._quiet.set()
        self._thread.join()
        if self._failure:
            raise LaunchError(f"All workers finished, but their stage failed: {self._failure}")

    def cancel(self) -> None:
        self._quiet.set()
        self._spark.interruptTag(self._tag)
        self._thread.join(FREE_SECONDS)


class _Rank:
    """Runs on an executor: one task, one rank."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for _ in batches:
            pass  # the rows only spread the tasks
        context = BarrierTaskContext.get()
        if context.attemptNumber():
            raise RuntimeError("Spark tried this training again by itself; the driver starts attempts, not Spark.")
        rank = context.partitionId()
        host = context.getTaskInfos()[rank].address.rpartition(":")[0]
        # Held until TensorFlow is about to bind it, so that nobody else is given it meanwhile.
        with reserved_port() as port:
            addresses = context.allGather(f"{host}:{port.getsockname()[1]}")
            variables = {"TF_CONFIG": tf_config(self.node.roles, addresses, rank)} | visible_gpus()
            work(
                self.node.module,
                self.node.assignment,
                self.node.address,
                self.node.secret,
                rank,
                port.close,
                variables,
                dispensable=self.node.roles[rank] == self.node.dispensable,
            )
        yield pa.record_batch({"rank": pa.array([rank], pa.int32())})


def launch(spark: SparkSession, node: Node, on_failure: Callable[[str], None]) -> Launched:
    """Starts the ranks; see `emberline.pipelines.cluster.launchers.launch`."""
    return _Stage(spark, node, on_failure)
