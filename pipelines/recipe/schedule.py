"""How a learning rate changes over a training, as a recipe declares it."""

from dataclasses import dataclass
from typing import Literal

from emberline.features.errors import BadInputError


@dataclass(frozen=True)
class Schedule:
    """The factor by which a learning rate is multiplied at a step.

    With s the steps done since the warm-up and S `steps`:

    | kind | factor |
    |---|---|
    | `constant` | 1 |
    | `exponential` | factor ^ (s / S) |
    | `staircase` | factor ^ floor(s / S) |
    | `piecewise` | factors[number of boundaries that are smaller than s] |
    | `cosine` | end + (1 - end) (1 + cos(pi min(s / S, 1))) / 2 |
    | `polynomial` | end + (1 - end) (1 - min(s / S, 1)) ^ power |
    | `epochs` | factor ^ max(0, epochs begun - held) |

    The formulas are those of `keras.optimizers.schedules`. In a warm-up the factor rises from 0 in equal parts, so that
    the step that follows the warm-up is the first of the schedule itself.

    Args:
        kind: The curve.
        steps: Its length; 0 for all steps behind the warm-up.
        warmup_steps: Steps of the warm-up in front of it.
        factor: Of `exponential` and `staircase`, per `steps`; of `epochs`, per epoch.
        held: Epochs of `epochs` before the rate falls.
        end: Share of the learning rate at the end of `cosine` and `polynomial`.
        power: Of `polynomial`.
        boundaries: Last steps of the parts of `piecewise`, the last part aside.
        factors: Of the parts of `piecewise`, one more than boundaries.

    Example:
        >>> from emberline.pipelines.recipe import Schedule
        >>> Schedule("cosine", warmup_steps=100, end=0.1).changes
        True
        >>> from emberline.pipelines.training.step.learning_rate import factor
        >>> halved = Schedule("epochs", factor=0.5, held=2)
        >>> [float(factor(halved, step, total_steps=4, epochs=4)) for step in range(4)]
        [1.0, 1.0, 0.5, 0.25]
    """

    kind: Literal["constant", "exponential", "staircase", "piecewise", "cosine", "polynomial", "epochs"] = "constant"
    steps: int = 0
    warmup_steps: int = 0
    factor: float = 0.99
    held: int = 1
    end: float = 0.0
    power: float = 1.0
    boundaries: tuple[int, ...] = ()
    factors: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.kind == "epochs" and (self.steps or self.warmup_steps or self.held < 0):
            raise BadInputError(
                f"Schedule epochs counts epochs alone, the first `held` at the full rate; got steps={self.steps}, "
                f"warmup_steps={self.warmup_steps}, held={self.held}."
            )
        if self.steps < 0 or self.warmup_steps < 0:
            raise BadInputError(
                f"Schedule {self.kind}: steps={self.steps}, warmup_steps={self.warmup_steps}; expected 0 or more."
            )
        if self.kind == "piecewise" and len(self.factors) != len(self.boundaries) + 1:
            raise BadInputError(
                f"Schedule piecewise has {len(self.boundaries)} boundaries and {len(self.factors)} factors: expected "
                "one factor more than boundaries."
            )
        if list(self.boundaries) != sorted(set(self.boundaries)):
            raise BadInputError(f"Schedule piecewise: the boundaries {self.boundaries} do not rise.")

    @property
    def changes(self) -> bool:
        """Whether any step has another factor than 1."""
        return self.kind != "constant" or self.warmup_steps > 0
