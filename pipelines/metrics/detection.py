"""Metrics of boxes found in images: average precision by class, and its mean."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from emberline.pipelines.metrics.grouped import GroupMetrics, require_rows

_Numbers = NDArray[np.float64]
_MATCHED = "class string, score double, hit boolean, threshold double"


def detection_metrics(found: DataFrame, truths: DataFrame, thresholds: Sequence[float] = (0.5,)) -> GroupMetrics:
    """Returns average precision of every class, at every overlap.

    Args:
        found: `image`, `class`, `score` and `box` (left, top, right, bottom) of each detection.
        truths: `image`, `class` and `box` of each object that is there.
        thresholds: Overlaps (intersection over union) from which a detection counts as found. Within an image and a
            class, detections choose by falling score, each the object with the largest overlap; one that finds its
            object taken is a false alarm.

    Returns:
        `map_T` for each threshold T, the mean over the classes that truths have of the average precision: the area
        under the precision-recall curve whose precision at a recall is the best at that recall or a larger one (Pascal
        VOC since 2010; PASCAL VOC development kit, section 3.4.1). `map`, their mean over thresholds; and `rows`, the
        number of objects. Details: `average_precision` by threshold and class.

    Raises:
        BadInputError: if there are no objects.

    The detections of one class are sorted in one task.
    """
    keys = ("image", F.col("class").cast("string").alias("class"))
    objects = {row["class"]: row["count"] for row in truths.groupBy(keys[1]).count().collect()}
    require_rows(sum(objects.values()))
    boxes = F.col("box").cast("array<double>").alias("box")
    scored = found.select(*keys, F.col("score").cast("double").alias("score"), boxes)
    both = scored.unionByName(truths.select(*keys, F.lit(None).cast("double").alias("score"), boxes))
    matched = both.groupBy("image", "class").applyInArrow(_matching(tuple(thresholds)), _MATCHED)
    curves, upto = Window.partitionBy("threshold", "class"), (Window.unboundedPreceding, 0)
    falling = curves.orderBy(F.col("score").desc()).rangeBetween(*upto)
    # The precision at a recall or any larger one: the maximum over the scores from the lowest up to this.
    rising = curves.orderBy("score").rangeBetween(*upto)
    placed = matched.withColumn("precision", F.avg(F.col("hit").cast("double")).over(falling))
    best = placed.withColumn("best", F.max("precision").over(rising)).where("hit")
    areas = best.groupBy("threshold", "class").agg(F.sum("best").alias("area")).collect()
    precision = {f"{threshold:g}": dict.fromkeys(sorted(objects), 0.0) for threshold in thresholds}
    for row in areas:
        if row["class"] in objects:
            precision[f"{row['threshold']:g}"][row["class"]] = row["area"] / objects[row["class"]]
    means = {f"map_{threshold}": float(np.mean(list(by_class.values()))) for threshold, by_class in precision.items()}
    metrics = {"map": float(np.mean(list(means.values()))), **means, "rows": float(sum(objects.values()))}
    return GroupMetrics(metrics, {"average_precision": precision})


def overlaps(boxes: _Numbers, others: _Numbers) -> _Numbers:
    """Returns intersection over union of every box with every other: `[boxes, others]`.

    Args:
        boxes: `[boxes, 4]`, left, top, right and bottom.
        others: `[others, 4]`.
    """
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    areas, other_areas = (np.prod(np.maximum(some[:, 2:] - some[:, :2], 0), axis=1) for some in (boxes, others))
    union = areas[:, None] + other_areas[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _matching(thresholds: tuple[float, ...]) -> Callable[[pa.Table], pa.Table]:
    """Runs in an executor: detections and objects of one class in one image in, detections with their verdict out."""

    def match(rows: pa.Table) -> pa.Table:  # Spark reads these types: a class that can be called has none for it
        scores = rows.column("score").to_numpy()
        boxes = np.array(rows.column("box").to_pylist(), float).reshape(-1, 4)
        objects, found = np.isnan(scores), np.flatnonzero(~np.isnan(scores))
        found = found[np.argsort(-scores[found], kind="stable")]
        overlap = overlaps(boxes[found], boxes[objects])
        hits = [hit for least in thresholds for hit in _verdicts(overlap, least)]
        return pa.table(
            {
                "class": pa.array([rows.column("class")[0].as_py()] * len(hits), pa.string()),
                "score": np.tile(scores[found], len(thresholds)),
                "hit": pa.array(hits, pa.bool_()),
                "threshold": np.repeat(np.array(thresholds, float), len(found)),
            }
        )

    return match


def _verdicts(overlap: _Numbers, least: float) -> Iterator[bool]:
    taken: set[int] = set()
    for mine in overlap:
        nearest = int(mine.argmax()) if len(mine) else -1
        hit = nearest >= 0 and bool(mine[nearest] >= least) and nearest not in taken
        if hit:
            taken.add(nearest)
        yield hit
