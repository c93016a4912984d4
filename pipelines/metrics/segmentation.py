"""Metrics of masks that give every pixel a class."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from emberline.features.errors import BadInputError
from emberline.pipelines.metrics.grouped import GroupMetrics, require_rows


def segmentation_metrics(masks: DataFrame, truth: str, predicted: str, classes: int) -> GroupMetrics:
    """Returns the overlap of predicted and true regions, counted over the pixels of all images together.

    Args:
        masks: One row per image.
        truth: Column of arrays of class ids, one per pixel.
        predicted: The same of what was predicted, of equal length.
        classes: Number of classes.

    Returns:
        `pixel_accuracy`; `iou` (intersection over union; Jaccard) and `dice` (F1), each the mean over the classes that
        were true or predicted somewhere; and `rows`. Details: `iou` and `dice` by class id, None for a class that is
        nowhere, and `confusion`, pixels by true and predicted class.

    Raises:
        BadInputError: if there are no images.
    """
    named = {"truth": truth, "predicted": predicted}
    pixels = masks.select(*(F.col(column).cast("array<int>").alias(name) for name, column in named.items()))
    counted = pixels.mapInArrow(_Pixels(classes), "rows long, pixels array<long>")
    counts = counted.select("rows", F.posexplode("pixels").alias("pair", "pixels"))
    found = counts.groupBy("pair").agg(F.sum("pixels").alias("pixels"), F.sum("rows").alias("rows")).collect()
    require_rows(len(found))
    confusion = np.zeros((classes, classes), np.int64)
    for row in found:
        confusion.flat[row["pair"]] = row["pixels"]
    right, either = confusion.diagonal(), confusion.sum(axis=0) + confusion.sum(axis=1)
    seen = either > 0
    iou, dice = right[seen] / (either - right)[seen], 2 * right[seen] / either[seen]
    by_class = {
        name: dict(zip(np.flatnonzero(seen).tolist(), values.tolist(), strict=True))
        for name, values in (("iou", iou), ("dice", dice))
    }
    return GroupMetrics(
        {
            "pixel_accuracy": float(right.sum() / confusion.sum()),
            "iou": float(iou.mean()),
            "dice": float(dice.mean()),
            "rows": float(found[0]["rows"]),
        },
        {name: [values.get(index) for index in range(classes)] for name, values in by_class.items()}
        | {"confusion": confusion.tolist()},
    )


class _Pixels:
    """Runs in an executor: masks in, rows and pixels by true and predicted class out, once per batch."""

    def __init__(self, classes: int) -> None:
        self.classes = classes

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            truth, predicted = (batch.column(name).flatten().to_numpy() for name in ("truth", "predicted"))
            lengths = [batch.column(name).value_lengths() for name in ("truth", "predicted")]
            if not lengths[0].equals(lengths[1]):
                raise BadInputError("A predicted mask has another number of pixels than the true one of its row.")
            outside = [ids for ids in (truth, predicted) if len(ids) and not 0 <= ids.min() <= ids.max() < self.classes]
            if outside:
                raise BadInputError(f"A mask has the class {outside[0].max()}; ids go from 0 to {self.classes - 1}.")
            pairs = np.bincount(truth.astype(np.int64) * self.classes + predicted, minlength=self.classes**2)
            yield pa.RecordBatch.from_arrays(
                [pa.array([batch.num_rows]), pa.array([pairs.tolist()], pa.list_(pa.int64()))], names=["rows", "pixels"]
            )
