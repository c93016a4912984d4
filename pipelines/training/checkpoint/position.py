"""Where in a training a checkpoint stands, and with it the data that is still to be seen."""

import math
from dataclasses import dataclass, replace
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
class Best:
    """The best epoch so far.

    Args:
        step: Steps that were done at its end; its checkpoint has this number.
        value: Of the metric that decides.
        epochs_since: Epochs since then, all of them no better.
    """

    step: int
    value: float
    epochs_since: int = 0


@dataclass(frozen=True)
class Position:
    """A point between two steps.

    Args:
        step: Steps done since the start.
        epoch: Epochs done since the start.
        legs: How the steps of the epoch under way were done. Together with the seed and the epoch's number they say
            which rows were seen: the global batch is the same for every number of workers, the order of rows is not.
        best: The best epoch so far, if the recipe names a metric that decides.
        stopped: Why a callback ended the training here; empty if none did.
    """

    step: int = 0
    epoch: int = 0
    legs: tuple[Leg, ...] = ()
    best: Best | None = None
    stopped: str = ""

    @property
    def steps_into_epoch(self) -> int:
        """Steps done of the epoch under way."""
        return sum(leg.steps for leg in self.legs)

    def after(self, steps: int, workers: int) -> "Position":
        """Returns the same epoch, some steps later."""
        *before, last = self.legs or (Leg(workers, 0),)
        if last.workers != workers:
            before, last = [*before, last], Leg(workers, 0)
        legs = tuple(leg for leg in (*before, Leg(workers, last.steps + steps)) if leg.steps)
        return replace(self, step=self.step + steps, legs=legs)

    def next_epoch(self) -> "Position":
        """Returns the beginning of the epoch that follows."""
        return replace(self, epoch=self.epoch + 1, legs=())

    def judged(self, value: float, *, smaller_is_better: bool) -> "Position":
        """Returns the same place, once the epoch that ends here was evaluated; a metric that is not a number is no
        better.
        """
        best = self.best
        if best is None and math.isnan(value):
            return self
        if best is None or (value < best.value if smaller_is_better else value > best.value):
            return replace(self, best=Best(self.step, value))
        return replace(self, best=replace(best, epochs_since=best.epochs_since + 1))

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Position":
        """Returns the reverse of `dataclasses.asdict`."""
        legs, best = tuple(Leg(**leg) for leg in value.get("legs", ())), value.get("best")
        stopped = value.get("stopped", "")
        return cls(value["step"], value["epoch"], legs, Best(**best) if best else None, stopped)
