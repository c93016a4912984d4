"""Names that headers say, as other programs take them: back and forth, and no two become one."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emberline.features.names import file_stem, metric_name, safe_name, safe_names, user_name

NAMES = st.one_of(st.text(min_size=1), st.text("ax_ 20A-", min_size=1, max_size=6))


@given(NAMES)
def test_a_name_can_be_told_from_its_safe_one(name: str) -> None:
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", safe_name(name))
    assert user_name(safe_name(name)) == name


@given(NAMES, NAMES)
def test_no_two_names_become_one(one: str, other: str) -> None:
    assert (safe_name(one) == safe_name(other)) == (one == other)


@given(st.sets(st.one_of(NAMES, st.text("aAbB_", min_size=1, max_size=3)), max_size=8))
def test_the_names_of_one_graph_differ_by_more_than_case(names: set[str]) -> None:
    safe = safe_names(names)
    assert len({name.lower() for name in safe.values()}) == len(names)
    assert all(user_name(known) == name for name, known in safe.items())
    assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", known) for known in safe.values())


@given(NAMES, NAMES)
def test_files_of_two_names_are_two(one: str, other: str) -> None:
    stems = [file_stem(one), file_stem(other), file_stem(one * 40)]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,120}", stem) for stem in stems)
    assert (stems[0] == stems[1]) == (one == other)


@pytest.mark.parametrize("name", ["age", "hours_per_week", "Pclass", "C1"])
def test_names_that_everything_takes_stay(name: str) -> None:
    assert safe_name(name) == name


@settings(deadline=None)
@given(NAMES)
def test_metrics_have_names_that_mlflow_takes(name: str) -> None:
    from mlflow.utils.validation import _validate_metric_name

    _validate_metric_name(metric_name(f"distance/{name}"))
