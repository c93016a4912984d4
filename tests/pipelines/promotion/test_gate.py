"""The gate: which way is better, what is good enough, what beats the champion, and what must not fall."""

import pytest

from emberline.features.errors import BadInputError
from emberline.pipelines.promotion.gate import JudgedMetrics, judge, require_slices
from emberline.pipelines.recipe import Gate
from emberline.pipelines.recipes import load_recipe


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
        (Gate("rmse"), 1e9, None, True, "champion: the first with rmse"),
        (Gate("rmse"), float("nan"), None, False, "not champion: rmse nan is no number"),
        (Gate("cost", smaller_is_better=True), 2.0, 3.0, True, "champion: cost 2.00000 beats 3.00000"),
        (Gate("cost"), 2.0, 3.0, False, "not champion: cost 2.00000 does not beat"),
        (Gate("log_loss", 1.0), 0.2, 0.3, True, "champion: log_loss 0.20000 beats 0.30000"),
        (Gate("r2", 0.0), float("nan"), None, False, "not champion: r2 nan is below the limit 0"),
        (Gate("auc", 0.8, margin=0.01), 0.905, 0.9, False,
         "not champion: auc 0.90500 does not beat the present champion's 0.90000 by 0.01"),
        (Gate("auc", 0.8, margin=0.01), 0.92, 0.9, True, "champion: auc 0.92000 beats 0.90000"),
        # Two numbers are shown with as many decimals as tell them apart.
        (Gate("auc", 0.8, margin=0), 0.9285812, 0.9285808, True, "champion: auc 0.9285812 beats 0.9285808"),
        (Gate("auc", 0.8), 0.9285812, 0.9285808, False,
         "not champion: auc 0.9285812 does not beat the present champion's 0.9285808 by 0.0001"),
    ],
)  # fmt: skip
def test_the_verdict(gate: Gate, metric: float, champion: float | None, passed: bool, verdict: str) -> None:
    held = None if champion is None else JudgedMetrics({gate.metric: champion})
    found = judge(gate, JudgedMetrics({gate.metric: metric}), held)
    assert found.passed is passed
    assert found.text.startswith(verdict)


def slices(old: float, young: float, few: float) -> dict[str, dict[str, dict[str, float]]]:
    return {
        "age": {
            "old": {"auc": old, "rows": 500},
            "young": {"auc": young, "rows": 500},
            "few": {"auc": few, "rows": 3},
        }
    }


@pytest.mark.parametrize(
    ("drop", "young", "passed"), [(0.0, 0.8, True), (0.0, 0.79, False), (0.02, 0.79, True), (0.02, 0.77, False)]
)
def test_a_slice_that_falls_keeps_a_better_model_out(drop: float, young: float, passed: bool) -> None:
    gate = Gate("auc", 0.5, slices=("age",), slice_drop=drop)
    candidate = JudgedMetrics({"auc": 0.95}, slices(0.99, young, few=0.1))
    found = judge(gate, candidate, JudgedMetrics({"auc": 0.9}, slices(0.9, 0.8, few=0.9)))
    assert found.passed is passed
    assert len([check for check in found.checks if check.condition.startswith("auc of age")]) == 2, (
        "few rows say little"
    )
    if not passed:
        assert found.text == f"not champion: auc of age young falls: {young:.5f} after 0.80000"


@pytest.mark.parametrize(("limits", "passed"), [((2.0, 20.0), True), ((1.0, 20.0), False), ((2.0, 10.0), False)])
def test_latency_is_a_limit(limits: tuple[float, float], passed: bool) -> None:
    gate = Gate("auc", 0.5, latency_ms=limits[0], latency_ms_1000=limits[1])
    found = judge(gate, JudgedMetrics({"auc": 0.9}, latency={1: 1.5, 1000: 15.0}), None)
    assert found.passed is passed
    if not passed:
        assert "ms of" in found.text


def test_a_gate_that_asks_for_what_nobody_measures_is_refused() -> None:
    others = {"evaluation.slices": "petal_length"}
    for settings, advice in (({}, "set evaluation.slices=petal_width"), (others, "petal_length")):
        recipe = load_recipe("iris_dnn", settings | {"gate.slices": "petal_width"})
        with pytest.raises(BadInputError, match=rf"slices by 'petal_width', .*{advice}"):
            require_slices(recipe)
    require_slices(load_recipe("iris_dnn", {"gate.slices": "petal_width", "evaluation.slices": "petal_width:1,2"}))


def test_a_gate_is_set_like_any_field() -> None:
    assert load_recipe("iris_dnn", {"gate.slices": "petal_width", "gate.margin": "0.01"}).gate.slices == (
        "petal_width",
    )
    with pytest.raises(BadInputError, match=r"gate\.margin must be 0 or more"):
        load_recipe("iris_dnn", {"gate.margin": "-1"})
