"""Ids without a vocabulary: a number that is its own id, and hashing."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from emberline.features.columns.contract import NO_ID, PAD, StoredShape, Transform, check_field
from emberline.features.columns.field_column import FieldColumn
from emberline.features.errors import BadInputError
from emberline.features.schema import Schema
from emberline.features.statistics import Statistics

if TYPE_CHECKING:
    import tensorflow as tf

    from emberline.features.columns.raw_tensors import RawTensors


class FieldIds(FieldColumn):
    """What columns of ids that read one field have in common."""

    many: bool

    @property
    def stored_type(self) -> Literal["int64"]:
        return "int64"

    @property
    def stored_shape(self) -> StoredShape:
        return (None,) if self.many else ()


@dataclass(frozen=True)
class Identity(FieldIds):
    """An integer that is its own id.

    Args:
        field: Raw integer field; -1 is a missing value.
        buckets: Number of ids, 0 … buckets - 1.
        default: Id of a value outside; `None` gives it none.
        many: The field holds any number of values.
        called: Name of the stored column, where several columns read one field.

    Example:
        >>> from emberline.features.columns import Identity
        >>> from emberline.features.preview import preview
        >>> preview([Identity("month", 12, default=0)], {"month": [3, 11, 12, None]})
        {'month': [3, 11, 0, -1]}
    """

    field: str
    buckets: int
    default: int | None = None
    many: bool = False
    called: str = ""

    def __post_init__(self) -> None:
        if self.buckets < 1 or (self.default is not None and not 0 <= self.default < self.buckets):
            raise BadInputError(
                f"Identity {self.field!r}: expected at least one bucket and a default among them, got "
                f"buckets={self.buckets}, default={self.default}."
            )

    def check(self, schema: Schema) -> None:
        check_field(f"Identity {self.name!r}", schema, self.field, ("integer",), many=self.many)

    def cardinality(self, statistics: Statistics) -> int:
        """Returns the number of ids."""
        return self.buckets

    def graph(self, statistics: Statistics) -> Transform:
        """Returns a function to int64 `[batch]` or `[batch, longest]`.

        `NO_ID` stands for missing values, and for those outside without default.
        """
        import tensorflow as tf

        def transform(raw: "RawTensors") -> "tf.Tensor":
            value = self.crossed(raw)
            ids = tf.where(value >= self.buckets, tf.constant(NO_ID, tf.int64), tf.maximum(value, NO_ID))
            return padded(raw, self.field, ids) if self.many else ids

        return transform

    def crossed(self, raw: "RawTensors") -> "tf.Tensor":
        """Returns what a cross takes: the number as it is, even outside, as in TensorFlow."""
        import tensorflow as tf

        value = raw.value(self.field)
        if self.default is None:
            return value
        outside = ((value < 0) | (value >= self.buckets)) & ~raw.missing(self.field)
        return tf.where(outside, tf.constant(self.default, tf.int64), value)


@dataclass(frozen=True)
class HashBucket(FieldIds):
    """A text, or an integer by its decimal text, with an id by hash (FarmHash64 modulo `buckets`).

    Args:
        field: Raw string or integer field.
        buckets: Number of ids; different values may share one.
        many: The field holds any number of values.
        called: Name of the stored column, where several columns read one field.

    Example:
        >>> from emberline.features.columns import HashBucket
        >>> from emberline.features.preview import preview
        >>> preview([HashBucket("city", 100)], {"city": ["Oslo", "Rome", "Oslo", None]})
        {'city': [78, 49, 78, -1]}
    """

    field: str
    buckets: int
    many: bool = False
    called: str = ""

    def __post_init__(self) -> None:
        if self.buckets < 1:
            raise BadInputError(f"HashBucket {self.field!r}: expected at least one bucket, got {self.buckets}.")

    def check(self, schema: Schema) -> None:
        check_field(f"HashBucket {self.name!r}", schema, self.field, ("string", "integer"), many=self.many)

    def cardinality(self, statistics: Statistics) -> int:
        """Returns the number of ids."""
        return self.buckets

    def graph(self, statistics: Statistics) -> Transform:
        """Returns a function to int64 `[batch]` or `[batch, longest]`; `NO_ID` for a missing value."""
        import tensorflow as tf

        def hashed(text: "tf.Tensor") -> "tf.Tensor":
            no_id = tf.constant(NO_ID, tf.int64)
            return tf.where(text == "", no_id, tf.strings.to_hash_bucket_fast(text, self.buckets))

        def transform(raw: "RawTensors") -> "tf.Tensor":
            ids = raw.each_text(self.field, hashed)
            return padded(raw, self.field, ids) if self.many else ids

        return transform


def padded(raw: "RawTensors", field: str, ids: "tf.Tensor") -> "tf.Tensor":
    """Returns the ids with `PAD` behind the end of each row."""
    import tensorflow as tf

    return tf.where(raw.padding_mask(field), tf.constant(PAD, tf.int64), ids)
