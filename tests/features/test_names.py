"""Names that headers say, as other programs take them: back and forth, and no two become one."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emberline.features.names import metric_name, safe_name, user_name

NAMES = st.one_of(st.text(min_size=1), st.text("ax_ 20A-", min_size=1, max_size=6))


@given(NAMES)
def test_a_name_can_be_told_from_its_safe_one(name: str) -> None:
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", safe_name(name))
    assert user_name(safe_name(name)) == name


@given(NAMES, NAMES)
def test_no_two_names_become_one(one: str, other: str) -> None:
    assert (safe_name(one) == safe_name(other)) == (one == other)


@pytest.mark.parametrize("name", ["age", "hours_per_week", "Pclass", "C1"])
def test_names_that_everything_takes_stay(name: str) -> None:
    assert safe_name(name) == name


@settings(deadline=None)
@given(NAMES)
def test_metrics_have_names_that_mlflow_takes(name: str) -> None:
    from mlflow.utils.validation import _validate_metric_name

    _validate_metric_name(metric_name(f"distance/{name}"))
