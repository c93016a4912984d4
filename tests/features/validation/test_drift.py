"""Distances between data sets: against SciPy, against integrals of known densities, and their own laws."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.spatial.distance import jensenshannon
from scipy.stats import norm

from emberline.features.schema import Field
from emberline.features.statistics import FieldStatistics
from emberline.features.validation.distribution import Distribution
from emberline.features.validation.drift import class_distance, common_edges, distance, jensen_shannon, l_infinity

NUMBER, WHOLE, TEXT = Field("x", "float"), Field("x", "integer"), Field("x", "string")


def numbers(values: np.ndarray, *, bins: int = 100, quantiles: int = 100) -> FieldStatistics:
    """Statistics as the analysis learns them: bins of equal width, quantiles that are values of the data."""
    counts = np.histogram(values, bins)[0] if bins else ()
    ranks = np.quantile(values, np.linspace(0, 1, quantiles + 1), method="inverted_cdf") if quantiles else ()
    return FieldStatistics(
        count=len(values),
        missing=0,
        minimum=float(values.min()),
        maximum=float(values.max()),
        histogram=tuple(map(int, counts)),
        quantiles=tuple(map(float, ranks)),
    )


def texts(words: list[str], listed: int = 1000) -> FieldStatistics:
    top = sorted(Counter(words).items(), key=lambda pair: (-pair[1], pair[0]))
    return FieldStatistics(len(words), 0, distinct=len(top), top=tuple(top[:listed]))


def js(before: FieldStatistics, now: FieldStatistics, *, whole: bool = False) -> float:
    found = distance(WHOLE if whole else NUMBER, before, now)
    assert found
    return found.value


def exact(first: np.ndarray, second: np.ndarray, *, whole: bool) -> float:
    """SciPy's divergence of the data itself over the same bins; its `jensenshannon` is the square root."""
    known = [Distribution.of(numbers(values)) for values in (first, second)]
    edges = common_edges(known[0], known[1], whole=whole)  # type: ignore[arg-type]
    counts = [np.histogram(values, edges)[0] for values in (first, second)]
    return float(jensenshannon(*counts, base=2) ** 2)


def draw(seed: int, kind: str, size: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    match kind:
        case "normal":
            return rng.normal(rng.uniform(-1, 1), rng.uniform(0.5, 2), size)
        case "integers":
            return rng.poisson(rng.uniform(1, 30), size).astype(float)
        case "mostly zero":
            return np.where(rng.random(size) < 0.9, 0.0, rng.lognormal(8, 1.5, size))
        case _:
            return np.append(rng.normal(0, 1, size), 1e9)


@pytest.mark.parametrize("kind", ["normal", "integers", "mostly zero", "outlier"])
@pytest.mark.parametrize("seed", range(5))
def test_numbers_agree_with_scipy(kind: str, seed: int) -> None:
    first, second = draw(seed, kind, 20_000), draw(seed + 100, kind, 5_000)
    whole = kind == "integers"
    assert js(numbers(first), numbers(second), whole=whole) == pytest.approx(
        exact(first, second, whole=whole), abs=0.004
    )


@pytest.mark.parametrize(("mean", "deviation"), [(0.5, 1.0), (1.0, 1.0), (3.0, 1.0), (0.0, 2.0)])
@pytest.mark.parametrize("sources", [{}, {"quantiles": 0}, {"bins": 0}])
def test_a_shift_of_known_size(mean: float, deviation: float, sources: dict[str, int]) -> None:
    """Two normal distributions: the integral of the densities; bins can only lose a little of it."""
    rng = np.random.default_rng(7)
    found = js(numbers(rng.normal(0, 1, 100_000), **sources), numbers(rng.normal(mean, deviation, 100_000), **sources))

    def integrand(x: float) -> float:
        p, q = norm.pdf(x), norm.pdf(x, mean, deviation)
        m = (p + q) / 2
        return 0.5 * sum(share * math.log2(share / m) for share in (p, q) if share > 1e-300)

    expected = quad(integrand, -12, 15, limit=200)[0]
    assert expected * 0.88 <= found <= expected + 0.002


def test_two_samples_of_one_distribution_are_near() -> None:
    for kind in ("normal", "integers", "mostly zero", "outlier"):
        whole = np.random.default_rng(3).permutation(draw(1, kind, 20_000))
        assert js(numbers(whole[:10_000]), numbers(whole[10_000:])) < 0.003, kind


def test_one_outlier_hides_nothing() -> None:
    """In a hundred bins of equal width all of this would be in the first."""
    first = draw(1, "normal", 9_999)
    outlier = js(numbers(np.append(first, 1e9)), numbers(np.append(first + 3, 1e9)))
    assert outlier == pytest.approx(js(numbers(first), numbers(first + 3)), abs=0.02)
    assert outlier > 0.3


def test_numbers_that_share_nothing_are_one_apart() -> None:
    assert js(numbers(np.arange(100.0)), numbers(np.arange(200.0, 300.0))) == pytest.approx(1)
    assert js(numbers(np.full(5, 1.0)), numbers(np.full(9, 2.0))) == 1
    assert js(numbers(np.full(5, 1.0)), numbers(np.full(9, 1.0))) == 0


def test_the_range_that_moved_is_named() -> None:
    found = distance(NUMBER, numbers(np.zeros(100)), numbers(np.append(np.zeros(60), np.ones(40))))
    assert found
    assert found.where.endswith("100.0% → 60.0%")


samples = st.lists(
    st.one_of(st.integers(-5, 5).map(float), st.floats(-1e6, 1e6, allow_nan=False, width=32)), min_size=1, max_size=60
)


@given(samples, samples)
def test_numbers_symmetric_bounded_and_zero_to_themselves(first: list[float], second: list[float]) -> None:
    one, other = numbers(np.array(first), bins=10), numbers(np.array(second), bins=10)
    assert 0 <= js(one, other) <= 1
    assert js(one, other) == pytest.approx(js(other, one), abs=1e-9)
    assert js(one, one) == 0


@given(samples, st.lists(st.floats(-2e6, 2e6), max_size=20))
def test_shares_add_up_and_never_fall(values: list[float], points: list[float]) -> None:
    known = Distribution.of(numbers(np.array(values), bins=10))
    assert known
    below = [known.share_below(point) for point in sorted([*points, *known.points])]
    assert all(0 <= share <= 1 for share in below)
    assert all(later >= earlier - 1e-12 for earlier, later in itertools.pairwise(below))
    assert sum(known.shares(common_edges(known, known))) == pytest.approx(1)


words = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=60)


@given(words, words)
def test_categories_by_hand_symmetric_bounded(first: list[str], second: list[str]) -> None:
    one, other = texts(first), texts(second)
    by_hand = max(abs(first.count(w) / len(first) - second.count(w) / len(second)) for w in {*first, *second})
    assert l_infinity(one, other).value == pytest.approx(by_hand)
    assert l_infinity(one, other).value == l_infinity(other, one).value
    assert l_infinity(one, one).value == 0


@given(words, words, st.integers(1, 4))
def test_shortened_lists_never_claim_too_much(first: list[str], second: list[str], listed: int) -> None:
    exact = l_infinity(texts(first), texts(second)).value
    assert l_infinity(texts(first, listed), texts(second, listed)).value <= exact + 1e-12


def test_the_value_that_moved_is_named() -> None:
    found = distance(TEXT, texts(["a"] * 90 + ["b"] * 10), texts(["a"] * 60 + ["b"] * 20 + ["c"] * 20))
    assert found
    assert (round(found.value, 9), found.measure, found.where) == (0.3, "L-infinity", "'a': 90.0% → 60.0%")


def test_several_values_per_row_count_by_value() -> None:
    before = FieldStatistics(count=2, missing=0, values=4, distinct=2, top=(("a", 2), ("b", 2)))
    now = FieldStatistics(count=2, missing=0, values=8, distinct=2, top=(("a", 6), ("b", 2)))
    assert l_infinity(before, now).value == 0.25


def test_long_values_that_are_listed_cut_count_together() -> None:
    before = FieldStatistics(3, 0, distinct=3, top=(("long…", 1), ("long…", 1), ("b", 1)))
    now = FieldStatistics(3, 0, distinct=3, top=(("b", 3),))
    assert l_infinity(before, now).value == pytest.approx(2 / 3)


def test_classes() -> None:
    found = class_distance((75, 25), (50, 50), ("no", "yes"))
    assert found
    assert (found.value, found.where) == (0.25, "'no': 75.0% → 50.0%")
    assert class_distance((0, 0), (50, 50), ("no", "yes")) is None


def test_nothing_to_compare() -> None:
    empty = FieldStatistics(0, 10)
    assert distance(NUMBER, empty, numbers(np.arange(3.0))) is None
    assert distance(TEXT, empty, texts(["a"])) is None
    assert jensen_shannon(*[Distribution((0.0, 1.0), (0.0, 1.0), (0.0, 1.0))] * 2).value == 0
