"""Where in a training a checkpoint stands, and with it the data that is still to be seen."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Leg:
    """Consecutive steps of one epoch with one number of workers.

    Args:
        workers: How many took part.
        steps: Steps they did.
    """

    workers: int
    steps: int


@dataclass(frozen=True)
class Position:
    """A point between two steps.

    Args:
        step: Steps done since the start.
        epoch: Epochs done since the start.
        legs: How the steps of the epoch under way were done. Together with the seed and the epoch's number they say
            which rows were seen: the global batch is the same for every number of workers, the order of rows is not.
    """

    step: int = 0
    epoch: int = 0
    legs: tuple[Leg, ...] = ()

    @property
    def steps_into_epoch(self) -> int:
        """Steps done of the epoch under way."""
        return sum(leg.steps for leg in self.legs)

    def after(self, steps: int, workers: int) -> "Position":
        """The same epoch, some steps later."""
        *before, last = self.legs or (Leg(workers, 0),)
        if last.workers != workers:
            before, last = [*before, last], Leg(workers, 0)
        legs = tuple(leg for leg in (*before, Leg(workers, last.steps + steps)) if leg.steps)
        return Position(self.step + steps, self.epoch, legs)

    def next_epoch(self) -> "Position":
        """The beginning of the epoch that follows."""
        return Position(self.step, self.epoch + 1)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Position":
        """The reverse of `dataclasses.asdict`."""
        return cls(value["step"], value["epoch"], tuple(Leg(**leg) for leg in value.get("legs", ())))
