"""How often something happens in a training, as a recipe says it: `1 epoch`, `500 steps`, `600 seconds`."""

import re
from dataclasses import dataclass
from typing import Literal, cast

from emberline.features.errors import BadInputError

Unit = Literal["epochs", "steps", "seconds"]


@dataclass(frozen=True)
class Interval:
    """A number of epochs, steps or seconds.

    Args:
        amount: At least 1.
        unit: Of what.

    Example:
        >>> Interval.parse("500 steps")
        Interval(amount=500, unit='steps')
    """

    amount: int
    unit: Unit

    @classmethod
    def parse(cls, text: str) -> "Interval":
        """Returns the interval that a text says.

        Raises:
            BadInputError: if it says none.
        """
        match = re.fullmatch(r"([1-9]\d*) (epoch|step|second)s?", text.strip())
        if not match:
            raise BadInputError(f"{text!r} is no interval. Expected such as '1 epoch', '500 steps' or '600 seconds'.")
        return cls(int(match[1]), cast(Unit, match[2] + "s"))
