"""Numbers cut into intervals."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from emberline.features.columns.contract import StoredShape, Transform
from emberline.features.columns.numeric import Numeric
from emberline.features.errors import BadInputError
from emberline.features.schema import Schema
from emberline.features.statistics import LearnedQuantiles, Need, Statistics

if TYPE_CHECKING:
    import tensorflow as tf

    from emberline.features.columns.raw_tensors import RawTensors


@dataclass(frozen=True)
class Bucketized:
    """A number cut into left-closed intervals: n boundaries make n + 1 ids.

    Args:
        source: The number to cut; its normaliser, if any, comes first. Of an array, element i has ids of its own,
            from i * (n + 1) on.
        boundaries: Rising cut points; a value equal to one belongs to the bucket on its right.
        quantiles: Instead of boundaries: learn them, so that this many buckets hold equally many rows.
            Repeated quantiles (a field that is mostly zero) are merged, which makes fewer buckets.

    Example:
        >>> from emberline.features.columns import Bucketized, Numeric
        >>> from emberline.features.preview import preview
        >>> preview([Bucketized(Numeric("age"), (30, 50))], {"age": [25, 30, 64]})
        {'age_bucketized': [0, 1, 2]}
    """

    source: Numeric
    boundaries: tuple[float, ...] = ()
    quantiles: int = 0

    def __post_init__(self) -> None:
        if bool(self.boundaries) == bool(self.quantiles):
            raise BadInputError(f"{self.name}: give either boundaries or a number of quantiles, not both or neither.")
        if list(self.boundaries) != sorted(set(self.boundaries)):
            raise BadInputError(f"{self.name}: boundaries must rise strictly, got {list(self.boundaries)}.")
        if self.source.many:
            raise BadInputError(f"{self.name}: a number field of any number of values is not cut; give it a shape.")
        if self.quantiles and self.source.normalizer != "none":
            raise BadInputError(f"{self.name}: learned quantiles are those of the raw numbers; drop the normalizer.")

    @property
    def name(self) -> str:
        return f"{self.source.name}_bucketized"

    @property
    def fields(self) -> tuple[str, ...]:
        return self.source.fields

    @property
    def needs(self) -> tuple[Need, ...]:
        learned = (LearnedQuantiles(self.source.field, self.quantiles),) if self.quantiles else ()
        return (*self.source.needs, *learned)

    @property
    def stored_type(self) -> Literal["int64"]:
        return "int64"

    @property
    def stored_shape(self) -> StoredShape:
        return self.source.stored_shape

    def check(self, schema: Schema) -> None:
        self.source.check(schema)

    def cut_points(self, statistics: Statistics) -> tuple[float, ...]:
        """Returns the boundaries, given or learned."""
        if self.boundaries:
            return self.boundaries
        known = statistics.of(self.source.field).quantiles
        if not known:
            raise BadInputError(f"{self.name}: no quantiles were learned for field {self.source.field!r}.")
        ranks = [round(index * (len(known) - 1) / self.quantiles) for index in range(1, self.quantiles)]
        return tuple(sorted({known[rank] for rank in ranks}))

    def cardinality(self, statistics: Statistics) -> int:
        """Returns the number of ids."""
        elements = self.source.stored_shape[0] if self.source.stored_shape else 1
        return (elements or 1) * (len(self.cut_points(statistics)) + 1)

    def graph(self, statistics: Statistics) -> Transform:
        """Returns int64 `[batch]` or `[batch, elements]`, 0 … cardinality - 1."""
        import tensorflow as tf

        number = self.source.graph(statistics)
        boundaries = [float(cut) for cut in self.cut_points(statistics)]

        def transform(raw: "RawTensors") -> "tf.Tensor":
            buckets = tf.cast(tf.raw_ops.Bucketize(input=number(raw), boundaries=boundaries), tf.int64)
            if self.source.shape:
                buckets += tf.range(buckets.shape[1], dtype=tf.int64) * (len(boundaries) + 1)
            return buckets

        return transform
