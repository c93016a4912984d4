"""The one transform graph: raw fields to model inputs, the same in ETL, evaluation and the exported model."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from emberline.features.columns import Transformed, check
from emberline.features.columns.raw_tensors import Encoded, RawTensor, RawTensors
from emberline.features.names import safe_names
from emberline.features.schema import Field, Schema, missing_mark
from emberline.features.statistics import Statistics
from emberline.features.tensors import CODES

_TEXTS = {"string": tf.string, "image": tf.string, "sound": tf.string}
TENSOR_TYPES = {"integer": tf.int64, "float": tf.float64, **_TEXTS}
_EXAMPLE_TYPES = {"integer": tf.int64, "float": tf.float32, **_TEXTS}


class TransformGraph(tf.Module):
    """Columns and statistics turned into one function from raw tensors to model inputs.

    Args:
        schema: The raw fields; only those the columns use become inputs.
        columns: Transformed columns, as `emberline.features.columns.stored` gives them.
        statistics: What Spark learned.

    Raises:
        BadInputError: if a column asks for a field the schema lacks or has in another form, or for statistics that
            were not learned.

    Example:
        >>> import tensorflow as tf
        >>> from emberline.features.columns import Bucketized, Numeric
        >>> from emberline.features.schema import Field, Label, Schema
        >>> from emberline.features.statistics import Statistics
        >>> schema = Schema((Field("age", "integer"),), Label("sold", (("no",), ("yes",))), key="id")
        >>> columns = (Bucketized(Numeric("age", default=0.0), (30, 50)),)
        >>> graph = TransformGraph(schema, columns, Statistics(rows=0))
        >>> graph({"age": tf.constant([25, 30, 64], tf.int64)})["age_bucketized"].numpy().tolist()
        [0, 1, 2]
    """

    def __init__(self, schema: Schema, columns: tuple[Transformed, ...], statistics: Statistics) -> None:
        super().__init__(name="transform")
        self.schema = schema.subset({field for column in columns for field in column.fields})
        check(columns, self.schema)
        self._steps = [(column.name, column.graph(statistics)) for column in columns]
        # Tables must hang on a tracked attribute, or a SavedModel would be written without them.
        self.resources = [table for _, step in self._steps for table in getattr(step, "resources", [])]

    @property
    def raw_spec(self) -> dict[str, tf.TensorSpec]:
        """Type and shape of every raw input, by field: `[batch]`, `[batch, *shape]`, or `[batch, longest]`."""
        return _named({field.name: _spec(field) for field in self.schema.fields})

    @property
    def encoded_spec(self) -> dict[str, tf.TensorSpec]:
        """The same with single texts encoded: the words under the field's name, the codes under `CODES`; with arrays
        of float32, and images as pixels, which is what columns make of them."""
        spec = self.raw_spec
        for field in self.schema.fields:
            if field.kind == "float" and field.shape:
                spec[field.name] = tf.TensorSpec(spec[field.name].shape, tf.float32)
            if field.kind == "image" and field.shape:
                spec[field.name] = tf.TensorSpec([None, *field.shape], tf.uint8)
            if field.kind == "string" and not field.many:
                spec[CODES.format(field.name)] = tf.TensorSpec([None], tf.int32)
        return _named(spec)

    def from_encoded(self, tensors: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns model inputs from tensors of `encoded_spec`; the same as from raw texts, at the cost of the words."""
        given: dict[str, RawTensor] = {}
        for field in self.schema.fields:
            codes = tensors.get(CODES.format(field.name))
            given[field.name] = tensors[field.name] if codes is None else Encoded(tensors[field.name], codes)
        return self(given)

    @tf.autograph.experimental.do_not_convert
    def __call__(self, tensors: Mapping[str, RawTensor]) -> dict[str, tf.Tensor]:
        """Model inputs by column name: int64 ids or float32 numbers, `[batch]`, `[batch, n]` for arrays, and
        `[batch, longest]` for many values, with `PAD` or NaN behind the end of a row; uint8 `[batch, height, width,
        channels]` for images.
        """
        raw = RawTensors(self.schema, tensors)
        return {name: step(raw) for name, step in self._steps}

    def parse(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Parses serialized `tf.train.Example`s to raw inputs, one feature per field; absent ones are missing values.

        Args:
            examples: string `[batch]`.
        """
        parsed = tf.io.parse_example(examples, {field.name: _feature(field) for field in self.schema.fields})
        return {field.name: _raw(parsed[field.name], field, TENSOR_TYPES[field.kind]) for field in self.schema.fields}


def _spec(field: Field) -> tf.TensorSpec:
    return tf.TensorSpec([None, *field.tensor_shape], TENSOR_TYPES[field.kind])


def _named(spec: Mapping[str, tf.TensorSpec]) -> dict[str, tf.TensorSpec]:
    """The same, each with the name that it has in a graph."""
    names = safe_names(spec)
    return {name: tf.TensorSpec(item.shape, item.dtype, names[name]) for name, item in spec.items()}


def _feature(field: Field) -> tf.io.FixedLenFeature | tf.io.RaggedFeature:
    kind = _EXAMPLE_TYPES[field.kind]
    if field.many:
        return tf.io.RaggedFeature(kind, row_splits_dtype=tf.int64)
    mark = missing_mark(field.kind)
    return tf.io.FixedLenFeature(field.tensor_shape, kind, np.full(field.shape, mark) if field.array else mark)


def _raw(parsed: tf.Tensor | tf.RaggedTensor, field: Field, kind: tf.DType) -> tf.Tensor:
    if isinstance(parsed, tf.RaggedTensor):
        parsed = parsed.to_tensor(missing_mark(field.kind))
    return parsed if kind == tf.string else tf.cast(parsed, kind)
