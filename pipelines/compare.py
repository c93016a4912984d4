"""Evaluated trainings side by side: a table for people, one page, and plain values for machines."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.pipelines.evaluation.page import MetricRow, PageModel, differing, evaluation_html, metric_rows, number
from emberline.pipelines.evaluation.page_models import distinct, model_of_run
from emberline.pipelines.runtime.output_folder import require_replaceable_file
from emberline.pipelines.tracking import Tracker


@dataclass(frozen=True)
class CompareResult:
    """What was compared.

    Args:
        runs: Names of the trainings, in the order given.
        metrics: Every metric, one value per training; None where it has none.
        best: By metric, the names of those with the best value, where more or less of it is better.
        differing: Settings that are not the same in all, one value per training.
        page: URI of the page; empty if none was asked for.
    """

    runs: list[str]
    metrics: dict[str, list[float | None]]
    best: dict[str, list[str]]
    differing: dict[str, list[str | None]]
    page: str = ""


def compare(runs: Sequence[str], tracker: Tracker, output: str | None = None) -> CompareResult:
    """Compares evaluated trainings.

    Args:
        runs: Ids of MLflow runs, or URIs of trainings.
        tracker: Knows runs by their ids.
        output: URI of the page to write; replaced if there.

    Raises:
        BadInputError: for fewer than two runs, one that does not exist or was not evaluated, or trainings without any
            metric in common.
    """
    if len(runs) < 2:
        raise BadInputError(f"Nothing to compare: {len(runs)} run given, expected two or more.")
    models = distinct([model_of_run(tracker, run) for run in runs])
    if not set.intersection(*(set(model.metrics) - {"rows"} for model in models)):
        raise BadInputError("The runs have no metric in common: their labels are of different kinds.")
    rows = metric_rows([model.metrics for model in models])
    settings = differing([model.params for model in models])
    print("\n".join(lines(models, rows, settings)), file=sys.stderr, flush=True)
    if output:
        require_replaceable_file(output, "page", lambda head: head[:15].lower() == b"<!doctype html>")
        storage.write_text_atomic(output, evaluation_html("Comparison", models))
    names = [model.name for model in models]
    return CompareResult(
        names,
        {row.name: list(row.values) for row in rows},
        {row.name: [names[index] for index in sorted(row.best)] for row in rows if row.best},
        settings,
        output or "",
    )


def lines(models: Sequence[PageModel], rows: Sequence[MetricRow], settings: dict[str, list[str | None]]) -> list[str]:
    """Returns the table: a column per model, a star at the best value, then the settings that differ."""
    cells = [["", *(model.name for model in models)]]
    for row in rows:
        marked = [number(value) + "* "[index not in row.best] for index, value in enumerate(row.values)]
        cells.append([row.name, *marked])
    cells += [[name, *("–" if value is None else value for value in values)] for name, values in settings.items()]
    widths = [max(len(row[place]) for row in cells) for place in range(len(models) + 1)]
    found = []
    for name, *values in cells:
        aligned = [value.rjust(width) for value, width in zip(values, widths[1:], strict=True)]
        found.append("  ".join([name.ljust(widths[0]), *aligned]))
    digests = {model.dataset_digest for model in models}
    if len(digests) > 1:
        found.append("The runs were evaluated on held-out rows of different dataset versions.")
    return found
