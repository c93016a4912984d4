"""`evaluation.html`: one or several evaluations side by side, as one page that needs nothing beside itself."""

import importlib.resources
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jinja2
import markupsafe

from emberline.features.profile.charts import figure, share
from emberline.pipelines.evaluation.charts import SIDE, Drawing, calibration, errors, precision_recall, roc
from emberline.pipelines.metrics.definitions import is_smaller_better, left_out

PAGE = "evaluation.html"
NEITHER_WAY = frozenset({"rows", "positive_rate"})
"""Metrics of which neither more nor less is better."""

LARGEST_MATRIX = 30
"""Classes up to which the whole confusion matrix is shown."""

WORST_PAIRS = 30
"""Of more classes, so many pairs that are most often taken for each other."""


@dataclass(frozen=True)
class PageModel:
    """One evaluated model on the page.

    Args:
        name: What it is called there; different for each.
        metrics: Numbers by name.
        details: As the metrics of its task gave them.
        slices: Metrics by field and value.
        dataset_digest: Content of the dataset version whose rows were held out.
        facts: What else to say of it, such as its run.
        params: Its settings.
        smaller_is_better: Names of its metrics of which less is better; those that are commonly known need no mention.
    """

    name: str
    metrics: Mapping[str, float]
    details: Mapping[str, Any] = field(default_factory=dict)
    slices: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    dataset_digest: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    smaller_is_better: Sequence[str] = ()


@dataclass(frozen=True)
class MetricRow:
    """One metric of all models.

    Args:
        name: Of the metric.
        values: Of each model, None where it has none.
        best: Positions of the best values; none of a metric without direction, or of equals.
    """

    name: str
    values: Sequence[float | None]
    best: frozenset[int]


@dataclass(frozen=True)
class _SliceRow:
    value: str
    metrics: Sequence[Mapping[str, float] | None]


def evaluation_html(title: str, models: Sequence[PageModel], *, synthetic: str = "") -> str:
    """Returns the page; every name and value in it is escaped.

    Args:
        title: Its heading.
        models: What is shown, the main one first.
        synthetic: What to say about synthetic data; empty for real data.
    """
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"figure": figure, "share": share, "number": number}
    source = (
        importlib.resources.files("emberline.pipelines.evaluation").joinpath("page.html").read_text(encoding="utf-8")
    )
    look = importlib.resources.files("emberline.features.profile").joinpath("look.css").read_text(encoding="utf-8")
    smaller = frozenset(name for model in models for name in model.smaller_is_better)
    shown = metric_rows([model.metrics for model in models], smaller)
    labels = list(dict.fromkeys(label for model in models for label in model.details.get("labels", [""])))
    return environment.from_string(source).render(
        title=title,
        models=models,
        synthetic=synthetic,
        look=markupsafe.Markup(look),
        side=SIDE,
        rows=shown,
        left_out=[(model.name, name, why) for model in models for name, why in left_out(model.details).items()],
        drawings=[drawing for label in labels for drawing in _drawings(models, label)],
        matrices=[
            (model, label, found, *_matrix(found))
            for label in labels
            for model in models
            if "confusion" in (found := _details(model, label))
        ],
        pairs=[
            (model, label, pairs)
            for label in labels
            for model in models
            if (pairs := _worst_pairs(_details(model, label)))
        ],
        slices=_slices(models),
        slice_metrics=[row.name for row in shown if row.name not in NEITHER_WAY],
        smaller=[row.name for row in shown if is_smaller_better(row.name) or row.name in smaller],
        differing=differing([model.params for model in models]),
        other_rows=[model.name for model in models if model.dataset_digest != models[0].dataset_digest],
    )


def metric_rows(metrics: Sequence[Mapping[str, float]], smaller: Collection[str] = ()) -> list[MetricRow]:
    """Returns all metrics of all models, in the order in which they come up.

    Args:
        metrics: Of each model, by name.
        smaller: Names of those of which less is better, beside those that are commonly known.
    """
    rows = []
    for name in dict.fromkeys(name for found in metrics for name in found):
        values = [found.get(name) for found in metrics]
        known = [value for value in values if value is not None]
        best: frozenset[int] = frozenset()
        if name not in NEITHER_WAY and len(set(known)) > 1:
            top = min(known) if is_smaller_better(name) or name in smaller else max(known)
            # Sums of the same rows in another order differ in their last digits.
            best = frozenset(i for i, value in enumerate(values) if value is not None and math.isclose(value, top))
            best = best if len(best) < len(known) else frozenset()
        rows.append(MetricRow(name, values, best))
    return rows


def differing(params: Sequence[Mapping[str, str]]) -> dict[str, list[str | None]]:
    """Returns the settings that are not the same in all models."""
    names = dict.fromkeys(name for found in params for name in found)
    listed = {name: [found.get(name) for found in params] for name in names}
    return {name: values for name, values in sorted(listed.items()) if len(set(values)) > 1}


def number(value: float | None) -> str:
    """Returns a metric: shares and losses with four decimals, larger numbers with four digits."""
    if value is None:
        return "–"
    return f"{value:.4f}" if (abs(value) < 10 and value != int(value)) or value in (0, 1) else figure(value)


def _details(model: PageModel, label: str) -> Mapping[str, Any]:
    """Returns the details of one label of several, or of the only one, which is called `""`."""
    details: Mapping[str, Any] = model.details.get("labels", {}).get(label, {}) if label else model.details
    return details


def _drawings(models: Sequence[PageModel], label: str) -> list[Drawing]:
    before = f"{label}/" if label else ""
    metrics = {
        model.name: {
            name.removeprefix(before): value for name, value in model.metrics.items() if name.startswith(before)
        }
        for model in models
    }
    found = {model.name: _details(model, label) for model in models}
    curves = {name: details["curve"] for name, details in found.items() if details.get("curve", {}).get("score")}
    bins = {name: details["calibration"] for name, details in found.items() if "calibration" in details}
    missed = {name: details["errors"] for name, details in found.items() if "errors" in details}
    drawn = [roc(curves, metrics), precision_recall(curves, metrics)] if curves else []
    drawn += [*([calibration(bins, metrics)] if bins else []), *([errors(missed)] if missed else [])]
    return [replace(drawing, title=f"{label}, {drawing.title}") for drawing in drawn] if label else drawn


def _matrix(details: Mapping[str, Any]) -> tuple[list[str], list[tuple[str, list[tuple[int, float]], float | None]]]:
    """Returns classes, and by true class the rows of each predicted one with their share, and the recall."""
    confusion = details["confusion"]
    classes = [str(name) for name in details.get("classes", range(len(confusion)))]
    if len(classes) > LARGEST_MATRIX:
        return classes, []
    rows = []
    for index, counts in enumerate(confusion):
        total = sum(counts)
        cells = [(count, count / total if total else 0.0) for count in counts]
        rows.append((classes[index], cells, cells[index][1] if total else None))
    return classes, rows


def _worst_pairs(details: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    confusion = details.get("confusion", [])
    if len(confusion) <= LARGEST_MATRIX:
        return []
    classes = details.get("classes", range(len(confusion)))
    wrong = [
        (count, true, predicted)
        for true, counts in enumerate(confusion)
        for predicted, count in enumerate(counts)
        if count and true != predicted
    ]
    return [
        (str(classes[true]), str(classes[predicted]), count)
        for count, true, predicted in sorted(wrong, key=lambda found: -found[0])[:WORST_PAIRS]
    ]


def _slices(models: Sequence[PageModel]) -> list[tuple[str, list[_SliceRow], Mapping[str, int] | None]]:
    """Returns the fields, their values, and what the main model left out of them."""
    found = []
    for name in dict.fromkeys(name for model in models for name in model.slices):
        values = dict.fromkeys(value for model in models for value in model.slices.get(name, {}))
        rows = [_SliceRow(value, [model.slices.get(name, {}).get(value) for model in models]) for value in values]
        left_out = models[0].details.get("slices_left_out", {}).get(name)
        found.append((name, rows, left_out))
    return found
