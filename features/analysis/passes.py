"""The executors' half of learning numbers: columns through numpy to integer counts by bin.

Every partial result is an integer (a count, or a sum in fixed point) or a smallest and largest value. Such results
merge to the same bits in whatever order tasks and batches come, which sums of floats do not.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from emberline.features.analysis.partials import packed, partial
from emberline.features.analysis.sources import Chunk
from emberline.features.schema import MISSING_INTEGER

_COMPACT = 1 << 18
_SAMPLE = 4096

_FACTS = -(1 << 63)
ROWS, PRESENT, INFINITE, ZEROS, SUMS, HISTOGRAM = (_FACTS + code for code in (0, 1, 2, 3, 100, 1000))
"""Bins that are facts about the field; `SUMS` and `HISTOGRAM` are the first of many. Keys of numbers begin higher."""
FIRST_BIN = _FACTS + (1 << 50)

LEVELS = 3

Floats: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]
Found: TypeAlias = tuple[Integers, Integers, Floats, Floats]
"""Merged partials of one field: bins, rising, with their counts, smallest and largest values."""


@dataclass(frozen=True)
class Values:
    """The values of a column that are not missing.

    Args:
        values: Rising; a value may come several times.
        counts: How often each of `values` is there.
        present: Rows that have a value.
        lengths: Smallest and largest number of values of such a row.
    """

    values: Floats
    counts: Integers
    present: int
    lengths: tuple[int, int]

    def finite(self) -> "Values":
        """Returns the same without infinities; `present` and `lengths` stay."""
        inside = slice(*np.searchsorted(self.values, (np.finfo(float).min, np.inf)).tolist())
        return Values(self.values[inside], self.counts[inside], self.present, self.lengths)


@dataclass
class Runs:
    """Counts by bin, with the smallest and the largest value of each."""

    parts: list[Found] = field(default_factory=list)
    waiting: int = 0

    def add(self, bins: Integers, counts: Integers, low: Floats, high: Floats) -> None:
        """Adds further counts; a bin may occur again."""
        self.parts.append((bins, counts, low, high))
        self.waiting += len(bins)
        if self.waiting > _COMPACT:
            self.parts = [self.merged()]
            self.waiting = 0

    def add_sorted(self, bins: Integers, values: Floats, counts: Integers) -> None:
        """Adds rising values with their rising bins, and how often each value occurs."""
        if len(values):
            starts = np.concatenate(([0], np.flatnonzero(bins[1:] != bins[:-1]) + 1))
            ends = np.append(starts[1:], len(values))
            self.add(bins[starts], np.add.reduceat(counts, starts), values[starts], values[ends - 1])

    def fact(self, bin_: int, count: int, low: float = 0.0, high: float = 0.0) -> None:
        """Adds one bin: its count, and its lowest and highest value."""
        self.add(np.array([bin_]), np.array([count]), np.array([float(low)]), np.array([float(high)]))

    def packed(self) -> bytes:
        """Returns everything, for `merge_numbers`."""
        return packed(dict(zip(("bin", "count", "low", "high"), self.merged(), strict=True)))

    def merged(self) -> Found:
        """Returns rising bins, each once: (bins, counts, smallest, largest)."""
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


def merge_numbers(number: int, partials: Iterable[pa.RecordBatch]) -> bytes:
    """Returns one blob of all that `Runs.packed` gave for field number `number`."""
    runs = Runs()
    for part in partials:
        runs.add(*(column.to_numpy() for column in part.columns))
    return runs.packed()


def values_of(array: pa.ChunkedArray) -> Values:
    """Returns the values of a column that are not missing.

    Missing are null, NaN, and -1 among integers: what a graph takes as missing.
    """
    if not pa.types.is_list(array.type):
        values = _present(array)[0]
        return Values(*_counted(values), len(values), (1, 1))
    flat = pa.chunked_array([chunk.flatten() for chunk in array.chunks], array.type.value_type)
    values, mask = _present(flat)
    return Values(*_counted(values), *lengths_of(array, mask))


def lengths_of(array: pa.ChunkedArray, mask: npt.NDArray[np.bool_]) -> tuple[int, tuple[int, int]]:
    """Returns rows of a list column that have a value, and the smallest and largest number of values of such a row.

    Args:
        array: The column.
        mask: Which of the values of all its lists are not missing.
    """
    starts = np.cumsum([0, *(len(chunk) for chunk in array.chunks)])
    parents = [pc.list_parent_indices(chunk).to_numpy() + at for chunk, at in zip(array.chunks, starts, strict=False)]
    rows = np.concatenate(parents)[mask] if parents else np.empty(0, np.int64)
    per_row = np.bincount(rows, minlength=len(array))
    per_row = per_row[per_row > 0]
    return len(per_row), (int(per_row.min()), int(per_row.max())) if len(per_row) else (0, 0)


def _counted(values: Floats) -> tuple[Floats, Integers]:
    """Returns rising values and how often each is there."""
    sample = values[:_SAMPLE]
    if len(np.unique(sample)) * 2 > len(sample):  # mostly different: counting them would save nothing
        return np.sort(values), np.ones(len(values), np.int64)
    different, counts = pc.value_counts(pa.array(values)).flatten()
    order = np.argsort(different.to_numpy())
    return different.to_numpy()[order], counts.to_numpy()[order]


def _present(array: pa.ChunkedArray) -> tuple[Floats, npt.NDArray[np.bool_]]:
    if pa.types.is_integer(array.type):
        filled = pc.fill_null(array, MISSING_INTEGER).to_numpy()
        mask = filled != MISSING_INTEGER
    else:
        filled = pc.fill_null(array.cast(pa.float64()), float("nan")).to_numpy()
        mask = ~np.isnan(filled)
    return filled[mask].astype(np.float64) + 0.0, mask  # -0.0 becomes 0.0


def order_key(values: Floats) -> Integers:
    """Returns integers in the order of the values, equal only for equal values."""
    bits = values.view(np.int64)
    return bits ^ ((bits >> 63) & np.int64(0x7FFF_FFFF_FFFF_FFFF))


def fixed_point_sums(values: Floats, counts: Integers, bits: int) -> list[int]:
    """Returns the sums of the leading, the next and the last `bits` binary digits of values in [-1, 1], each exact.

    A value counts as often as `counts` says.

    Adding integers gives the same result in every order, so the statistics of a dataset do not change with its
    partitioning (the pre-rounding of Demmel and Nguyen, "Parallel Reproducible Summation", 2015).
    """
    sums = []
    for _ in range(LEVELS):
        values = values * float(1 << bits)
        digits = np.rint(values)
        sums.append(int((digits.astype(np.int64) * counts).sum()))
        values = values - digits
    return sums


def distances_from(values: Floats, center: float, scale: int) -> Floats:
    """Returns distances to `center` in quarters of 2 ** `scale`."""
    # A quarter of each: the difference of the largest doubles of both signs would overflow; so would 2 ** 1074.
    half = scale // 2
    return (values * 0.25 - center * 0.25) * 2.0**-half * 2.0 ** (half - scale)


def logarithms(values: Floats) -> Floats:
    """Returns log(1 + x), negative x counting as 0."""
    return np.log1p(np.maximum(values, 0.0))


@dataclass
class Ranges:
    """Pass one over a number field: values in buckets of equal leading bits."""

    runs: Runs = field(default_factory=Runs)

    def add(self, column: pa.ChunkedArray) -> None:
        """Adds the column's values of some rows."""
        every = values_of(column)
        if every.present:
            finite = every.finite()
            self.runs.add_sorted(order_key(finite.values) >> 48 & 0xFFFF ^ 0x8000, finite.values, finite.counts)
            self.runs.fact(PRESENT, every.present, *every.lengths)
            self.runs.fact(INFINITE, int(every.counts.sum() - finite.counts.sum()))
            self.runs.fact(ZEROS, int(finite.counts[finite.values == 0.0].sum()))


@dataclass(frozen=True)
class ShapePass:
    """Pass two: counts in the planned bins and in the histogram, and sums for the moments.

    Args:
        plans: By column; the number of a field is its place among them.
    """

    plans: Mapping[str, Plan]

    def __call__(self, chunks: Iterator[Chunk]) -> Iterator[pa.RecordBatch]:
        tallies = [Runs() for _ in self.plans]
        for chunk in chunks:
            for tally, (name, plan) in zip(tallies, self.plans.items(), strict=True):
                finite = values_of(chunk.column(name)).finite()
                if len(finite.values):
                    _tally(tally, plan, finite.values, finite.counts)
        for index, tally in enumerate(tallies):
            yield partial(index, tally.packed())


def _tally(tally: Runs, plan: Plan, values: Floats, counts: Integers) -> None:
    if plan.edges is None:
        tally.add_sorted(order_key(values), values, counts)
    else:
        tally.add_sorted(np.searchsorted(plan.edges, values, "right") - 1, values, counts)
    distances = distances_from(values, plan.center, plan.scale)
    logs = distances_from(logarithms(values), plan.log_center, plan.log_scale)
    sums: list[int] = []
    for part in (distances, distances * distances, logs, logs * logs):
        sums += fixed_point_sums(part, counts, plan.bits)
    cuts = np.concatenate(([0], np.searchsorted(values, plan.histogram), [len(values)]))
    before = np.concatenate(([0], np.cumsum(counts)))
    found = np.concatenate((np.array(sums, np.int64), np.diff(before[cuts])))
    bins = np.concatenate((SUMS + np.arange(len(sums)), HISTOGRAM + np.arange(len(cuts) - 1)))
    nothing = np.zeros(len(bins))
    tally.add(bins, found, nothing, nothing)
