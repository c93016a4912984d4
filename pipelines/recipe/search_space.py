"""What a hyper-parameter search may change: fields of a recipe, each with the values to try."""

import ast
import math
from dataclasses import dataclass
from typing import Any, TypeAlias

from emberline.features.errors import BadInputError


@dataclass(frozen=True)
class Between:
    """Any number from `low` to `high`, ends included; whole ones if both ends are.

    Args:
        field: Dotted field of the recipe, as for `--set`.
        low: Smallest value.
        high: Largest value.
        log: Orders of magnitude are equally likely, as suits learning rates.

    Example:
        >>> from emberline.pipelines.recipe import Between
        >>> Between("training.optimizers.0.learning_rate", 1e-4, 0.1, log=True).ends
        ('0.0001', '0.1')
    """

    field: str
    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise BadInputError(f"Space of {self.field}: expected low < high, got {self.low} and {self.high}.")
        if self.log and self.low <= 0:
            raise BadInputError(f"Space of {self.field}: log=True needs a low above 0, got {self.low}.")

    @property
    def ends(self) -> tuple[str, ...]:
        """The extreme values as `--set` takes them."""
        return (repr(self.low), repr(self.high))


@dataclass(frozen=True)
class OneOf:
    """One of some values.

    Args:
        field: Dotted field of the recipe, as for `--set`.
        values: The values to try; tuples stand for several numbers, such as the units of hidden layers.

    Example:
        >>> from emberline.pipelines.recipe import OneOf
        >>> OneOf("model.hidden_units", ((50,), (100, 50))).ends
        ('(50,)', '(100, 50)')
    """

    field: str
    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if len(self.values) < 2:
            raise BadInputError(f"Space of {self.field}: expected two values or more, got {self.values}.")

    @property
    def ends(self) -> tuple[str, ...]:
        """All values as `--set` takes them."""
        return tuple(value if isinstance(value, str) else repr(value) for value in self.values)


Axis: TypeAlias = Between | OneOf


def parse_axis(text: str) -> Axis:
    """Returns an axis from the command line: `FIELD=LOW..HIGH`, `FIELD=LOW..HIGH log`, or `FIELD=A|B|C`.

    Raises:
        BadInputError: if it is neither.
    """
    field, equals, values = (part.strip() for part in text.partition("="))
    if equals and field and ".." in values:
        span, _, scale = values.partition(" ")
        low, _, high = span.partition("..")
        try:
            if scale.strip() in ("", "log"):
                return Between(field, _number(low), _number(high), log=bool(scale.strip()))
        except ValueError:
            pass
    elif equals and field and "|" in values:
        return OneOf(field, tuple(_value(value.strip()) for value in values.split("|")))
    raise BadInputError(f"--space {text}: expected FIELD=LOW..HIGH, 'FIELD=LOW..HIGH log' or 'FIELD=A|B|C'.")


def _number(text: str) -> float:
    return int(text) if text.strip().lstrip("+-").isdigit() else float(text)


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
