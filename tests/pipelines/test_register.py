"""The gate: which way is better, what is good enough, and what beats the champion."""

import pytest

from pipelines.recipe import Gate
from pipelines.register import judge


@pytest.mark.parametrize(
    ("gate", "metric", "champion", "passed", "verdict"),
    [
        (Gate("auc", 0.8), 0.9, None, True, "champion: the first with auc 0.90000"),
        (Gate("auc", 0.8), 0.7, None, False, "not champion: auc 0.70000 is below the limit 0.8"),
        (Gate("auc", 0.8), 0.9, 0.85, True, "champion: auc 0.90000 beats 0.85000"),
        (Gate("auc", 0.8), 0.9, 0.9, False, "not champion: auc 0.90000 does not beat the present champion's 0.90000"),
        (Gate("rmse", 50), 30.0, None, True, "champion: the first with rmse 30.00000"),
        (Gate("rmse", 50), 60.0, None, False, "not champion: rmse 60.00000 is above the limit 50"),
        (Gate("rmse", 50), 30.0, 35.0, True, "champion: rmse 30.00000 beats 35.00000"),
        (Gate("rmse", 50), 40.0, 35.0, False, "not champion: rmse 40.00000 does not beat the present champion's 35.0"),
        (Gate("log_loss", 1.0), 0.2, 0.3, True, "champion: log_loss 0.20000 beats 0.30000"),
        (Gate("r2", 0.0), float("nan"), None, False, "not champion: r2 nan is below the limit 0"),
    ],
)
def test_the_verdict(gate: Gate, metric: float, champion: float | None, passed: bool, verdict: str) -> None:
    found = judge(gate, metric, champion)
    assert found[0] is passed
    assert found[1].startswith(verdict)
