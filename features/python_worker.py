"""Spark's Python workers, which live on from task to task."""

import gc


def keep_out_of_collections() -> None:
    """Excludes all loaded objects from garbage collection until the worker ends; for executors.

    PySpark collects garbage after every task (`pyspark/daemon.py`), which with the half a million objects of an
    imported TensorFlow takes a quarter of a second, as long as a task of some thousand rows.
    """
    from pyspark import TaskContext  # recipes come by here, which import in milliseconds

    if TaskContext.get() is None:
        return
    gc.unfreeze()  # a model or a graph that another has replaced goes now
    gc.collect()
    gc.freeze()


def keep_to_own_cores() -> None:
    """Limits TensorFlow to the task's cores; for executors, before TensorFlow's first operation.

    More would be its neighbours', and whoever comes first in a Python worker decides for all that follow.
    """
    from pyspark import TaskContext

    if (task := TaskContext.get()) is not None:
        take_threads(task.cpus())


def take_threads(threads: int) -> None:
    """Sets the threads of TensorFlow in this process, unless it has run an operation before.

    Args:
        threads: For one operation, and for operations side by side.
    """
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        pass  # they are set
