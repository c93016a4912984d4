"""Python workers keep what they have loaded out of garbage collections, and TensorFlow to the cores of their task."""

import gc

from pyspark.sql import SparkSession

from emberline.features.python_worker import keep_out_of_collections, keep_to_own_cores


def _kept(_: object) -> int:
    keep_out_of_collections()
    return gc.get_freeze_count()


def test_a_worker_keeps_what_is_loaded_out_of_collections(spark: SparkSession) -> None:
    assert spark.sparkContext.parallelize([0], 1).map(_kept).first() > 10_000


def test_no_other_process_does() -> None:
    assert _kept(None) == 0


def _threads(_: object) -> tuple[int, int]:
    import tensorflow as tf

    keep_to_own_cores()
    tf.constant([1.0]).numpy()
    keep_to_own_cores()  # it is too late, and no error
    threading = tf.config.threading
    return threading.get_intra_op_parallelism_threads(), threading.get_inter_op_parallelism_threads()


def test_tensorflow_takes_the_cores_of_the_task(spark: SparkSession) -> None:
    """Also after other tests: whatever of ours runs TensorFlow in a worker first asks for no more."""
    assert spark.sparkContext.parallelize([0], 1).map(_threads).first() == (1, 1)
