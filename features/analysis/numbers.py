"""What Spark learns about numbers, in two passes.

Pass one counts the values in buckets of equal leading bits (sign, exponent, four bits of the fraction) and keeps each
bucket's ends. From these the driver makes about `BINS` bins of nearly equal counts for pass two, whose counts give the
quantiles; a bin that holds a single value is exact.
"""

import math
from fractions import Fraction
from typing import Any

import numpy as np

from emberline.features.analysis.partials import unpacked
from emberline.features.analysis.passes import (
    FIRST_BIN,
    HISTOGRAM,
    INFINITE,
    LEVELS,
    PRESENT,
    ROWS,
    SUMS,
    ZEROS,
    Floats,
    Found,
    Integers,
    Plan,
    distances_from,
    logarithms,
)
from emberline.features.statistics import FieldStatistics

BINS = 4096
"""Bins of pass two per field, about; a quantile's rank is off by some 1/4096 at most where values spread smoothly."""

EXACT_VALUES = 16_384
"""Up to so many values of a field its quantiles and its number of different values are exact."""

HISTOGRAM_BINS = 40

QUANTILES = 100
"""Equal shares that quantiles cut the values into, where nobody asks for others."""

_LEAST_PARTS = 16


def found_in(blob: bytes) -> Found:
    """Returns what `merge_numbers` answered about a field."""
    bins, counts, low, high = (column.to_numpy() for column in unpacked(blob).columns)
    return bins, counts, low, high


def rows_and_classes(found: Found) -> tuple[int, dict[int, int]]:
    """Returns all rows, and those of each class that is there, by its id."""
    facts = dict(zip(found[0].tolist(), found[1].tolist(), strict=True))
    return facts.pop(ROWS, 0), facts


def plan(found: Found) -> Plan | None:
    """Returns the plan of pass two for a field, from its merged partials of pass one; None without finite values."""
    _, counts, low, high = _bins(found)
    if not len(counts):
        return None
    total = int(counts.sum())
    center = float(low[np.searchsorted(np.cumsum(counts), (total + 1) // 2)])
    smallest, largest = float(low[0]), float(high[-1])
    ends = np.array([smallest, center, largest])
    log_center = float(logarithms(ends)[1])
    shares = np.arange(1, HISTOGRAM_BINS) / HISTOGRAM_BINS
    return Plan(
        edges=None if total <= EXACT_VALUES else _edges(counts, low, high, total),
        histogram=np.empty(0) if smallest == largest else smallest * (1 - shares) + largest * shares,
        center=center,
        scale=_scale(distances_from(ends, center, 0)),
        log_center=log_center,
        log_scale=_scale(distances_from(logarithms(ends), log_center, 0)),
        bits=62 - total.bit_length(),
    )


def _bins(found: Found) -> Found:
    values = found[0] >= FIRST_BIN
    return found[0][values], found[1][values], found[2][values], found[3][values]


def _scale(distances: Floats) -> int:
    return math.frexp(float(np.abs(distances).max()))[1]


def _edges(counts: Integers, low: Floats, high: Floats, total: int) -> Floats:
    """Returns each bucket cut from its smallest to its largest value, into the more parts the more values it holds."""
    parts = np.where(low == high, 1, np.maximum(_LEAST_PARTS, -(-counts * BINS // total)))
    pieces = [
        [start] if count == 1 else start * (1 - np.arange(count) / count) + end * (np.arange(count) / count)
        for start, end, count in zip(low, high, parts, strict=True)
    ]
    return np.unique(np.concatenate(pieces))


def number_statistics(
    ranges: Found | None, shape: Found | None, plan: Plan | None, rows: int, parts: int, *, many: bool
) -> FieldStatistics:
    """Returns the facts about one field, from the merged partials of both passes.

    Args:
        ranges: Of pass one.
        shape: Of pass two; None where it did not look at the field.
        plan: What pass two did.
        rows: All rows.
        parts: Equal shares that quantiles cut the values into.
        many: Whether rows hold any number of values.
    """
    facts = {} if ranges is None else {int(bin_): at for at, bin_ in enumerate(ranges[0]) if bin_ < FIRST_BIN}
    if ranges is None or PRESENT not in facts:
        return FieldStatistics(count=0, missing=rows)
    count = int(ranges[1][facts[PRESENT]])
    infinite = int(ranges[1][facts[INFINITE]])
    finite = int(ranges[1][ranges[0] >= FIRST_BIN].sum())
    lengths = (int(ranges[2][facts[PRESENT]]), rounded((finite + infinite) / count), int(ranges[3][facts[PRESENT]]))
    common: dict[str, Any] = {
        "count": count,
        "missing": rows - count,
        "values": finite + infinite,
        "infinite": infinite,
    }
    common |= {"lengths": lengths} if many else {}
    if plan is None or shape is None:
        return FieldStatistics(**common)
    bins, counts, low, high = _bins(shape)
    quantiles, error = _quantiles(counts, low, high, parts)
    totals = dict(zip(shape[0].tolist(), shape[1].tolist(), strict=True))
    mean, deviation = _moments(totals, plan, 0, plan.center, plan.scale, finite)
    log_mean, log_deviation = _moments(totals, plan, 2, plan.log_center, plan.log_scale, finite)
    return FieldStatistics(
        **common,
        mean=mean,
        deviation=deviation,
        minimum=float(low[0]),
        maximum=float(high[-1]),
        zeros=int(ranges[1][facts[ZEROS]]),
        log_mean=log_mean,
        log_deviation=log_deviation,
        quantiles=quantiles,
        rank_error=error,
        histogram=tuple(totals[HISTOGRAM + index] for index in range(len(plan.histogram) + 1)),
        distinct=len(bins) if (low == high).all() else None,
    )


def _quantiles(counts: Integers, low: Floats, high: Floats, parts: int) -> tuple[tuple[float, ...], float]:
    """Returns values at the ranks ceil(n * i / parts), and the largest distance to such a rank as a share of n."""
    last = np.cumsum(counts)
    total = int(last[-1])
    ranks = np.array([max(1, -(-total * index // parts)) for index in range(parts + 1)])
    at = np.searchsorted(last, ranks)
    after_first, before_last = ranks - (last[at] - counts[at] + 1), last[at] - ranks
    values = np.where(after_first <= before_last, low[at], high[at])
    errors = np.where(low[at] == high[at], 0, np.minimum(after_first, before_last))
    return tuple(values.tolist()), rounded(int(errors.max()) / total)


def _moments(totals: dict[int, int], plan: Plan, first: int, center: float, scale: int, n: int) -> tuple[float, float]:
    def mean_of(moment: int) -> Fraction:
        codes = [SUMS + moment * LEVELS + level for level in range(LEVELS)]
        sums = (Fraction(totals[code], 1 << plan.bits * (level + 1)) for level, code in enumerate(codes))
        return sum(sums, Fraction(0)) / n

    shift, square = mean_of(first), mean_of(first + 1)
    unit = Fraction(2) ** (scale + 2)
    mean = float(Fraction(center) + shift * unit)
    variance = max(square - shift * shift, Fraction(0))
    return rounded(mean), rounded(float(Fraction(math.sqrt(variance)) * unit))


def rounded(value: float) -> float:
    """Returns the value with twelve significant digits, without the last bits, in which processors may differ."""
    return float(f"{value:.12g}")
