"""Metrics of ranked lists: of every query, how far up its relevant items stand."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from emberline.pipelines.metrics.grouped import GroupMetrics, require_rows


def retrieval_metrics(items: DataFrame, query: str, score: str, relevant: str) -> GroupMetrics:
    """Returns how well scores put the relevant items of each query first.

    Args:
        items: One row per item of a query. The items of one query are sorted in one task.
        query: Column that names the query.
        score: Column of numbers, larger for items that should come first; of equal ones, each counts as last of them.
        relevant: Column of truths, 0 or 1.

    Returns:
        `map`, the mean over queries of the average precision (mean over the relevant items of the precision at each, as
        scikit-learn's `average_precision_score`); `mrr`, of 1 / place of the first relevant item; both over queries
        with a relevant item, which `queries` counts; and `rows`.

    Raises:
        BadInputError: if no query has a relevant item.
    """
    hit = (F.col(relevant) > 0.5).cast("long").alias("hit")
    rows = items.select(F.col(query).alias("query"), F.col(score).alias("score"), hit)
    # By value, not by row: all items of one score are above the threshold together.
    upto = Window.partitionBy("query").orderBy(F.col("score").desc()).rangeBetween(Window.unboundedPreceding, 0)
    placed = rows.withColumns({"hits": F.sum("hit").over(upto), "place": F.count(F.lit(1)).over(upto)})
    found = placed.where("hit = 1")
    by_query = found.groupBy("query").agg(
        F.avg(F.col("hits") / F.col("place")).alias("precision"), F.max(F.lit(1.0) / F.col("place")).alias("reciprocal")
    )
    means = by_query.agg(F.avg("precision"), F.avg("reciprocal"), F.count(F.lit(1))).collect()[0]
    require_rows(means[2])
    return GroupMetrics({"map": means[0], "mrr": means[1], "queries": float(means[2]), "rows": float(rows.count())})
