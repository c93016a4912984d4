"""The table a person reads at the end of a run."""

import sys
from typing import Any


def show(summary: dict[str, Any]) -> None:
    """Prints the outcome of `emberline.pipelines.run.run` to stderr."""
    rows = lines(summary)
    width = max(len(name) for name, _ in rows)
    print(file=sys.stderr)
    for name, value in rows:
        print(f"  {name:<{width}}  {value}", file=sys.stderr)
    print(file=sys.stderr, flush=True)


def lines(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Returns the table's rows: name and value."""
    metrics, model, synthetic = summary["metrics"], summary["model"], summary["synthetic"]
    found = [("pipeline", summary["pipeline"] + (" (synthetic data)" if synthetic else ""))]
    found.append(("rows read", f"{summary['rows_read']:,}"))
    found.append(("rows rejected", f"{summary['rows_rejected']:,}" + _why(summary)))
    written = ", ".join(f"{count:,} {split}" for split, count in summary["records"].items())
    found.append(("rows written", written))
    found.append(("profile", f"{_path(summary['dataset'])}/profile.html"))
    found.append(("trained", f"{summary['steps']:,} steps, {summary['examples_per_second']:,.0f} examples/s"))
    found += [(name, f"{value:,.4f}" + _best(name, synthetic)) for name, value in metrics.items() if name != "rows"]
    found.append(("evaluation", f"{_path(summary['training'])}/evaluation.html"))
    found.append(("model", f"{model['name']} version {model['version']}, {model['verdict']}"))
    found.append(("champion", f"version {model['champion']}" if model["champion"] else "none"))
    scored = summary["scored_with"]
    found.append(
        ("predictions", f"{summary['rows_scored']:,} by version {scored['version']} in {_path(summary['predictions'])}")
    )
    seconds = summary["seconds"]
    found.append(("seconds", ", ".join(f"{step} {value:.0f}" for step, value in seconds.items())))
    found.append(
        (
            "MLflow",
            f"mlflow ui --backend-store-uri {summary['tracking_uri']}"
            if _embedded(summary)
            else summary["tracking_uri"],
        )
    )
    return found


def _why(summary: dict[str, Any]) -> str:
    reasons = list(summary["reasons"].items())[:2]
    if not reasons:
        return ""
    listed = "; ".join(f"{count:,} × {reason}" for reason, count in reasons)
    return f" ({listed}), kept in {_path(summary['dataset'])}/rejected"


def _best(name: str, synthetic: dict[str, Any] | None) -> str:
    best = synthetic["best"].get(name) if synthetic else None
    return "" if best is None else f"  (best achievable {best:,.4f})"


def _path(uri: str) -> str:
    return uri.removeprefix("file://")


def _embedded(summary: dict[str, Any]) -> bool:
    return str(summary["tracking_uri"]).startswith("sqlite:")
