"""A distribution of numbers, put together from the histogram and the quantiles that statistics hold."""

import bisect
import itertools
import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass

from emberline.features.statistics import FieldStatistics


@dataclass(frozen=True)
class Distribution:
    """A distribution of numbers as known from statistics: what share of values lies below certain points.

    Histogram and quantiles together: in bins of equal width one outlier hides all detail, and a value that many
    rows share (a zero) would be smeared over its bin; quantiles keep both.

    Args:
        points: Rising values.
        below: Share of values below each point; where values are equal to the point itself, up to and with them is
            `upto`.
        upto: Share of values not above each point.
    """

    points: tuple[float, ...]
    below: tuple[float, ...]
    upto: tuple[float, ...]

    @classmethod
    def of(cls, facts: FieldStatistics) -> "Distribution | None":
        """Returns the distribution of a field's values; None if too little is known."""
        if not facts.count or facts.minimum is None or facts.maximum is None:
            return None
        low, high = facts.minimum, facts.maximum
        if low == high:
            return cls((low,), (0.0,), (1.0,))
        if not facts.histogram and not facts.quantiles:
            return None
        edges, filled = _histogram_points(facts, low, high)
        # How much lies on the maximum itself, no histogram tells: its last bin is closed.
        known = {edge: [share] for edge, share in zip(edges[:-1], filled, strict=False)}
        step = 1 / (len(facts.quantiles) - 1) if len(facts.quantiles) > 1 else 1.0
        clipped = (min(max(value, low), high) for value in facts.quantiles)
        for value, run in itertools.groupby(enumerate(clipped), key=operator.itemgetter(1)):
            indices = [index for index, _ in run]
            # A value that holds several ranks begins somewhere between two ranks and ends between two others.
            spread = step / 2 if len(indices) > 1 else 0.0
            bin_of = min(bisect.bisect_right(edges, value) - 1, len(edges) - 2)
            floor, ceiling = filled[bin_of], filled[bin_of + 1]
            shares = (indices[0] * step - spread, indices[-1] * step + spread)
            known.setdefault(value, []).extend(min(max(share, floor), ceiling) for share in shares)
        known.setdefault(high, []).append(1.0)
        return cls(*_rising(known, same=4 * math.ulp(max(abs(low), abs(high)))))

    def share_below(self, point: float) -> float:
        """Returns the share of values smaller than `point`, evenly spread between known points."""
        at = bisect.bisect_left(self.points, point)
        if at == len(self.points):
            return 1.0
        if self.points[at] == point:
            return self.below[at]
        if at == 0:
            return 0.0
        left, right = self.points[at - 1], self.points[at]
        return self.upto[at - 1] + (self.below[at] - self.upto[at - 1]) * (point - left) / (right - left)

    def shares(self, edges: Sequence[float]) -> tuple[float, ...]:
        """Returns the share of values in each bin `[edge, next edge)`; what lies beyond falls into the outer bins."""
        inner = [self.share_below(edge) for edge in edges[1:-1]]
        return tuple(after - before for before, after in itertools.pairwise([0.0, *inner, 1.0]))


def _histogram_points(facts: FieldStatistics, low: float, high: float) -> tuple[list[float], list[float]]:
    """Returns the edges of a histogram with the share of values below each; only its ends if there is none."""
    bins, total = len(facts.histogram) or 1, sum(facts.histogram) or 1
    edges = [low + (high - low) * index / bins for index in range(bins)] + [high]
    inner = [count / total for count in itertools.accumulate(facts.histogram[:-1])]
    return edges, [0.0, *inner, 1.0]


def _rising(known: dict[float, list[float]], same: float) -> tuple[tuple[float, ...], ...]:
    """Returns points in order with the shares below and up to them.

    Args:
        known: What is known of the share around each point.
        same: Points no further apart are one: edges of histograms carry rounding errors, and may mean a value that
            is also a quantile.
    """
    points: list[float] = []
    shares: list[list[float]] = []
    for point in sorted(known):
        if points and point - points[-1] <= same:
            shares[-1] += known[point]
        else:
            points.append(point)
            shares.append(list(known[point]))
    below, upto, reached = [], [], 0.0
    for found in shares:  # both sources round: a share never falls from one point to the next
        below.append(max(min(found), reached))
        upto.append(max(max(found), reached))
        reached = upto[-1]
    return tuple(points), tuple(below), tuple(upto)
