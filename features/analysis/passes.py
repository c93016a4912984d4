"""The executors' half of learning numbers: Arrow batches through numpy to integer counts by bin.

Every partial result is an integer (a count, or a sum in fixed point) or a smallest and largest value. Such results
merge to the same bits in whatever order tasks and batches come, which sums of floats do not.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.schema import MISSING_INTEGER

_CHUNK_BYTES = 32 << 20
_COMPACT = 1 << 18

PARTIAL = "field int, bin bigint, count bigint, low double, high double"
_FACTS = -(1 << 63)
ROWS, PRESENT, INFINITE, ZEROS, SUMS, HISTOGRAM = (_FACTS + code for code in (0, 1, 2, 3, 100, 1000))
"""Bins that are facts about the field; `SUMS` and `HISTOGRAM` are the first of many. Keys of numbers begin higher."""
FIRST_BIN = _FACTS + (1 << 50)

LEVELS = 3

Floats: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]
Values: TypeAlias = tuple[Floats, int, tuple[int, int]]


@dataclass
class Runs:
    """Counts by bin, with the smallest and the largest value of each."""

    parts: list[tuple[Integers, Integers, Floats, Floats]] = field(default_factory=list)
    waiting: int = 0

    def add(self, bins: Integers, counts: Integers, low: Floats, high: Floats) -> None:
        """Take in further counts; a bin may come again."""
        self.parts.append((bins, counts, low, high))
        self.waiting += len(bins)
        if self.waiting > _COMPACT:
            self.parts = [self.merged()]
            self.waiting = 0

    def add_sorted(self, bins: Integers, values: Floats) -> None:
        """Take in rising values with their rising bins."""
        if len(values):
            starts = np.concatenate(([0], np.flatnonzero(bins[1:] != bins[:-1]) + 1))
            ends = np.append(starts[1:], len(values))
            self.add(bins[starts], ends - starts, values[starts], values[ends - 1])

    def merged(self) -> tuple[Integers, Integers, Floats, Floats]:
        """Rising bins, each once: (bins, counts, smallest, largest)."""
        if not self.parts:
            return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty(0)
        bins, counts, low, high = (np.concatenate(column) for column in zip(*self.parts, strict=True))
        order = np.argsort(bins, kind="stable")
        bins, counts, low, high = bins[order], counts[order], low[order], high[order]
        starts = np.concatenate(([0], np.flatnonzero(bins[1:] != bins[:-1]) + 1)) if len(bins) else np.empty(0, int)
        return (
            bins[starts],
            np.add.reduceat(counts, starts) if len(bins) else counts,
            np.minimum.reduceat(low, starts) if len(bins) else low,
            np.maximum.reduceat(high, starts) if len(bins) else high,
        )


@dataclass(frozen=True)
class Plan:
    """How pass two looks at one field.

    Args:
        edges: Rising lower ends of the bins; None where every value is a bin of its own.
        histogram: Inner edges of the histogram.
        center: About the median; the value whose distance to the others is summed.
        scale: Power of two no distance exceeds.
        log_center: The same for log(1 + x).
        log_scale: The same for log(1 + x).
        bits: Bits of a fixed-point digit, so many that their sum over all values fits 63.
    """

    edges: Floats | None
    histogram: Floats
    center: float
    scale: int
    log_center: float
    log_scale: int
    bits: int


def values_of(array: pa.ChunkedArray) -> Values:
    """The values of a column that are not missing.

    Missing are null, NaN, and -1 among integers: what a graph takes as missing.

    Returns:
        All values of all rows, rows that have one, and the smallest and largest number of values of such a row.
    """
    if not pa.types.is_list(array.type):
        values = _present(array)[0]
        return values, len(values), (1, 1)
    flat = pa.chunked_array([chunk.flatten() for chunk in array.chunks], array.type.value_type)
    values, mask = _present(flat)
    parents = _parents(array)
    per_row = np.bincount(parents[mask], minlength=len(array))
    per_row = per_row[per_row > 0]
    return values, len(per_row), (int(per_row.min()), int(per_row.max())) if len(per_row) else (0, 0)


def _parents(array: pa.ChunkedArray) -> Integers:
    starts = np.cumsum([0, *(len(chunk) for chunk in array.chunks)])
    parents = [pc.list_parent_indices(chunk).to_numpy() + at for chunk, at in zip(array.chunks, starts, strict=False)]
    return np.concatenate(parents) if parents else np.empty(0, np.int64)


def _present(array: pa.ChunkedArray) -> tuple[Floats, npt.NDArray[np.bool_]]:
    if pa.types.is_integer(array.type):
        filled = pc.fill_null(array, MISSING_INTEGER).to_numpy()
        mask = filled != MISSING_INTEGER
    else:
        filled = pc.fill_null(array.cast(pa.float64()), float("nan")).to_numpy()
        mask = ~np.isnan(filled)
    return filled[mask].astype(np.float64) + 0.0, mask  # -0.0 becomes 0.0


def order_key(values: Floats) -> Integers:
    """Integers in the order of the values, equal only for equal values."""
    bits = values.view(np.int64)
    return bits ^ ((bits >> 63) & np.int64(0x7FFF_FFFF_FFFF_FFFF))


def fixed_point_sums(values: Floats, bits: int) -> list[int]:
    """Sums of the leading, the next and the last `bits` binary digits of values in [-1, 1], each exact.

    Adding integers gives the same result in every order, so the statistics of a dataset do not change with its
    partitioning (the pre-rounding of Demmel and Nguyen, "Parallel Reproducible Summation", 2015).
    """
    sums = []
    for _ in range(LEVELS):
        values = values * float(1 << bits)
        digits = np.rint(values)
        sums.append(int(digits.astype(np.int64).sum()))
        values = values - digits
    return sums


def distances_from(values: Floats, center: float, scale: int) -> Floats:
    """Distances to `center` in quarters of 2 ** `scale`."""
    # A quarter of each: the difference of the largest doubles of both signs would overflow; so would 2 ** 1074.
    half = scale // 2
    return (values * 0.25 - center * 0.25) * 2.0**-half * 2.0 ** (half - scale)


def logarithms(values: Floats) -> Floats:
    """log(1 + x), negative x counting as 0."""
    return np.log1p(np.maximum(values, 0.0))


class RangePass:
    """Pass one, in an executor: rows, values, buckets of equal leading bits, and classes of the label.

    Args:
        names: Number columns; a partial's `field` is an index into them, -1 means the rows, whose bins are classes.
        classes: Whether there is a column `classes` of class ids.
    """

    def __init__(self, names: Sequence[str], classes: bool) -> None:
        self.names, self.classes = tuple(names), classes

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        tallies = {index: Runs() for index in range(-1, len(self.names))}
        for table in _chunks(batches):
            tallies[-1].add(*_fact(ROWS, table.num_rows))
            if self.classes:
                ids = np.sort(values_of(table.column("classes"))[0])
                tallies[-1].add_sorted(ids.astype(np.int64), ids)
            for index, name in enumerate(self.names):
                values, present, (shortest, longest) = values_of(table.column(name))
                finite = values[np.isfinite(values)]
                finite.sort()
                tally = tallies[index]
                tally.add_sorted(order_key(finite) >> 48 & 0xFFFF ^ 0x8000, finite)
                if present:
                    tally.add(*_fact(PRESENT, present, shortest, longest))
                    tally.add(*_fact(INFINITE, len(values) - len(finite)))
                    zeros = np.searchsorted(finite, 0.0, "right") - np.searchsorted(finite, 0.0)
                    tally.add(*_fact(ZEROS, int(zeros)))
        yield from _partials(tallies)


class ShapePass:
    """Pass two, in an executor: counts in the planned bins and in the histogram, and sums for the moments.

    Args:
        plans: By column; a partial's `field` is an index into them.
    """

    def __init__(self, plans: Mapping[str, Plan]) -> None:
        self.plans = dict(plans)

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        tallies = {index: Runs() for index in range(len(self.plans))}
        for table in _chunks(batches):
            for tally, (name, plan) in zip(tallies.values(), self.plans.items(), strict=True):
                values = values_of(table.column(name))[0]
                values = values[np.isfinite(values)]
                values.sort()
                if len(values):
                    self._tally(tally, plan, values)
        yield from _partials(tallies)

    @staticmethod
    def _tally(tally: Runs, plan: Plan, values: Floats) -> None:
        if plan.edges is None:
            tally.add_sorted(order_key(values), values)
        else:
            tally.add_sorted(np.searchsorted(plan.edges, values, "right") - 1, values)
        distances = distances_from(values, plan.center, plan.scale)
        logs = distances_from(logarithms(values), plan.log_center, plan.log_scale)
        sums: list[int] = []
        for part in (distances, distances * distances, logs, logs * logs):
            sums += fixed_point_sums(part, plan.bits)
        cuts = np.concatenate(([0], np.searchsorted(values, plan.histogram), [len(values)]))
        counts = np.concatenate((np.array(sums, np.int64), np.diff(cuts)))
        bins = np.concatenate((SUMS + np.arange(len(sums)), HISTOGRAM + np.arange(len(cuts) - 1)))
        nothing = np.zeros(len(bins))
        tally.add(bins, counts, nothing, nothing)


def _fact(bin_: int, count: int, low: float = 0.0, high: float = 0.0) -> tuple[Integers, Integers, Floats, Floats]:
    return np.array([bin_]), np.array([count]), np.array([float(low)]), np.array([float(high)])


def _chunks(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Batches gathered to some 32 MiB: numpy's calls cost less per value, and memory stays bounded."""
    waiting: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        waiting.append(batch)
        size += batch.nbytes
        if size >= _CHUNK_BYTES:
            yield pa.Table.from_batches(waiting)
            waiting, size = [], 0
    if waiting:
        yield pa.Table.from_batches(waiting)


def _partials(tallies: Mapping[int, Runs]) -> Iterator[pa.RecordBatch]:
    for index, tally in tallies.items():
        bins, counts, low, high = tally.merged()
        field_ = np.full(len(bins), index, np.int32)
        yield pa.RecordBatch.from_arrays(
            [pa.array(column) for column in (field_, bins, counts, low, high)],
            names=["field", "bin", "count", "low", "high"],
        )
