"""A SavedModel inside executors: shipped once per host, loaded once per Python worker; predictions as Arrow."""

import atexit
import os
import shutil
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyspark import SparkFiles, TaskContext
from pyspark.sql import SparkSession

from emberline.features.light_tensorflow import import_tensorflow
from emberline.features.python_worker import keep_out_of_collections, take_threads
from emberline.features.statistics import VOCABULARIES
from emberline.pipelines.runtime.gpus import visible_gpus
from emberline.pipelines.saved_model.digest import model_digest
from emberline.pipelines.tasks.task import PredictionColumn

if TYPE_CHECKING:
    from emberline.pipelines.saved_model.signature import Signature

SPARK_TYPES = {"float": "float", "long": "bigint", "string": "string", "floats": "array<float>"}

_shipped: set[tuple[str, str]] = set()
"""Applications and the archives they have."""


def ship(spark: SparkSession, saved_model: str, name: str) -> str:
    """Sends a local SavedModel folder to the executors, which unpack it once each; the second time costs nothing.

    Args:
        spark: The session.
        saved_model: Local folder.
        name: What to call it; models of equal names are distinguished by their content.

    Returns:
        What `load` takes in an executor.
    """
    archive = f"{name}-{model_digest(saved_model)[:16]}"
    application = str(spark.sparkContext.applicationId)
    if (application, archive) not in _shipped:
        folder = tempfile.mkdtemp(prefix="emberline-")
        # Executors that come later fetch it then: it stays as long as this process.
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        path = Path(folder) / f"{archive}.tar"
        with tarfile.open(path, "w") as tar:
            for entry in sorted(Path(saved_model).rglob("*")):  # Spark refuses an archive with an entry "."
                inside = entry.relative_to(saved_model)
                if inside.parts[0] != VOCABULARIES:  # scoring needs the tables inside the graphs alone
                    tar.add(entry, arcname=str(inside), recursive=False)
        spark.sparkContext.addArchive(f"{path}#{archive}")
        _shipped.add((application, archive))
    return archive


@lru_cache(maxsize=2)
def load(archive: str, names: tuple[str, ...], threads: int) -> "Signature":
    """Returns a signature of the model, in an executor; the second call in the same Python worker costs nothing.

    It sees the GPUs that Spark gave to the task which calls first, and no others.

    Args:
        archive: What `ship` returned.
        names: As of `open_signature`.
        threads: CPU threads TensorFlow may use here.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.update(visible_gpus())
    import_tensorflow()
    import tensorflow as tf

    take_threads(threads)
    try:
        for gpu in tf.config.list_physical_devices("GPU"):
            # By default the first process takes all memory, and tasks may share a GPU.
            tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError:
        pass  # this worker ran TensorFlow before; its devices are set
    from emberline.pipelines.saved_model.signature import open_signature

    signature = open_signature(SparkFiles.get(archive), names)
    keep_out_of_collections()
    return signature


def task_threads() -> int:
    """Returns the CPU threads of this task in an executor, `spark.task.cpus`; more would be its neighbours'."""
    context = TaskContext.get()
    return context.cpus() if context else 1


def spark_columns(columns: Sequence[PredictionColumn]) -> str:
    """Returns the columns of a prediction as Spark declares them."""
    return ", ".join(f"`{column.name}` {SPARK_TYPES[column.type]}" for column in columns)


def arrow_arrays(predicted: Mapping[str, Any], columns: Sequence[PredictionColumn]) -> list[pa.Array]:
    """Returns the columns of a prediction as Arrow arrays.

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
