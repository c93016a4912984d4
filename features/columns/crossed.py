"""Combinations of values, hashed into ids."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, Union

from emberline.features.columns.bucketized import Bucketized
from emberline.features.columns.categorical import Identity
from emberline.features.columns.contract import NO_ID, PAD, StoredShape, Transform
from emberline.features.columns.vocabulary import Vocabulary
from emberline.features.errors import BadInputError
from emberline.features.schema import Schema
from emberline.features.statistics import Need, Statistics

if TYPE_CHECKING:
    import tensorflow as tf

    from emberline.features.columns.raw_tensors import RawTensors

Leaf: TypeAlias = str | Bucketized | Vocabulary | Identity
Key: TypeAlias = Union[Leaf, "Crossed"]

_HASH_KEY = 0xDECAFCAFFE  # the default of tf.feature_column.crossed_column


@dataclass(frozen=True)
class Crossed:
    """The combination of several values, hashed into ids. Of rows with several values, every combination.

    Args:
        keys: Raw field names; `Bucketized`, `Vocabulary` and `Identity` columns, whose ids are crossed; other
            crosses, which stand for their keys. A `HashBucket` is refused, as in TensorFlow: cross its raw field,
            which hashes once instead of twice.
        buckets: Number of ids.
        many: A raw field among the keys holds any number of values. Columns among the keys say so themselves.
        called: Name of the stored column; otherwise the keys' names, sorted, joined by `_X_`.

    Example:
        >>> from emberline.features.columns import Bucketized, Crossed, Numeric
        >>> from emberline.features.preview import preview
        >>> crossed = Crossed(("city", Bucketized(Numeric("age"), (30,))), 1000)
        >>> preview([crossed], {"city": ["Oslo", "Rome", "Oslo"], "age": [20, 20, 40]})
        {'age_bucketized_X_city': [946, 907, 960]}
    """

    keys: tuple[Key, ...]
    buckets: int
    many: bool = False
    called: str = ""

    def __post_init__(self) -> None:
        if len(self.keys) < 2:
            raise BadInputError(f"A cross needs two keys or more, got {self.keys!r}.")
        if self.buckets < 1:
            raise BadInputError(f"A cross needs at least one bucket, got {self.buckets}.")
        for key in self.keys:
            if not isinstance(key, str | Bucketized | Vocabulary | Identity | Crossed):
                raise BadInputError(
                    "A cross takes field names, Bucketized and Vocabulary columns, Identity columns and crosses, "
                    f"got {key!r}."
                )

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """The keys, those of inner crosses in place of them."""
        return tuple(leaf for key in self.keys for leaf in (key.leaves if isinstance(key, Crossed) else (key,)))

    @property
    def name(self) -> str:
        return self.called or "_X_".join(sorted(key if isinstance(key, str) else key.name for key in self.leaves))

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(field for key in self.leaves for field in ((key,) if isinstance(key, str) else key.fields))

    @property
    def needs(self) -> tuple[Need, ...]:
        return tuple(need for key in self.leaves if not isinstance(key, str) for need in key.needs)

    @property
    def stored_type(self) -> Literal["int64"]:
        return "int64"

    @property
    def stored_shape(self) -> StoredShape:
        many = self.many or any(key.stored_shape for key in self.keys if not isinstance(key, str))
        return (None,) if many else ()

    def check(self, schema: Schema) -> None:
        many = any(isinstance(key, Crossed) and key.many for key in self.keys)
        for key in self.leaves:
            if not isinstance(key, str):
                key.check(schema)
                continue
            field = schema.field(key)
            if field.kind == "float" or field.shape:
                raise BadInputError(f"Cross {self.name!r}: field {key!r} holds numbers. Bucketize it first.")
            many = many or field.several
        if many and not self.stored_shape:
            raise BadInputError(
                f"Cross {self.name!r}: a key holds any number of values; declare the cross with many=True."
            )

    def cardinality(self, statistics: Statistics) -> int:
        """Returns the number of ids."""
        return self.buckets

    def graph(self, statistics: Statistics) -> Transform:
        """Returns int64 `[batch]`, `NO_ID` when a key is missing; `[batch, most combinations]` when a key has many
        values.
        """
        import tensorflow as tf

        steps = [None if isinstance(key, str) else key.graph(statistics) for key in self.leaves]

        def transform(raw: "RawTensors") -> "tf.Tensor":
            values, absent = [], []
            for key, step in zip(self.leaves, steps, strict=True):
                value = raw.value(key) if isinstance(key, str) else step(raw)  # type: ignore[misc]
                if isinstance(key, Identity):
                    value = key.crossed(raw)
                values.append(value)
                # A bucketized number is never missing: it has its default. An unlisted word is crossed as id -1, as
                # in TensorFlow; only a missing one empties the cross.
                absent.append(
                    tf.zeros_like(value, tf.bool)
                    if isinstance(key, Bucketized)
                    else raw.missing(key if isinstance(key, str) else key.field)
                )
            if self.stored_shape:
                return self._combined(values, absent)
            crossed = self._crossed(dense_inputs=[value[:, tf.newaxis] for value in values]).output_values
            return tf.where(tf.reduce_any(tf.stack(absent), axis=0), tf.constant(NO_ID, tf.int64), crossed)

        transform.resources = [  # type: ignore[attr-defined]
            table for step in steps for table in getattr(step, "resources", [])
        ]
        return transform

    def _combined(self, values: list["tf.Tensor"], absent: list["tf.Tensor"]) -> "tf.Tensor":
        """Returns all combinations of the values that are there."""
        import tensorflow as tf

        indices, present, shapes = [], [], []
        for value, missing in zip(values, absent, strict=True):
            if value.shape.rank == 1:
                value, missing = value[:, tf.newaxis], missing[:, tf.newaxis]
            where = tf.where(~missing)
            indices.append(where)
            present.append(tf.gather_nd(value, where))
            shapes.append(tf.shape(value, tf.int64))
        crossed = self._crossed(indices=indices, values=present, shapes=shapes)
        found = tf.SparseTensor(crossed.output_indices, crossed.output_values, crossed.output_shape)
        return tf.sparse.to_dense(found, default_value=PAD)

    def _crossed(self, **inputs: list["tf.Tensor"]) -> "tf.SparseTensor":
        import tensorflow as tf

        values = [*inputs.get("values", []), *inputs.get("dense_inputs", [])]
        return tf.raw_ops.SparseCross(
            **{"indices": [], "values": [], "shapes": [], "dense_inputs": [], **inputs},
            hashed_output=True,
            num_buckets=self.buckets,
            hash_key=_HASH_KEY,
            out_type=tf.int64,
            # What TensorFlow's own crossed_column passes; another type hashes to other ids.
            internal_type=tf.string if all(value.dtype == tf.string for value in values) else tf.int64,
        )
