"""How far apart two data sets are, from their statistics alone: no Spark, no second pass.

Categories: L-infinity, the largest difference between the shares of one value. Numbers: the Jensen-Shannon divergence
to base 2 over common bins (Lin, "Divergence measures based on the Shannon entropy", IEEE Transactions on Information
Theory 37, 1991). Both lie between 0 (the same) and 1 (nothing in common); TensorFlow Data Validation measures the same
two, to the same base.
"""

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass

from emberline.features.schema import Field
from emberline.features.statistics import FieldStatistics
from emberline.features.validation.distribution import Distribution

BINS = 20
"""Common bins for the Jensen-Shannon divergence, of equal weight in the mean of both distributions."""


ROUNDING = 1e-12
"""Of several values that moved equally far, the first is named, whatever the last bits of their shares."""


@dataclass(frozen=True)
class Distance:
    """How far a field has moved.

    Args:
        value: From 0 to 1.
        measure: What was measured.
        where: The value (or range) that moved most, with its two shares; empty when nothing did.
    """

    value: float
    measure: str
    where: str = ""


L_INFINITY, JENSEN_SHANNON = "L-infinity", "Jensen-Shannon"


def distance(field: Field | None, before: FieldStatistics, now: FieldStatistics) -> Distance | None:
    """Returns the distance between two sets of values of one field, by what they are.

    Args:
        field: The field; None for a numeric label.
        before: Statistics of the first set.
        now: Statistics of the second.

    Returns:
        None where there is nothing to compare: a set without values, or statistics without histogram, quantiles
        and top values.
    """
    categories = field is not None and (field.kind == "string" or bool(before.top and now.top))
    if categories:
        if not before.top or not now.top:
            return None
        return l_infinity(before, now)
    first, second = Distribution.of(before), Distribution.of(now)
    if first is None or second is None:
        return None
    return jensen_shannon(first, second, whole=field is not None and field.kind == "integer")


def l_infinity(before: FieldStatistics, now: FieldStatistics) -> Distance:
    """Returns the largest difference between the shares of one value, over the listed values.

    A value listed on one side only is rarer on the other than everything listed there: the distance takes the
    count, between none and that, which brings the two nearest. With complete lists it is exact.
    """
    worst, where = 0.0, ""
    first, second = listed_counts(before), listed_counts(now)
    totals = [max(facts.values or facts.count, 1) for facts in (before, now)]
    rarest = [_unlisted(before), _unlisted(now)]
    for value in sorted(first.keys() | second.keys()):
        shares = [top.get(value, 0) / total for top, total in zip((first, second), totals, strict=True)]
        for side, top in enumerate((first, second)):
            if value not in top:
                shares[side] = min(shares[1 - side], rarest[side] / totals[side])
        if abs(shares[1] - shares[0]) > worst + ROUNDING:
            worst = abs(shares[1] - shares[0])
            where = f"{value!r}: {shares[0]:.1%} → {shares[1]:.1%}"
    return Distance(worst, L_INFINITY, where)


def listed_counts(facts: FieldStatistics) -> dict[str, int]:
    """Returns the most frequent values with their counts; long values that begin alike, and are listed cut, count as
    one.
    """
    counts: dict[str, int] = {}
    for value, count in facts.top:
        counts[value] = counts.get(value, 0) + count
    return counts


def _unlisted(facts: FieldStatistics) -> int:
    """Returns the largest count that a value outside the list can have."""
    complete = facts.distinct is not None and facts.distinct <= len(facts.top)
    return 0 if complete or not facts.top else facts.top[-1][1]


def class_distance(before: Sequence[int], now: Sequence[int], names: Sequence[str]) -> Distance | None:
    """Returns L-infinity between the shares of the label's classes."""
    if not sum(before) or not sum(now):
        return None
    sides = [
        FieldStatistics(sum(counts), 0, distinct=len(counts), top=tuple(zip(names, counts, strict=True)))
        for counts in (before, now)
    ]
    return l_infinity(*sides)


def common_edges(first: Distribution, second: Distribution, *, whole: bool = False) -> tuple[float, ...]:
    """Returns the edges of at most `BINS` bins, each of about the same weight in the mean of two distributions.

    Args:
        first: One distribution.
        second: The other.
        whole: The values are integers: edges lie half-way between two, where none can be.
    """
    points = sorted({*first.points, *second.points})
    weight = [(first.share_below(point) + second.share_below(point)) / 2 for point in points]
    edges = [points[0]]
    for part in range(1, BINS):
        # The last point that at most this share lies below: a value many rows share then opens a bin of its own.
        edge = points[max(bisect.bisect_right(weight, part / BINS) - 1, 0)]
        edge = math.ceil(edge) - 0.5 if whole else edge
        if edge > edges[-1]:
            edges.append(edge)
    return (*edges, math.nextafter(points[-1], math.inf))


def jensen_shannon(first: Distribution, second: Distribution, *, whole: bool = False) -> Distance:
    """Returns JS(P, Q) = H((P + Q) / 2) - (H(P) + H(Q)) / 2 over common bins, H the entropy in bits.

    Args:
        first: Distribution P.
        second: Distribution Q.
        whole: The values are integers.
    """
    edges = common_edges(first, second, whole=whole)
    shares = list(zip(first.shares(edges), second.shares(edges), strict=True))
    value = sum(_divergence_part(p, q) for p, q in shares)
    worst = max(range(len(shares)), key=lambda index: abs(shares[index][0] - shares[index][1]))
    p, q = shares[worst]
    start, end = edges[worst], min(edges[worst + 1], max(first.points[-1], second.points[-1]))
    if whole:
        start, end = math.ceil(start), max(math.ceil(start), math.ceil(edges[worst + 1]) - 1)
    span = f"{start:.4g}" + (f" to {end:.4g}" if end > start else "")
    where = f"{span}: {p:.1%} → {q:.1%}" if p != q else ""
    return Distance(min(max(value, 0.0), 1.0), JENSEN_SHANNON, where)


def _divergence_part(p: float, q: float) -> float:
    middle = (p + q) / 2
    return sum(share / 2 * math.log2(share / middle) for share in (p, q) if share > 0)
