"""The one transform graph: raw fields to model inputs, the same in ETL, evaluation and the exported model."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf

from features.batches import PLACES, missing_mark
from features.columns import Transformed, check
from features.errors import BadInputError
from features.schema import MISSING_INTEGER, Field, Schema
from features.statistics import Statistics

_TEXTS = {"string": tf.string, "image": tf.string, "sound": tf.string}
TENSOR_TYPES = {"integer": tf.int64, "float": tf.float64, **_TEXTS}
_EXAMPLE_TYPES = {"integer": tf.int64, "float": tf.float32, **_TEXTS}


class Encoded(NamedTuple):
    """Texts of which each different one is held once.

    Args:
        words: The different texts, string `[words]`, or their tokens `[words, longest]`.
        places: Of each row, which of them it has, int32 `[batch]`.
    """

    words: tf.Tensor
    places: tf.Tensor


RawTensor: TypeAlias = tf.Tensor | Encoded


class RawTensors:
    """Raw fields as columns see them: defaults applied, one way to ask whether a value is missing.

    Args:
        schema: Declares the fields.
        tensors: One tensor per field, `[batch]`, `[batch, *shape]`, or `[batch, longest]` for fields of many values;
            missing values, and what fills up short rows, as the schema encodes them. Single texts may be encoded.
            A text that has tokens comes whole, and becomes a field of many values here.
    """

    def __init__(self, schema: Schema, tensors: Mapping[str, RawTensor]) -> None:
        self._fields = {field.name: field for field in schema.fields}
        self._tensors = {name: _split(self._fields[name], tensor) for name, tensor in tensors.items()}

    def value(self, name: str) -> tf.Tensor:
        """The field in its own type, the schema's default in place of missing values.

        A row without any of many values has the default as its one value.
        """
        return self._spread(name, lambda tensor: self._value(name, tensor))

    def each_text(self, name: str, look: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
        """What `look` makes of every text (see `text`), one by one; of each different one only once where it can.

        Args:
            name: A text or integer field.
            look: From texts to as many values, each from its own text alone.
        """
        return self._spread(name, lambda tensor: look(self._text(self._value(name, tensor), name)))

    def _spread(self, name: str, made: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
        """What is made of the tensor of a field, or of its words and then spread over the rows."""
        tensor = self._tensors[name]
        return tf.gather(made(tensor.words), tensor.places) if isinstance(tensor, Encoded) else made(tensor)

    def _value(self, name: str, tensor: tf.Tensor) -> tf.Tensor:
        field = self._fields[name]
        if field.default is None:
            return tensor
        replaced = self._missing(field, tensor)
        if field.several:
            none = tf.maximum(1 - tf.shape(tensor)[1], 0)
            tensor = tf.pad(tensor, [[0, 0], [0, none]], constant_values=missing_mark(field.kind))
            absent = tf.reduce_all(self._missing(field, tensor), axis=1, keepdims=True)
            replaced = absent & (tf.range(tf.shape(tensor)[1]) == 0)
        return tf.where(replaced, tf.constant(field.default, tensor.dtype), tensor)

    def number(self, name: str, default: float | tuple[float, ...]) -> tf.Tensor:
        """The field as float32, an array flat; what is still missing becomes `default`, one number or one each."""
        value = self.value(name)
        if value.dtype == tf.string:
            raise BadInputError(f"Field {name!r} holds text or bytes; a number is needed. Declare it integer or float.")
        missing = self._missing(self._fields[name], value)
        number = tf.cast(value, tf.float32)
        shape = self._fields[name].shape
        if shape:
            size = int(tf.TensorShape(shape).num_elements())
            number, missing = tf.reshape(number, [-1, size]), tf.reshape(missing, [-1, size])
        return tf.where(missing, tf.constant(default, tf.float32), number)

    def text(self, name: str) -> tf.Tensor:
        """The field as text, integers in decimal; missing is `""`."""
        return self.each_text(name, lambda text: text)

    @staticmethod
    def _text(value: tf.Tensor, name: str) -> tf.Tensor:
        if value.dtype == tf.string:
            return value
        if value.dtype != tf.int64:
            raise BadInputError(f"Field {name!r} holds floats; ids need text or integers. Bucketize it instead.")
        return tf.where(value == MISSING_INTEGER, "", tf.strings.as_string(value))

    def missing(self, name: str) -> tf.Tensor:
        """Where the field has neither a value nor a default: bool, the field's shape."""
        field = self._fields[name]
        return self._spread(name, lambda tensor: self._missing(field, self._value(name, tensor)))

    def beyond(self, name: str) -> tf.Tensor:
        """Where a row of many values has ended, after its last one that is not missing: bool `[batch, longest]`."""
        return tf.cumsum(tf.cast(~self.missing(name), tf.int32), axis=1, reverse=True) == 0

    @staticmethod
    def _missing(field: Field, tensor: tf.Tensor) -> tf.Tensor:
        return tf.math.is_nan(tensor) if field.kind == "float" else tensor == missing_mark(field.kind)


class TransformGraph(tf.Module):
    """Columns and statistics turned into one function from raw tensors to model inputs.

    Args:
        schema: The raw fields; only those the columns use become inputs.
        columns: Transformed columns, as `features.columns.stored` gives them.
        statistics: What Spark learned.

    Raises:
        BadInputError: if a column asks for a field the schema lacks or has in another form, or for statistics that
            were not learned.
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
        """Name, type and shape of every raw input: `[batch]`, `[batch, *shape]`, or `[batch, longest]`."""
        return {field.name: _spec(field) for field in self.schema.fields}

    @property
    def encoded_spec(self) -> dict[str, tf.TensorSpec]:
        """The same with single texts encoded: the words under the field's name, the places under `PLACES`; with arrays
        of float32, and images as pixels, which is what columns make of them."""
        spec = self.raw_spec
        for field in self.schema.fields:
            if field.kind == "float" and field.shape:
                spec[field.name] = tf.TensorSpec(spec[field.name].shape, tf.float32, field.name)
            if field.kind == "image" and field.shape:
                spec[field.name] = tf.TensorSpec([None, *field.shape], tf.uint8, field.name)
            if field.kind == "string" and not field.many:
                name = PLACES.format(field.name)
                spec[name] = tf.TensorSpec([None], tf.int32, name)
        return spec

    def from_encoded(self, tensors: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Model inputs from tensors of `encoded_spec`; the same as from the raw texts, at the cost of the words."""
        given: dict[str, RawTensor] = {}
        for field in self.schema.fields:
            places = tensors.get(PLACES.format(field.name))
            given[field.name] = tensors[field.name] if places is None else Encoded(tensors[field.name], places)
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
        """Raw inputs from serialized `tf.train.Example`s, one feature per field; absent ones are missing values.

        Args:
            examples: string `[batch]`.
        """
        parsed = tf.io.parse_example(examples, {field.name: _feature(field) for field in self.schema.fields})
        return {field.name: _raw(parsed[field.name], field, TENSOR_TYPES[field.kind]) for field in self.schema.fields}


def _split(field: Field, tensor: RawTensor) -> RawTensor:
    if field.tokens is None:
        return tensor
    if isinstance(tensor, Encoded):
        return Encoded(_split(field, tensor.words), tensor.places)
    return field.tokens.split(tensor).to_tensor(missing_mark(field.kind))


def _spec(field: Field) -> tf.TensorSpec:
    return tf.TensorSpec([None, *field.tensor_shape], TENSOR_TYPES[field.kind], field.name)


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
