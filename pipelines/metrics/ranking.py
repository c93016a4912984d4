"""Exact areas under curves of any number of rows: sorted by Spark, summed where they lie, joined by what lies before.

Rows are placed into ranges of falling score, equal scores together. Once it is known how many positives and negatives
lie in the ranges before, every range gives its part of each area by itself. The driver sees two numbers per range, and
of a curve only points that a drawing of it needs.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from emberline.pipelines.metrics.grouped import ALL, GROUP, groups_of, spread

ROWS_PER_RANGE = 1_000_000
CURVE_CELLS = 100
"""A curve keeps the points where it enters another of so many equal parts of either axis."""

CALIBRATION_BINS = 20
"""Parts of equally many rows in which scores are held against what came true."""

_AREAS = (
    f"{GROUP} int, area double, precision double, calibration array<double>, score array<double>, hits array<long>, "
    "alarms array<long>"
)
_Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Curve:
    """Numbers of positives and negatives above falling thresholds.

    Args:
        score: Thresholds; rows of this score and above are taken.
        hits: Positives taken.
        alarms: Negatives taken.
    """

    score: tuple[float, ...] = ()
    hits: tuple[int, ...] = ()
    alarms: tuple[int, ...] = ()


@dataclass(frozen=True)
class Ranking:
    """Rows of one group in the order of their scores.

    Args:
        positives: Rows that should rank high.
        negatives: The others.
        auc: Share of pairs of a positive and a negative in the right order, ties counting half; NaN without a pair.
        average_precision: Mean over positives of the precision at their score, which is the step-wise area under the
            precision-recall curve; NaN without positives.
        curve: Points of the ROC and the precision-recall curve; empty unless asked for.
        calibration: Rows, sum of their scores and positives of each of `CALIBRATION_BINS` parts of equally many rows,
            `[parts, 3]`, from the highest score down. Equal scores lie in the part of the first of them; parts that
            are empty thereby are left out.
    """

    positives: int
    negatives: int
    auc: float
    average_precision: float
    curve: Curve = field(default_factory=Curve)
    calibration: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 3)))


def rank(
    rows: DataFrame,
    score: Column,
    positive: Column,
    *,
    curves: Collection[int] | None = (ALL,),
    alarm_rates: Sequence[float] = (),
    rows_per_range: int = ROWS_PER_RANGE,
) -> dict[int, Ranking]:
    """Ranks rows by falling score, in every group.

    Args:
        rows: Scored rows, see `spread`.
        score: A number that is none of NaN and null.
        positive: Whether a row should rank high.
        curves: Groups whose curve is wanted; None for all.
        alarm_rates: Shares of negatives that the curve has exact points on both sides of. It has them on both sides
            of the point where the share of negatives taken becomes that of positives missed in any case.
        rows_per_range: Rows that one task sorts, about.

    Returns:
        The ranking of each group that has rows.
    """
    rows = rows.select(score.cast("double").alias("score"), positive.cast("long").alias("positive"), *groups_of(rows))
    spreaded = spread(rows)
    counted = spreaded.count()
    order = (F.col(GROUP).asc(), F.col("score").desc())
    ranges = math.ceil(counted / rows_per_range)
    steps = spreaded.groupBy(GROUP, "score").agg(
        F.sum("positive").alias("positives"), F.sum(1 - F.col("positive")).alias("negatives")
    )
    # After the grouping: Spark groups floats by a normalised copy, for which it would move placed rows again.
    placed = steps.repartitionByRange(ranges, *order) if ranges > 1 else steps.repartition(1)
    steps = placed.sortWithinPartitions(*order).withColumn("range", F.spark_partition_id())
    steps = steps.persist(StorageLevel.DISK_ONLY)
    try:
        pieces = steps.groupBy("range", GROUP).agg(
            F.sum("positives").alias("hits"),
            F.sum("negatives").alias("alarms"),
            F.max("score").alias("highest"),
            F.min("score").alias("lowest"),
        )
        before, totals = _offsets(pieces.toArrow().to_pylist())
        thin = _Thinning(None if curves is None else frozenset(curves), tuple(sorted(alarm_rates)))
        found = steps.mapInArrow(_Areas(before, totals, thin), _AREAS).toArrow().to_pylist()
    finally:
        steps.unpersist()
    return {
        group: _joined(group, totals[group], [row for row in found if row[GROUP] == group], thin) for group in totals
    }


def _offsets(
    pieces: list[dict[str, Any]],
) -> tuple[dict[tuple[int, int], tuple[int, int]], dict[int, tuple[int, int]]]:
    """Hits and alarms before each piece, by range and group; and in all, by group.

    Raises:
        RuntimeError: if the pieces of a group are not in order, since no area would be right.
    """
    lowest: dict[int, float] = {}
    before: dict[tuple[int, int], tuple[int, int]] = {}
    totals: dict[int, tuple[int, int]] = {}
    for piece in sorted(pieces, key=lambda piece: piece["range"]):
        if piece[GROUP] in lowest and piece["highest"] >= lowest[piece[GROUP]]:
            raise RuntimeError("Spark has moved rows after they were placed by score: areas cannot be counted.")
        lowest[piece[GROUP]] = piece["lowest"]
        hits, alarms = totals.get(piece[GROUP], (0, 0))
        before[piece["range"], piece[GROUP]] = hits, alarms
        totals[piece[GROUP]] = hits + piece["hits"], alarms + piece["alarms"]
    return before, totals


@dataclass(frozen=True)
class _Thinning:
    """Which points of a curve are kept: both sides of every border of a cell, of an alarm rate, and of equal errors."""

    groups: frozenset[int] | None
    alarm_rates: tuple[float, ...]

    def wanted(self, group: int) -> bool:
        """Returns whether the group's curve is wanted."""
        return self.groups is None or group in self.groups

    def __call__(self, hits: _Integers, alarms: _Integers, totals: tuple[int, int]) -> NDArray[np.bool_]:
        """Of points in order, those to keep; both ends of a piece of a curve are kept for its neighbours."""
        positives, negatives = max(totals[0], 1), max(totals[1], 1)
        rate = alarms / negatives
        cell = hits * CURVE_CELLS // positives + alarms * CURVE_CELLS // negatives  # grows by both: a change shows
        cell += (rate >= 1 - hits / positives) + np.searchsorted(self.alarm_rates, rate, side="left")
        changes = np.flatnonzero(np.diff(cell))
        kept = np.zeros(len(hits), bool)
        kept[changes] = kept[changes + 1] = True
        kept[:1] = kept[-1:] = True
        return kept


@dataclass
class _Piece:
    """What a range knows of one group so far."""

    hits: int
    alarms: int
    area: float = 0.0
    precision: float = 0.0
    calibration: NDArray[np.float64] = field(default_factory=lambda: np.zeros((CALIBRATION_BINS, 3)))
    points: list[tuple[NDArray[Any], ...]] = field(default_factory=list)


@dataclass(frozen=True)
class _Areas:
    """Runs in an executor: sorted steps of one range in, its parts of the areas and its points of the curves out."""

    before: Mapping[tuple[int, int], tuple[int, int]]
    totals: Mapping[int, tuple[int, int]]
    thin: _Thinning

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        pieces: dict[int, _Piece] = {}
        for batch in batches:
            columns = {name: batch.column(name).to_numpy(zero_copy_only=False) for name in batch.schema.names}
            groups = columns[GROUP]
            ends = [*(np.flatnonzero(np.diff(groups)) + 1), len(groups)]
            for start, end in zip([0, *ends], ends, strict=False):
                if start < end:
                    group, where = int(groups[start]), slice(start, end)
                    if group not in pieces:
                        pieces[group] = _Piece(*self.before[int(columns["range"][start]), group])
                    self._add(
                        group, pieces[group], *(columns[name][where] for name in ("score", "positives", "negatives"))
                    )
        if pieces:
            rows = [self._row(group, piece) for group, piece in pieces.items()]
            yield pa.RecordBatch.from_pylist(rows, schema=_ARROW)

    def _add(self, group: int, piece: _Piece, score: NDArray[Any], positives: _Integers, negatives: _Integers) -> None:
        hits, alarms = piece.hits + np.cumsum(positives), piece.alarms + np.cumsum(negatives)
        # Each negative is outranked by the positives before it, and by half of those it is tied with.
        piece.area += float(np.sum(negatives * (hits - positives / 2)))
        piece.precision += float(np.sum(positives * hits / (hits + alarms)))
        rows = positives + negatives
        part = (hits + alarms - rows) * CALIBRATION_BINS // sum(self.totals[group])
        for place, values in enumerate((rows, rows * score, positives)):
            piece.calibration[:, place] += np.bincount(part, values, CALIBRATION_BINS)
        piece.hits, piece.alarms = int(hits[-1]), int(alarms[-1])
        if self.thin.wanted(group):
            kept = self.thin(hits, alarms, self.totals[group])
            piece.points.append((score[kept], hits[kept], alarms[kept]))

    def _row(self, group: int, piece: _Piece) -> dict[str, Any]:
        row: dict[str, Any] = {GROUP: group, "area": piece.area, "precision": piece.precision}
        row["calibration"] = piece.calibration.ravel().tolist()
        if not piece.points:
            return row | {"score": [], "hits": [], "alarms": []}
        score, hits, alarms = (np.concatenate(parts) for parts in zip(*piece.points, strict=True))
        kept = self.thin(hits, alarms, self.totals[group])  # without the ends of all the batches
        return row | {"score": score[kept].tolist(), "hits": hits[kept].tolist(), "alarms": alarms[kept].tolist()}


_ARROW = pa.schema(
    [
        (GROUP, pa.int32()),
        ("area", pa.float64()),
        ("precision", pa.float64()),
        ("calibration", pa.list_(pa.float64())),
        ("score", pa.list_(pa.float64())),
        ("hits", pa.list_(pa.int64())),
        ("alarms", pa.list_(pa.int64())),
    ]
)


def _joined(group: int, totals: tuple[int, int], found: list[dict[str, Any]], thin: _Thinning) -> Ranking:
    positives, negatives = totals
    area, precision = (math.fsum(row[name] for row in found) for name in ("area", "precision"))
    calibration = np.sum([row["calibration"] for row in found], axis=0).reshape(-1, 3)
    return Ranking(
        positives,
        negatives,
        area / (positives * negatives) if positives and negatives else math.nan,
        precision / positives if positives else math.nan,
        _curve(found, totals, thin) if thin.wanted(group) else Curve(),
        calibration[calibration[:, 0] > 0],
    )


def _curve(found: list[dict[str, Any]], totals: tuple[int, int], thin: _Thinning) -> Curve:
    score, hits, alarms = (
        np.concatenate([np.array(row[name]) for row in found]) for name in ("score", "hits", "alarms")
    )
    order = np.argsort(-score, kind="stable")
    score, hits, alarms = score[order], hits[order].astype(np.int64), alarms[order].astype(np.int64)
    kept = thin(hits, alarms, totals)  # without the ends of all the pieces
    return Curve(tuple(score[kept].tolist()), tuple(hits[kept].tolist()), tuple(alarms[kept].tolist()))
