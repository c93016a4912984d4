"""Python workers pass over in garbage collections what they have loaded; other processes are left alone."""

import gc

from pyspark.sql import SparkSession

from features.python_worker import keep_out_of_collections


def _kept(_: object) -> int:
    keep_out_of_collections()
    return gc.get_freeze_count()


def test_a_worker_keeps_what_is_loaded_out_of_collections(spark: SparkSession) -> None:
    assert spark.sparkContext.parallelize([0], 1).map(_kept).first() > 10_000


def test_no_other_process_does() -> None:
    assert _kept(None) == 0
