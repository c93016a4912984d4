"""Numbers: as they are, or normalised with learned or given parameters."""

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Literal

from emberline.features.columns.contract import StoredShape, Transform, check_field
from emberline.features.columns.field_column import FieldColumn
from emberline.features.errors import BadInputError
from emberline.features.schema import Schema
from emberline.features.statistics import FieldStatistics, LearnedQuantiles, Need, Statistics

if TYPE_CHECKING:
    import tensorflow as tf

    from emberline.features.columns.raw_tensors import RawTensors

Normalizer = Literal["none", "zscore", "minmax", "log1p", "clip"]

CLIP_RANKS = 100
"""Learned clipping keeps what lies between the first and the last of so many equal shares of the ranks."""


@dataclass(frozen=True)
class Numeric(FieldColumn):
    """A number, or an array of them, as it is or normalised.

    Args:
        field: Raw number field.
        normalizer: `none`; `zscore` (x - mean) / deviation; `minmax` (x - low) / (high - low), not cut off outside;
            `log1p` the z-score of log(1 + x), for counts and amounts with long tails (negative x counts as 0);
            `clip` x cut off below low and above high.
        default: Value of a missing number, before normalising; one per element for a shape; `None` takes the learned
            mean.
        shape: Of the array in one row, as the field declares it; stored flat, row-major.
        many: The field holds any number of values: a sequence of numbers, stored as it is.
        parameters: Instead of learned ones, (mean, deviation) of `zscore` and `log1p` or (low, high) of the others.
            An array shares one pair.
        called: Name of the stored column, where several columns read one field; otherwise the field's name.

    Example:
        >>> from emberline.features.columns import Numeric
        >>> from emberline.features.preview import preview
        >>> preview([Numeric("age", normalizer="zscore")], {"age": [30, 50, None]})
        {'age': [-1.0, 1.0, 0.0]}
        >>> preview([Numeric("gain", normalizer="clip", parameters=(0, 9))], {"gain": [-5.0, 3.0, 100.0]})
        {'gain': [0.0, 3.0, 9.0]}
    """

    field: str
    normalizer: Normalizer = "none"
    default: float | tuple[float, ...] | None = None
    shape: tuple[int, ...] = ()
    many: bool = False
    parameters: tuple[float, float] | None = None
    called: str = ""

    def __post_init__(self) -> None:
        if self.shape and (self.many or min(self.shape) < 1):
            raise BadInputError(f"Numeric {self.field!r}: give sizes of at least 1 as shape, or many, not both.")
        if isinstance(self.default, tuple) and len(self.default) != prod(self.shape):
            raise BadInputError(
                f"Numeric {self.field!r}: {len(self.default)} defaults do not fit the shape {self.shape}; give one "
                f"number, or {prod(self.shape)}."
            )
        if self.parameters and self.normalizer == "none":
            raise BadInputError(f"Numeric {self.field!r}: parameters {self.parameters} need a normalizer.")
        if self.parameters and self.normalizer in ("minmax", "clip") and self.parameters[0] >= self.parameters[1]:
            raise BadInputError(f"Numeric {self.field!r}: expected low < high, got {self.parameters}.")

    @property
    def needs(self) -> tuple[Need, ...]:
        learned = self.normalizer == "clip" and not self.parameters
        return (LearnedQuantiles(self.field, CLIP_RANKS),) if learned else ()

    @property
    def stored_shape(self) -> StoredShape:
        return (None,) if self.many else (prod(self.shape),) if self.shape else ()

    def check(self, schema: Schema) -> None:
        check_field(
            f"Numeric {self.name!r}", schema, self.field, ("integer", "float"), many=self.many, shape=self.shape
        )

    def graph(self, statistics: Statistics) -> Transform:
        """Returns a function to float32 `[batch]`, `[batch, elements]`, or `[batch, longest]` with NaN as padding."""
        import tensorflow as tf

        needless = self.default is not None and (self.parameters or self.normalizer == "none")
        facts = FieldStatistics(0, 0) if needless else statistics.of(self.field)
        default = self.default if self.default is not None else (facts.mean or 0.0)
        low, high = self.parameters or _learned(self.normalizer, facts)

        def transform(raw: "RawTensors") -> "tf.Tensor":
            value = raw.number(self.field, default)
            match self.normalizer:
                case "clip":
                    value = tf.clip_by_value(value, low, high)
                case "log1p":
                    value = (tf.math.log1p(tf.maximum(value, 0.0)) - low) / high
                case "zscore":
                    value = (value - low) / high
                case "minmax":
                    value = (value - low) / ((high - low) or 1.0)
            return tf.where(raw.padding_mask(self.field), float("nan"), value) if self.many else value

        return transform


def _learned(normalizer: Normalizer, facts: FieldStatistics) -> tuple[float, float]:
    """(shift, scale) or (low, high); a constant field has no spread: it becomes 0 everywhere."""
    match normalizer:
        case "zscore":
            return facts.mean or 0.0, facts.deviation or 1.0
        case "log1p":
            return facts.log_mean or 0.0, facts.log_deviation or 1.0
        case "clip" if facts.quantiles:
            edge = round((len(facts.quantiles) - 1) / CLIP_RANKS)
            return facts.quantiles[edge], facts.quantiles[-1 - edge]
        case "clip":  # no row had a value
            return float("-inf"), float("inf")
        case _:
            return facts.minimum or 0.0, facts.maximum or 0.0
