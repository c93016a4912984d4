"""Exact binary metrics of scored rows in Spark, against Spark ML's exact areas of the same rows.

    python -m benchmarks.evaluation [--quick] [--rows 5000000]

Both sides read one Parquet table of random scores, nearly all different, on `local[2]`. Ours counts all metrics of
`binary_metrics`, curve and calibration; Spark ML's `BinaryClassificationEvaluator` (`numBins=0`, its exact mode) the
areas under the ROC and the precision-recall curve. `alone` measures ours on `--alone` rows once. Results larger than
8 MB, of all tasks of a job together, would end it: no list of scores reaches the driver.
"""

import os
import resource
import sys
import tempfile
from pathlib import Path

from pyspark.ml.evaluation import BinaryClassificationEvaluator
from pyspark.ml.functions import array_to_vector
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks.ratios import Comparison, compare, print_json, print_table, seconds
from benchmarks.sizes import Size, sized_parser
from emberline.pipelines.metrics.binary import binary_metrics
from emberline.pipelines.metrics.grouped import ALL


def scored_rows(spark: SparkSession, folder: str, rows: int) -> DataFrame:
    """Scores between 0 and 1, and labels drawn with them as probabilities."""
    path = str(Path(folder) / f"scores-{rows}")
    drawn = spark.range(rows, numPartitions=16).select(F.rand(1).cast("float").alias("score"), F.rand(2).alias("draw"))
    drawn.select("score", (F.col("draw") < F.col("score")).cast("float").alias("label")).write.parquet(path)
    return spark.read.parquet(path)


def spark_ml(frame: DataFrame) -> tuple[float, float]:
    """Areas under the ROC and the precision-recall curve."""
    score = F.col("score").cast("double")
    raw = frame.select(F.col("label").cast("double"), array_to_vector(F.array(1 - score, score)).alias("raw"))
    evaluator = BinaryClassificationEvaluator(rawPredictionCol="raw", numBins=0)
    areas = [evaluator.evaluate(raw, {evaluator.metricName: name}) for name in ("areaUnderROC", "areaUnderPR")]
    return areas[0], areas[1]


def megabytes() -> float:
    """Largest memory of this Python process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = sized_parser(__doc__, "fewer rows, one turn")
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--alone", type=int, default=50_000_000)
    parser.add_argument("--repeats", type=int, default=3, help="turns of the comparison; 0 for none")
    given = parser.parse_args()
    os.environ["PYSPARK_PYTHON"] = sys.executable
    size: Size = given.size
    rows, alone, repeats = size.of((given.rows, given.alone, given.repeats), (500_000, 2_000_000, 1), (500, 1_000, 1))
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.memory", "4g")
        .config("spark.driver.maxResultSize", "8m")
        .config("spark.sql.shuffle.partitions", "8")
        .config("spark.ui.showConsoleProgress", "false")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    with tempfile.TemporaryDirectory() as folder:
        frame = scored_rows(spark, folder, rows)
        ours, (roc, _) = binary_metrics(frame, "label", "score")[ALL].metrics, spark_ml(frame)
        if abs(ours["auc"] - roc) > 1e-9:
            raise RuntimeError(f"The areas differ: {ours['auc']} and {roc}.")
        comparisons: dict[str, Comparison] = {}
        if repeats:
            comparisons["evaluation_vs_spark_ml"] = compare(
                lambda: rows / seconds(lambda: binary_metrics(frame, "label", "score")),
                lambda: rows / seconds(lambda: spark_ml(frame)),
                repeats=repeats,
            )
            print_table(comparisons)
        before = megabytes()
        large = scored_rows(spark, folder, alone)
        took = seconds(lambda: binary_metrics(large, "label", "score"))
        print(
            f"{alone:,} rows alone: {took:.0f} s, {alone / took:,.0f} rows/s; the driver's Python grew from "
            f"{before:,.0f} to {megabytes():,.0f} MB",
            file=sys.stderr,
        )
    spark.stop()
    print_json(
        "evaluation",
        {key: found.ratios for key, found in comparisons.items()},
        size,
        alone={"rows": alone, "seconds": round(took, 1)},
    )


if __name__ == "__main__":
    main()
