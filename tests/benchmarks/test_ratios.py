"""What is measured is what happens: a positive control of the comparison itself."""

import statistics

import pytest

from benchmarks.ratios import compare, seconds, summary

ROUNDS = 400_000
"""Of a loop of Python: some twenty milliseconds."""


def speed(rounds: int) -> float:
    """Loops per second, of which the work is `rounds` long."""

    def work() -> None:
        for _ in range(rounds):
            pass

    return 1 / seconds(work)


@pytest.mark.slow
@pytest.mark.parametrize(("mine", "expected"), [(1, 1.0), (2, 0.5), (0.5, 2.0)])
def test_a_side_against_itself_is_one_and_a_slower_one_less(mine: float, expected: float) -> None:
    """The same work on both sides, twice as much on ours, and half as much."""
    found = compare(lambda: speed(int(mine * ROUNDS)), lambda: speed(ROUNDS), repeats=21)
    assert len(found.ratios) == 21
    assert statistics.median(found.ratios) == pytest.approx(expected, rel=0.15)


def test_the_first_turn_does_not_count() -> None:
    mine, other = iter([1.0, 8.0, 9.0]), iter([100.0, 4.0, 3.0])
    found = compare(lambda: next(mine), lambda: next(other), repeats=2)
    assert found.ratios == [2.0, 3.0]


def test_a_summary_says_how_many_turns_there_were() -> None:
    assert summary({"key": [1.0, 3.0, 2.0]}) == {"key": {"median": 2.0, "min": 1.0, "max": 3.0, "turns": 3}}
