"""The gate between a registered model and the alias `champion`: conditions, each checked and each with its reason."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from emberline.features.errors import BadInputError, nearest
from emberline.pipelines.metrics.definitions import is_smaller_better
from emberline.pipelines.recipe import Gate, Recipe, slice_bounds

Slices = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Metrics by field, value and name."""

DECIMALS = 5
MOST_DECIMALS = 12


@dataclass(frozen=True)
class JudgedMetrics:
    """What a gate looks at in a model.

    Args:
        metrics: Of the held-out rows.
        slices: The same of slices of them.
        latency: Milliseconds of a call, by the number of its rows.
    """

    metrics: Mapping[str, float]
    slices: Slices = field(default_factory=dict)
    latency: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """One condition.

    Args:
        condition: What was asked, such as `accuracy` or `accuracy of age 30 to 50`.
        candidate: The candidate's value.
        against: The limit, or the champion's value; None if there is neither.
        passed: Whether the candidate meets it.
        reason: In words.
    """

    condition: str
    candidate: float
    against: float | None
    passed: bool
    reason: str


@dataclass(frozen=True)
class Verdict:
    """What the gate says about a candidate.

    Args:
        checks: All conditions that were looked at.
    """

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether the candidate becomes champion."""
        return all(check.passed for check in self.checks)

    @property
    def text(self) -> str:
        """The verdict in a line: what failed, or what was won."""
        if self.passed:
            return f"champion: {self.checks[-1].reason}"
        return "not champion: " + "; ".join(check.reason for check in self.checks if not check.passed)


def require_slices(recipe: Recipe) -> None:
    """Refuses a gate that asks for slices which nobody measures, before anything is trained.

    Raises:
        BadInputError: naming the field.
    """
    measured = [slice_bounds(declared)[0] for declared in recipe.evaluation.slices]
    for name in recipe.gate.slices:
        if name not in measured:
            known = nearest(name, measured) if measured else f"Nothing is: set evaluation.slices={name}."
            raise BadInputError(f"The gate asks for slices by {name!r}, and evaluate does not measure them. {known}")


def meets_limits(gate: Gate, candidate: JudgedMetrics) -> list[Check]:
    """Returns conditions that a model has to meet whoever the champion is."""
    value, limit = candidate.metrics[gate.metric], gate.limit
    if limit is None:
        good = math.isfinite(value)
        shown = f"{gate.metric} {value:.{DECIMALS}f} is {'a' if good else 'no'} number"
    else:
        # Not `<`: a metric that is no number passes no gate.
        good = _sign(gate) * value >= _sign(gate) * limit
        where = "within" if good else "above" if _sign(gate) < 0 else "below"
        shown = f"{gate.metric} {value:.{DECIMALS}f} is {where} the limit {limit:g}"
    checks = [Check(f"limit of {gate.metric}", value, limit, good, shown)]
    for rows, most in ((1, gate.latency_ms), (1000, gate.latency_ms_1000)):
        if most:
            took = candidate.latency[rows]
            words = f"a call with {rows:,} row{'s' if rows > 1 else ''} takes {took:.2f} ms of {most:g}"
            checks.append(Check(f"latency of {rows:,} rows", took, most, took <= most, words))
    return checks


def judge(gate: Gate, candidate: JudgedMetrics, champion: JudgedMetrics | None) -> Verdict:
    """Returns whether a model becomes champion, and why.

    Args:
        gate: The recipe's conditions.
        candidate: What is known of the candidate.
        champion: The same of the present champion, on the same rows; None if there is none that has the gate's metric.
    """
    checks = meets_limits(gate, candidate)
    value = candidate.metrics[gate.metric]
    if champion is None:
        first = f"the first with {gate.metric} {value:.{DECIMALS}f}"
        return Verdict((*checks, Check(f"champion's {gate.metric}", value, None, True, first)))
    checks += _slices(gate, candidate.slices, champion.slices)
    held = champion.metrics[gate.metric]
    gain = _sign(gate) * (value - held)
    won = gain > 0 and gain >= gate.margin
    mine, theirs = _apart(value, held)
    by = f" by {gate.margin:g}" if gain > 0 and not won else ""
    words = f"beats {theirs}" if won else f"does not beat the present champion's {theirs}{by}"
    checks.append(Check(f"champion's {gate.metric}", value, held, won, f"{gate.metric} {mine} {words}"))
    return Verdict(tuple(checks))


def _slices(gate: Gate, candidate: Slices, champion: Slices) -> list[Check]:
    checks = []
    for name in gate.slices:
        for part, metrics in candidate.get(name, {}).items():
            held = champion.get(name, {}).get(part, {}).get(gate.metric)
            value = metrics.get(gate.metric)
            if held is None or value is None or metrics["rows"] < gate.slice_rows:
                continue
            fallen = _sign(gate) * (held - value)
            good = fallen <= gate.slice_drop
            mine, theirs = _apart(value, held)
            words = f"{gate.metric} of {name} {part} {'holds' if good else 'falls'}: {mine} after {theirs}"
            checks.append(Check(f"{gate.metric} of {name} {part}", value, held, good, words))
    return checks


def _sign(gate: Gate) -> int:
    smaller = is_smaller_better(gate.metric) if gate.smaller_is_better is None else gate.smaller_is_better
    return -1 if smaller else 1


def _apart(one: float, other: float) -> tuple[str, str]:
    """Returns two numbers with as many decimals as tell them apart."""
    for decimals in range(DECIMALS, MOST_DECIMALS + 1):
        shown = f"{one:.{decimals}f}", f"{other:.{decimals}f}"
        if shown[0] != shown[1]:
            return shown
    return f"{one:.{DECIMALS}f}", f"{other:.{DECIMALS}f}"
