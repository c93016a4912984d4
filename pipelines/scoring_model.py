"""A SavedModel inside executors: shipped once per application, loaded once per Python worker."""

import os
import tarfile
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

from pyspark import SparkFiles
from pyspark.sql import SparkSession


def ship(spark: SparkSession, saved_model: str, name: str) -> str:
    """Sends a local SavedModel folder to the executors.

    Args:
        spark: The session.
        saved_model: Local folder.
        name: Distinguishes models of one application.

    Returns:
        What `load` takes in an executor.
    """
    archive = f"{name}.tar"
    path = Path(tempfile.mkdtemp(prefix="emberline-")) / archive
    with tarfile.open(path, "w") as tar:
        tar.add(saved_model, arcname=".")
    spark.sparkContext.addFile(str(path))
    return archive


@lru_cache(maxsize=2)
def load(archive: str, threads: int) -> Any:
    """The model, in an executor; the second call in the same Python worker costs nothing.

    Args:
        archive: What `ship` returned.
        threads: CPU threads TensorFlow may use here.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        pass  # this worker ran TensorFlow before; its threads are set
    folder = tempfile.mkdtemp(prefix="emberline-model-")
    with tarfile.open(SparkFiles.get(archive)) as tar:
        tar.extractall(folder, filter="data")
    return tf.saved_model.load(folder)
