"""A SavedModel inside executors: shipped once per application, loaded once per Python worker; predictions as Arrow."""

import os
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark import SparkFiles
from pyspark.sql import SparkSession

from pipelines.tasks.task import PredictionColumn

SPARK_TYPES = {"float": "float", "long": "bigint", "string": "string", "floats": "array<float>"}


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


def spark_columns(columns: Sequence[PredictionColumn]) -> str:
    """The columns of a prediction as Spark declares them."""
    return ", ".join(f"`{column.name}` {SPARK_TYPES[column.type]}" for column in columns)


def arrow_arrays(predicted: Mapping[str, Any], columns: Sequence[PredictionColumn]) -> list[pa.Array]:
    """The columns of a prediction as Arrow arrays.

    Args:
        predicted: Tensors by name, as a signature of the model gives them.
        columns: Those to take, in order.
    """
    return [_array(predicted[column.name].numpy(), column) for column in columns]


def _array(values: np.ndarray, column: PredictionColumn) -> pa.Array:
    if column.type == "string":
        return pa.array(values, pa.binary()).cast(pa.string())
    if column.type == "floats":
        rows, length = values.shape
        offsets = np.arange(0, (rows + 1) * length, length, dtype=np.int32)
        return pa.ListArray.from_arrays(offsets, values.ravel())
    return pa.array(values)
