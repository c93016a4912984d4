"""Areas under curves from counts, against scikit-learn's from the scores themselves."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from emberline.pipelines.metrics.log_odds import area, counted

BOUND = 1e-4


def counted_in_parts(score: np.ndarray, label: np.ndarray) -> float:
    """As three workers would count them."""
    parts = np.arange(len(score)) % 3
    negatives, positives = (
        sum(counted(score[(parts == part) & (label == kind)]) for part in range(3)) for kind in (False, True)
    )
    return area(negatives, positives)


@pytest.mark.parametrize("highest", [1, 0.1, 1e-3, 1e-4, 1e-6, 1e-9])
def test_it_is_right_at_any_base_rate(highest: float) -> None:
    """Clicks, frauds and worse: 4,096 equal parts of the probability said 0.500 of 0.692 at 1e-4."""
    generator = np.random.default_rng(1)
    score = (generator.random(200_000) * highest).astype(np.float32)
    label = generator.random(200_000) < score / highest
    assert counted_in_parts(score, label) == pytest.approx(roc_auc_score(label, score), abs=BOUND)
    others = 1 - score.astype(float)
    assert counted_in_parts(others, label) == pytest.approx(roc_auc_score(label, others), abs=BOUND)


@pytest.mark.parametrize("spread", [0.02, 0.2, 2, 8])
@pytest.mark.parametrize("middle", [0, -3, -7, -14, 7])
def test_it_is_right_of_a_network_that_has_hardly_begun(middle: float, spread: float) -> None:
    """Which says the same of all rows, but for little."""
    generator = np.random.default_rng(2)
    label = generator.random(100_000) < 0.3
    odds = middle + spread * (generator.normal(size=100_000) + label)
    score = 1 / (1 + np.exp(-odds))
    assert counted_in_parts(score, label) == pytest.approx(roc_auc_score(label, score), abs=BOUND)


def test_neighbours_are_told_apart_and_equals_are_not() -> None:
    assert counted_in_parts(np.array([0.5001, 0.5002]), np.array([False, True])) == 1
    assert counted_in_parts(np.array([0.25, 0.25, 0.0, 1.0]), np.array([False, True, False, True])) == 0.875
