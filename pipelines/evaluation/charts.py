"""Drawings of an evaluation as SVG paths: curves over the unit square, and a histogram of errors."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emberline.features.profile.charts import figure

SIDE = 300
"""Units of each side of a drawing."""

Numbers = Mapping[str, float]

TICKS = ("0", "0.25", "0.5", "0.75", "1")


@dataclass(frozen=True)
class Dot:
    """A point of a line that says more.

    Args:
        x: From the left.
        y: From the top.
        title: What it is, in words.
    """

    x: str
    y: str
    title: str


@dataclass(frozen=True)
class Drawing:
    """One square drawing.

    Args:
        title: What it shows.
        x: Name of the horizontal axis.
        y: Name of the vertical one.
        lines: SVG path by series.
        guide: What a model that knows nothing, or everything, would draw.
        guide_says: What the guide is.
        dots: Points by series.
        x_ticks: Labels of the horizontal axis, evenly spread.
        y_ticks: Labels of the vertical one, from below.
    """

    title: str
    x: str
    y: str
    lines: Mapping[str, str]
    guide: str = ""
    guide_says: str = ""
    dots: Mapping[str, Sequence[Dot]] = ()  # type: ignore[assignment]
    x_ticks: Sequence[str] = TICKS
    y_ticks: Sequence[str] = TICKS


def roc(curves: Mapping[str, Mapping[str, Sequence[float]]], metrics: Mapping[str, Numbers]) -> Drawing:
    """Draws hits over false alarms, of every threshold.

    Args:
        curves: By series, as `emberline.pipelines.metrics.binary` gives them in its details.
        metrics: By series.
    """
    lines = {}
    for name, curve in curves.items():
        hits, alarms = _shares(curve["hits"]), _shares(curve["alarms"])
        lines[name] = _path([(0.0, 0.0), *zip(alarms, hits, strict=True)])
    says = _values("area", "auc", metrics, lines)
    return Drawing(
        f"ROC: {says}", "share of negatives taken", "share of positives taken", lines, _path([(0, 0), (1, 1)]), "chance"
    )


def precision_recall(curves: Mapping[str, Mapping[str, Sequence[float]]], metrics: Mapping[str, Numbers]) -> Drawing:
    """Returns precision over recall, of every threshold; arguments as for `roc`."""
    lines = {}
    for name, curve in curves.items():
        recall = _shares(curve["hits"])
        precision = [hits / (hits + alarms) for hits, alarms in zip(curve["hits"], curve["alarms"], strict=True)]
        lines[name] = _path(list(zip(recall, precision, strict=True)))
    rate = next((found["positive_rate"] for found in metrics.values() if "positive_rate" in found), 0.0)
    return Drawing(
        f"Precision and recall: {_values('average precision', 'pr_auc', metrics, lines)}",
        "recall",
        "precision",
        lines,
        _path([(0, rate), (1, rate)]),
        "chance",
    )


def calibration(bins: Mapping[str, Sequence[Numbers]], metrics: Mapping[str, Numbers]) -> Drawing:
    """Returns what came true over what was predicted.

    Args:
        bins: By series, rows, mean score and share of positives of each bin.
        metrics: By series.
    """
    lines, dots = {}, {}
    for name, found in bins.items():
        points = [(entry["score"], entry["share"]) for entry in found]
        lines[name] = _path(points)
        dots[name] = [
            Dot(
                *_place(*point),
                f"{name}: {entry['rows']:,.0f} rows, predicted {entry['score']:.3f}, true {entry['share']:.3f}",
            )
            for point, entry in zip(points, found, strict=True)
        ]
    says = _values("expected error", "calibration_error", metrics, lines)
    return Drawing(
        f"Calibration: {says}",
        "mean predicted probability",
        "share that came true",
        lines,
        _path([(0, 0), (1, 1)]),
        "perfect",
        dots,
    )


def errors(found: Mapping[str, Mapping[str, Any]]) -> Drawing:
    """Returns the share of rows by error.

    Args:
        found: By series, `limit` and `rows` of each bin from -limit to limit.
    """
    limit = max((entry["limit"] for entry in found.values()), default=0.0) or 1.0
    lines = {}
    # Densities, since the bins of two models differ in width.
    densities = {
        name: [rows / (sum(entry["rows"]) or 1) / (entry["limit"] or limit) for rows in entry["rows"]]
        for name, entry in found.items()
    }
    top = max((max(heights) for heights in densities.values()), default=0.0) or 1.0
    for name, heights in densities.items():
        reach = found[name]["limit"] / limit / 2
        edges = [0.5 + reach * (2 * index / len(heights) - 1) for index in range(len(heights) + 1)]
        steps = [
            (x, height / top) for height, ends in zip(heights, itertools.pairwise(edges), strict=True) for x in ends
        ]
        lines[name] = _path([(edges[0], 0.0), *steps, (edges[-1], 0.0)])
    ticks = [figure(limit * part) for part in (-1, -0.5, 0, 0.5, 1)]
    return Drawing(
        "Errors, prediction minus truth",
        "error; the ends hold all further out",
        "density",
        lines,
        _path([(0.5, 0), (0.5, 1)]),
        "no error",
        x_ticks=ticks,
        y_ticks=(),
    )


def _values(what: str, metric: str, metrics: Mapping[str, Numbers], lines: Mapping[str, str]) -> str:
    known = [f"{metrics[name][metric]:.4f} {name}" for name in lines if metric in metrics[name]]
    return f"{what} {', '.join(known)}" if len(known) > 1 else f"{what} {known[0].split()[0]}" if known else what


def _shares(counts: Sequence[float]) -> list[float]:
    total = counts[-1] or 1
    return [count / total for count in counts]


def _place(x: float, y: float) -> tuple[str, str]:
    return f"{x * SIDE:.1f}".removesuffix(".0"), f"{(1 - y) * SIDE:.1f}".removesuffix(".0")


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(" ".join(_place(x, y)) for x, y in points)
