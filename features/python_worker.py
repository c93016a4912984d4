"""Spark's Python workers, which live on from task to task."""

import gc


def keep_out_of_collections() -> None:
    """In an executor: what is loaded by now stays until the worker ends, and garbage collections pass it over.

    PySpark collects garbage after every task (`pyspark/daemon.py`), which with the half a million objects of an
    imported TensorFlow takes a quarter of a second, as long as a task of some thousand rows.
    """
    from pyspark import TaskContext  # recipes come by here, which import in milliseconds

    if TaskContext.get() is None:
        return
    gc.unfreeze()  # a model or a graph that another has replaced goes now
    gc.collect()
    gc.freeze()
