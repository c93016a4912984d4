"""Ids whose weights come from another field."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emberline.features.columns.contract import Categorical, StoredShape, Transform, Transformed, check_field
from emberline.features.columns.field_column import FieldColumn
from emberline.features.errors import BadInputError
from emberline.features.schema import Schema
from emberline.features.statistics import Statistics

if TYPE_CHECKING:
    import tensorflow as tf

    from emberline.features.columns.raw_tensors import RawTensors


@dataclass(frozen=True)
class Weights(FieldColumn):
    """The weights of the ids of `source`, value for value; a missing weight is 1. `Weighted` declares it.

    Example:
        >>> from emberline.features.columns import Vocabulary, Weights
        >>> Weights(Vocabulary("tags", ("old", "new"), many=True), "shares").name
        'tags_weighted_by_shares'
    """

    source: Categorical
    field: str

    @property
    def name(self) -> str:
        return f"{self.source.name}_weighted_by_{self.field}"

    @property
    def fields(self) -> tuple[str, ...]:
        return (*self.source.fields, self.field)

    @property
    def stored_shape(self) -> StoredShape:
        return self.source.stored_shape

    def check(self, schema: Schema) -> None:
        many = bool(self.stored_shape)
        check_field(f"Weights {self.name!r}", schema, self.field, ("integer", "float"), many=many)

    def graph(self, statistics: Statistics) -> Transform:
        """Returns a function to float32 in the shape of the ids: NaN behind the end of a row of ids."""
        import tensorflow as tf

        def transform(raw: "RawTensors") -> "tf.Tensor":
            weights = raw.number(self.field, 1.0)
            if not self.stored_shape:
                return weights
            padding_mask = raw.padding_mask(self.source.fields[0])
            # The longest row of weights may be shorter than that of ids, or longer.
            width = tf.shape(padding_mask)[1]
            short = tf.maximum(width - tf.shape(weights)[1], 0)
            weights = tf.pad(weights, [[0, 0], [0, short]], constant_values=1.0)[:, :width]
            return tf.where(padding_mask, float("nan"), weights)

        return transform


@dataclass(frozen=True)
class Weighted:
    """Ids that count as much as a number beside them says: in `Indicator`, `Embedding` and linear models.

    Args:
        source: The ids, of one field.
        weights: Raw number field with one weight per value of the source's field.

    Example:
        >>> from emberline.features.columns import Vocabulary, Weighted
        >>> from emberline.features.preview import preview
        >>> column = Weighted(Vocabulary("tags", ("old", "new"), many=True), "shares")
        >>> preview([column], {"tags": [["old", "new"]], "shares": [[0.5, 2.0]]})
        {'tags': [[0, 1]], 'tags_weighted_by_shares': [[0.5, 2.0]]}
    """

    source: Categorical
    weights: str

    def __post_init__(self) -> None:
        if len(self.source.fields) != 1 or self.source.stored_shape not in ((), (None,)):
            raise BadInputError(f"Weights belong to the values of one field, got {self.source!r}.")

    @property
    def name(self) -> str:
        return self.stored_weights.name

    @property
    def fields(self) -> tuple[str, ...]:
        return self.stored_weights.fields

    @property
    def stored_weights(self) -> Weights:
        """The column that stores the weights."""
        return Weights(self.source, self.weights)

    @property
    def sources(self) -> tuple[Transformed, ...]:
        return (self.source, self.stored_weights)
