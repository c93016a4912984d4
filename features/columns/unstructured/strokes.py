"""Drawings: the points of strokes to steps of a pen."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emberline.features.columns.contract import Transform, check_field
from emberline.features.columns.field_column import FieldColumn
from emberline.features.errors import BadInputError
from emberline.features.schema import Schema
from emberline.features.statistics import Statistics

if TYPE_CHECKING:
    import tensorflow as tf

    from emberline.features.columns.raw_tensors import RawTensors


@dataclass(frozen=True)
class Strokes(FieldColumn):
    """How a pen moved from point to point: each step across, down, and whether a stroke ends where it leads.

    A drawing fills the square from 0 to 1 before steps are taken, so that its size and place do not matter; the first
    point is where the first step begins.

    Args:
        across: Raw field of many numbers: the points' places across, in the order of drawing.
        down: The same, downwards.
        ends: Raw field of many integers: 1 at the last point of a stroke, else 0.
        called: Name of the stored column.

    Example:
        >>> from emberline.features.columns import Strokes
        >>> from emberline.features.preview import preview
        >>> rows = {"x": [[0.0, 10.0, 10.0]], "y": [[0.0, 0.0, 5.0]], "ends": [[0, 0, 1]]}
        >>> preview([Strokes("x", "y", "ends")], rows)
        {'strokes': [[1.0, 0.0, 0.0, 0.0, 1.0, 1.0]]}
    """

    across: str
    down: str
    ends: str
    called: str = "strokes"

    def __post_init__(self) -> None:
        if len({self.across, self.down, self.ends}) < 3:
            raise BadInputError(f"Strokes {self.name!r}: expected three different fields, got {self.fields}.")

    @property
    def name(self) -> str:
        return self.called

    @property
    def fields(self) -> tuple[str, ...]:
        return (self.across, self.down, self.ends)

    @property
    def stored_shape(self) -> tuple[None]:
        """Flat, three numbers for each step."""
        return (None,)

    def check(self, schema: Schema) -> None:
        for name in (self.across, self.down):
            check_field(f"Strokes {self.name!r}", schema, name, ("float",), many=True)
        check_field(f"Strokes {self.name!r}", schema, self.ends, ("integer",), many=True)

    def graph(self, statistics: Statistics) -> Transform:
        """Returns a function to float32 `[batch, 3 * (points - 1)]`, NaN behind the last step of a drawing."""
        import tensorflow as tf

        def transform(raw: "RawTensors") -> "tf.Tensor":
            across, down, ends = raw.value(self.across), raw.value(self.down), raw.value(self.ends)
            # A batch of drawings without a point has no column to take the least of.
            points = tf.pad(tf.stack([across, down], axis=2), [[0, 0], [0, 1], [0, 0]], constant_values=float("nan"))
            mask = ~tf.math.is_nan(points)
            least = tf.reduce_min(tf.where(mask, points, tf.float64.max), axis=1, keepdims=True)
            most = tf.reduce_max(tf.where(mask, points, tf.float64.min), axis=1, keepdims=True)
            size = tf.where(most > least, most - least, 1.0)
            steps = tf.cast((points[:, 1:] - points[:, :-1]) / size, tf.float32)
            lifted = tf.cast(tf.pad(ends, [[0, 0], [0, 1]])[:, 1:], tf.float32)
            lifted = tf.where(tf.math.is_nan(steps[..., 0]), float("nan"), lifted)
            both = tf.concat([steps, lifted[..., tf.newaxis]], axis=2)
            return tf.reshape(both, [tf.shape(both)[0], 3 * tf.shape(both)[1]])

        return transform
