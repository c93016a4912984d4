"""Drawings of statistics: SVG paths over bins that all series share, and numbers as people read them."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from emberline.features.statistics import FieldStatistics
from emberline.features.validation.distribution import Distribution

WIDTH, HEIGHT = 400, 100
"""Units of a drawing; the page stretches it, so only text outside of it stays sharp and unstretched."""

BINS, BARS = 40, 10
LOG_FLOOR = 1e-4
"""Smallest share that still shows in a logarithmic drawing."""


@dataclass(frozen=True)
class Chart:
    """One drawing.

    Args:
        linear: SVG path by series, heights in proportion to shares.
        logarithmic: The same with logarithmic heights, which show rare values too.
        ticks: Labels below, from left to right, evenly spread; none for categories.
        top: Share of the highest bar.
        title: What it shows, in words.
    """

    linear: Mapping[str, str]
    logarithmic: Mapping[str, str]
    ticks: tuple[str, ...]
    top: float
    title: str


def histogram(name: str, series: Mapping[str, FieldStatistics], *, whole: bool) -> Chart | None:
    """Returns numbers as a histogram of equally wide bins from the smallest to the largest value of all series.

    Args:
        name: The field.
        series: Its statistics, the main one first.
        whole: The values are integers, so that a bin must hold as many of them as its neighbour.
    """
    known = {label: found for label, facts in series.items() if (found := Distribution.of(facts)) is not None}
    if not known:
        return None
    low = min(found.points[0] for found in known.values())
    high = max(found.points[-1] for found in known.values())
    edges = _edges(low, high, whole=whole)
    shares = {label: found.shares(edges) for label, found in known.items()}
    main, peaks = next(iter(shares.items()))
    peak = max(range(len(peaks)), key=peaks.__getitem__)
    first, last = max(edges[peak], low), min(edges[peak + 1], high)
    if whole:
        first, last = math.ceil(first), math.floor(last)
    around = figure(first) if first == last else f"{figure(first)} to {figure(last)}"
    title = (
        f"{name}: histogram from {figure(low)} to {figure(high)}; {main} peaks at {around} with {share(peaks[peak])}"
    )
    middle = round((low + high) / 2) if whole else (low + high) / 2
    ticks = (figure(low), figure(middle), figure(high)) if high > low else (figure(low),)
    return _chart(shares, ticks, title, gap=0)


def _edges(low: float, high: float, *, whole: bool) -> list[float]:
    if whole:
        width = max(math.ceil((high - low + 1) / BINS), 1)
        return [low - 0.5 + width * index for index in range(math.ceil((high - low + 1) / width) + 1)]
    if low == high:
        return [low - 0.5, low + 0.5]
    return [low + (high - low) * index / BINS for index in range(BINS + 1)]


def bars(name: str, series: Mapping[str, Mapping[str, float]], values: Sequence[str]) -> Chart | None:
    """Returns shares of categories, one bar each, in the given order.

    Args:
        name: The field.
        series: Share by value, for every series, the main one first.
        values: What to draw.
    """
    if not values or not series:
        return None
    drawn = values[:BARS]
    shares = {label: [found.get(value, 0.0) for value in drawn] for label, found in series.items()}
    main = next(iter(series))
    title = f"{name}: {len(drawn)} most frequent values; {main} has {share(shares[main][0])} of {drawn[0]!r}"
    padded = {label: found + [0.0] * (BARS - len(found)) for label, found in shares.items()}
    return _chart(padded, (), title, gap=6)


def _chart(shares: Mapping[str, Sequence[float]], ticks: tuple[str, ...], title: str, *, gap: int) -> Chart:
    top = max(max(found) for found in shares.values()) or 1.0
    linear, logarithmic = {}, {}
    for index, (label, found) in enumerate(shares.items()):
        draw = _filled if index == 0 else _outlined
        linear[label] = draw([value / top for value in found], gap)
        logarithmic[label] = draw([_log_height(value, top) for value in found], gap)
    return Chart(linear, logarithmic, ticks, top, title)


def _log_height(value: float, top: float) -> float:
    if value <= LOG_FLOOR or top <= LOG_FLOOR:
        return 0.0
    return math.log(value / LOG_FLOOR) / math.log(top / LOG_FLOOR)


def _places(count: int) -> list[float]:
    return [round(index * WIDTH / count, 1) for index in range(count + 1)]


def _level(height: float) -> str:
    return f"{HEIGHT - height * HEIGHT:.1f}".removesuffix(".0")


def _filled(heights: Sequence[float], gap: int) -> str:
    """Returns bars from the floor; without a gap they join to one area."""
    path = "" if gap else f"M0 {HEIGHT}"
    for (left, right), height in zip(itertools.pairwise(_places(len(heights))), heights, strict=True):
        if gap:
            if height:
                path += f"M{left + gap / 2:g} {HEIGHT}V{_level(height)}H{right - gap / 2:g}V{HEIGHT}Z"
        else:
            path += f"V{_level(height)}H{right:g}"
    return path if gap else path + f"V{HEIGHT}Z"


def _outlined(heights: Sequence[float], gap: int) -> str:
    """Returns the tops of bars; without a gap they join to one line."""
    path, last = "", ""
    for (left, right), height in zip(itertools.pairwise(_places(len(heights))), heights, strict=True):
        level = _level(height)
        if gap:
            path += f"M{left + gap / 2:g} {level}H{right - gap / 2:g}" if height else ""
        elif not path:
            path = f"M0 {level}H{right:g}"
        else:
            path += ("" if level == last else f"V{level}") + f"H{right:g}"
        last = level
    return path


def figure(value: float | None) -> str:
    """Returns a number with four digits that count, thousands separated."""
    if value is None:
        return "–"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if 1000 <= abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def share(value: float) -> str:
    """Returns a share in percent; none and all are only what they are."""
    if 0 < value < 0.001:
        return "<0.1%"
    if 0.999 < value < 1:
        return ">99.9%"
    return f"{value:.1%}".replace(".0%", "%") if value in (0, 1) else f"{value:.1%}"
