"""A recipe's own metrics over scored rows: sums in the executors, added up in the driver."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from emberline.features.names import quoted
from emberline.pipelines.metrics.grouped import GROUP, groups_of, spread
from emberline.pipelines.recipe.metric import Metric, OwnMetric, WholeMetric
from emberline.pipelines.tasks.measured import summed_metrics, sums_of, value_of, value_of_whole
from emberline.pipelines.tasks.task import Sums

SUMS = pa.schema([(GROUP, pa.int32()), ("metric", pa.string()), ("sums", pa.list_(pa.float64()))])


def own_metrics(
    scored: DataFrame, label: str, prediction: str, metrics: Sequence[OwnMetric]
) -> dict[int, dict[str, float]]:
    """Returns the metrics by group and name; what is no number for the rows of a group is left out.

    Args:
        scored: One row per example; with its groups, if it has more than one (see `spread`).
        label: Column of truths.
        prediction: Column of predictions, a number or an array of them.
        metrics: The recipe's.

    Raises:
        BadInputError: if one fails, naming it.
    """
    truth = F.col(quoted(label)).cast("double").alias("label")
    rows = spread(scored.select(truth, F.col(quoted(prediction)).alias("prediction"), *groups_of(scored)))
    found: dict[int, dict[str, float]] = {}
    for group, name, value in [*_summed(rows, metrics), *_whole(rows, metrics)]:
        found.setdefault(group, {})
        if isfinite(value):
            found[group][name] = value
    return found


def _summed(rows: DataFrame, metrics: Sequence[OwnMetric]) -> Iterator[tuple[int, str, float]]:
    summed = {metric.name: metric for metric in summed_metrics(metrics)}
    if not summed:
        return
    totals: dict[tuple[int, str], Sums] = {}
    for row in rows.mapInArrow(_Sums(tuple(summed.values())), _ddl()).collect():
        place = (row[GROUP], row["metric"])
        totals[place] = totals.get(place, 0.0) + np.array(row["sums"])
    for (group, name), sums in sorted(totals.items()):
        yield group, name, value_of(summed[name], sums)


def _whole(rows: DataFrame, metrics: Sequence[OwnMetric]) -> Iterator[tuple[int, str, float]]:
    whole = tuple(metric for metric in metrics if isinstance(metric, WholeMetric))
    if whole:
        values = _Values(whole)
        # A function: of an object Spark counts `self` as an argument.
        for row in rows.groupBy(GROUP).applyInArrow(lambda table: values(table), _ddl()).collect():
            yield row[GROUP], row["metric"], row["sums"][0]


def _ddl() -> str:
    return f"{GROUP} int, metric string, sums array<double>"


@dataclass(frozen=True)
class _Sums:
    """Runs in an executor: rows in, the sums of each group of a partition out."""

    metrics: tuple[Metric, ...]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        totals: dict[tuple[int, str], Sums] = {}
        for batch in batches:
            groups = batch.column(GROUP).to_numpy(zero_copy_only=False)
            labels, predictions = _arrays(batch)
            for group in np.unique(groups):
                its = groups == group
                for metric in self.metrics:
                    place = (int(group), metric.name)
                    totals[place] = totals.get(place, 0.0) + sums_of(metric, labels[its], predictions[its])
        rows = [{GROUP: group, "metric": name, "sums": sums.tolist()} for (group, name), sums in totals.items()]
        yield pa.RecordBatch.from_pylist(rows, schema=SUMS)


@dataclass(frozen=True)
class _Values:
    """Runs in an executor: all rows of one group in, its metrics out."""

    metrics: tuple[WholeMetric, ...]

    def __call__(self, table: pa.Table) -> pa.Table:
        (batch,) = table.combine_chunks().to_batches()
        labels, predictions = _arrays(batch)
        group = batch.column(GROUP)[0].as_py()
        rows = [
            {GROUP: group, "metric": metric.name, "sums": [value_of_whole(metric, labels, predictions)]}
            for metric in self.metrics
        ]
        return pa.Table.from_pylist(rows, schema=SUMS)


def _arrays(batch: pa.RecordBatch) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns labels and predictions."""
    prediction = batch.column("prediction")
    if pa.types.is_list(prediction.type) or pa.types.is_large_list(prediction.type):
        values = prediction.flatten().to_numpy(zero_copy_only=False).reshape(len(prediction), -1)
    else:
        values = prediction.to_numpy(zero_copy_only=False)
    return batch.column("label").to_numpy(zero_copy_only=False), values.astype(np.float64)
