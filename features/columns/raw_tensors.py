"""Raw fields as tensors, as columns read them: defaults applied, texts possibly encoded."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

import tensorflow as tf

from emberline.features.errors import BadInputError
from emberline.features.schema import MISSING_INTEGER, Field, Schema, missing_mark


class Encoded(NamedTuple):
    """Texts of which each different one is held once.

    Args:
        words: The different texts, string `[words]`, or their tokens `[words, longest]`.
        codes: Of each row, which of them it has, int32 `[batch]`.
    """

    words: tf.Tensor
    codes: tf.Tensor


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
        """Returns the field in its own type, the schema's default in place of missing values.

        A row without any of many values has the default as its one value.
        """
        return self._spread(name, lambda tensor: self._value(name, tensor))

    def each_text(self, name: str, look: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
        """Returns what `look` makes of every text (see `text`), one by one; of each different one only once where it
        can.

        Args:
            name: A text or integer field.
            look: From texts to as many values, each from its own text alone.
        """
        return self._spread(name, lambda tensor: look(self._text(self._value(name, tensor), name)))

    def _spread(self, name: str, made: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
        """Returns what is made of the tensor of a field, or of its words and then spread over the rows."""
        tensor = self._tensors[name]
        return tf.gather(made(tensor.words), tensor.codes) if isinstance(tensor, Encoded) else made(tensor)

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
        """Returns the field as float32, an array flat; missing values become `default`, one number or one each."""
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
        """Returns the field as text, integers in decimal; missing is `""`."""
        return self.each_text(name, lambda text: text)

    @staticmethod
    def _text(value: tf.Tensor, name: str) -> tf.Tensor:
        if value.dtype == tf.string:
            return value
        if value.dtype != tf.int64:
            raise BadInputError(f"Field {name!r} holds floats; ids need text or integers. Bucketize it instead.")
        return tf.where(value == MISSING_INTEGER, "", tf.strings.as_string(value))

    def missing(self, name: str) -> tf.Tensor:
        """Returns where the field has neither a value nor a default: bool, the field's shape."""
        field = self._fields[name]
        return self._spread(name, lambda tensor: self._missing(field, self._value(name, tensor)))

    def padding_mask(self, name: str) -> tf.Tensor:
        """Returns the padding of rows of many values, after their last value: bool `[batch, longest]`."""
        return tf.cumsum(tf.cast(~self.missing(name), tf.int32), axis=1, reverse=True) == 0

    @staticmethod
    def _missing(field: Field, tensor: tf.Tensor) -> tf.Tensor:
        return tf.math.is_nan(tensor) if field.kind == "float" else tensor == missing_mark(field.kind)


def _split(field: Field, tensor: RawTensor) -> RawTensor:
    if field.tokens is None:
        return tensor
    if isinstance(tensor, Encoded):
        return Encoded(_split(field, tensor.words), tensor.codes)
    return field.tokens.split(tensor).to_tensor(missing_mark(field.kind))
