"""Axes of a search as recipes and command lines write them."""

import pytest

from emberline.features.errors import BadInputError
from emberline.pipelines.recipe.search_space import Between, OneOf, parse_axis


@pytest.mark.parametrize(
    ("text", "axis"),
    [
        ("training.epochs=2..8", Between("training.epochs", 2, 8)),
        (
            "training.optimizers.0.learning_rate=1e-4..0.1 log",
            Between("training.optimizers.0.learning_rate", 1e-4, 0.1, True),
        ),
        ("model.hidden_units=(10,)|(20, 10)", OneOf("model.hidden_units", ((10,), (20, 10)))),
        ("training.optimizers.0.kind=adam|sgd", OneOf("training.optimizers.0.kind", ("adam", "sgd"))),
    ],
)
def test_axes_from_the_command_line(text, axis):
    parsed = parse_axis(text)
    assert parsed == axis
    assert [type(value) for value in vars(parsed).values()] == [type(value) for value in vars(axis).values()]


@pytest.mark.parametrize("text", ["x", "=1..2", "x=1", "x=a..b", "x=2..1", "x=0..1 log", "x=1..2 linear"])
def test_what_is_no_axis_is_refused(text):
    with pytest.raises(BadInputError, match=r"--space|Space of x"):
        parse_axis(text)


def test_ends_are_what_set_takes():
    assert Between("x", 1, 2.5).ends == ("1", "2.5")
    assert OneOf("x", ("adam", (1, 2))).ends == ("adam", "(1, 2)")
