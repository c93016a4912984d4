"""The usual Spark stack in `benchmarks.end_to_end`: Spark ML, Parquet, tf.data, `keras.Model.fit`, `spark_udf`."""

import json
import os
import sys
from typing import Any

import mlflow
from pyspark.ml import Pipeline
from pyspark.ml.feature import QuantileDiscretizer, StringIndexer
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks.end_to_end_keras import COUNTS, IDS, WORDS, fit, register
from benchmarks.ratios import seconds

SCHEMA = ", ".join(["label int", *(f"{name} double" for name in COUNTS), *(f"{name} string" for name in WORDS)])


def main(told: dict[str, Any]) -> None:
    """Takes all steps, and says on the last line how long each took and where the predictions are."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    work = told["work"]
    mlflow.set_tracking_uri(f"sqlite:///{work}/mlflow.db")
    spark = (
        SparkSession.builder.master(told["master"])
        .config("spark.driver.memory", "2g")
        .config("spark.executor.memory", "1g")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.sql.execution.arrow.pyspark.enabled", "true")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    kept: dict[str, Any] = {}
    took = {
        "prepare": seconds(lambda: kept.update(sizes=prepare(spark, told["raw"], work))),
        "train": seconds(lambda: kept.update(model=fit(kept["sizes"], f"{work}/prepared", told))),
        "register": seconds(lambda: kept.update(uri=register(kept["model"], f"{work}/prepared"))),
        "score": seconds(lambda: score(spark, kept["uri"], work)),
    }
    spark.stop()
    print(json.dumps({"seconds": took, "predictions": f"{work}/predictions"}))


def rows_of(spark: SparkSession, raw: str, day: int) -> DataFrame:
    """The rows of a day, none of them with a gap."""
    rows = spark.read.csv(f"{raw}/day_{day}", sep="\t", schema=SCHEMA)
    return rows.na.fill(0.0, list(COUNTS)).na.fill("", list(WORDS))


def prepare(spark: SparkSession, raw: str, work: str) -> list[int]:
    """Writes ids of both days as Parquet; numbers of ids."""
    ids = {name: f"{name}_id" for name in (*COUNTS, *WORDS)}
    quantiles = QuantileDiscretizer(
        numBuckets=20, inputCols=list(COUNTS), outputCols=[ids[name] for name in COUNTS], handleInvalid="keep"
    )
    words = StringIndexer(inputCols=list(WORDS), outputCols=[ids[name] for name in WORDS], handleInvalid="keep")
    learned = Pipeline(stages=[quantiles, words]).fit(rows_of(spark, raw, 0))
    learned.write().overwrite().save(f"{work}/pipeline")
    chosen = [F.col(name).cast("int").alias(name) for name in IDS]
    for day in (0, 1):
        learned.transform(rows_of(spark, raw, day)).select("label", *chosen).write.parquet(f"{work}/prepared/day_{day}")
    cuts, texts = learned.stages
    return [len(splits) for splits in cuts.getSplitsArray()] + [len(labels) + 1 for labels in texts.labelsArray]


def score(spark: SparkSession, uri: str, work: str) -> None:
    """Predictions of both days."""
    predict = mlflow.pyfunc.spark_udf(spark, uri, "double", env_manager="local")
    for day in (0, 1):
        rows = spark.read.parquet(f"{work}/prepared/day_{day}")
        rows.select("label", predict(F.struct(*IDS)).alias("score")).write.parquet(f"{work}/predictions/day_{day}")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
