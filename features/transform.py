"""The one transform graph: raw fields to model inputs, the same in ETL, evaluation and the exported model."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf

from features.columns import Transformed
from features.errors import BadInputError, nearest
from features.schema import MISSING_INTEGER, Field, Schema
from features.statistics import Statistics

TENSOR_TYPES = {"integer": tf.int64, "float": tf.float64, "string": tf.string}


class RawTensors:
    """Raw fields as columns see them: defaults applied, one way to ask whether a value is missing.

    Args:
        schema: Declares the fields.
        tensors: One `[batch]` tensor per field, missing values as the schema encodes them.
    """

    def __init__(self, schema: Schema, tensors: Mapping[str, tf.Tensor]) -> None:
        self._fields = {field.name: field for field in schema.fields}
        self._tensors = tensors

    def value(self, name: str) -> tf.Tensor:
        """The field in its own type, the schema's default in place of missing values."""
        field, tensor = self._fields[name], self._tensors[name]
        if field.default is None:
            return tensor
        return tf.where(self._missing(field, tensor), tf.constant(field.default, tensor.dtype), tensor)

    def number(self, name: str, default: float) -> tf.Tensor:
        """The field as float32; what is still missing becomes `default`."""
        value = self.value(name)
        if value.dtype == tf.string:
            raise BadInputError(f"Field {name!r} holds text; a number is needed. Declare it integer or float.")
        missing = self._missing(self._fields[name], value)
        return tf.where(missing, tf.constant(default, tf.float32), tf.cast(value, tf.float32))

    def text(self, name: str) -> tf.Tensor:
        """The field as text, integers in decimal; missing is `""`."""
        value = self.value(name)
        if value.dtype == tf.string:
            return value
        if value.dtype != tf.int64:
            raise BadInputError(f"Field {name!r} holds floats; ids need text or integers. Bucketize it instead.")
        return tf.where(value == MISSING_INTEGER, "", tf.strings.as_string(value))

    def missing(self, name: str) -> tf.Tensor:
        """Where the field has neither a value nor a default: bool `[batch]`."""
        return self._missing(self._fields[name], self.value(name))

    @staticmethod
    def _missing(field: Field, tensor: tf.Tensor) -> tf.Tensor:
        match field.kind:
            case "string":
                return tensor == ""
            case "integer":
                return tensor == MISSING_INTEGER
            case _:
                return tf.math.is_nan(tensor)


class TransformGraph(tf.Module):
    """Columns and statistics turned into one function from raw tensors to model inputs.

    Args:
        schema: The raw fields; only those the columns use become inputs.
        columns: Transformed columns, as `features.columns.stored` gives them.
        statistics: What Spark learned.

    Raises:
        BadInputError: if a column asks for a field the schema lacks, or for statistics that were not learned.
    """

    def __init__(self, schema: Schema, columns: tuple[Transformed, ...], statistics: Statistics) -> None:
        super().__init__(name="transform")
        self.schema = schema.subset({field for column in columns for field in column.fields})
        self._steps = [(column.name, column.graph(statistics)) for column in columns]
        # Tables must hang on a tracked attribute, or a SavedModel would be written without them.
        self.resources = [table for _, step in self._steps for table in getattr(step, "resources", [])]

    @property
    def raw_spec(self) -> dict[str, tf.TensorSpec]:
        """Name, type and `[batch]` shape of every raw input."""
        return {field.name: tf.TensorSpec([None], TENSOR_TYPES[field.kind], field.name) for field in self.schema.fields}

    def __call__(self, tensors: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Model inputs by column name, each `[batch]`: int64 ids or float32 numbers."""
        raw = RawTensors(self.schema, tensors)
        return {name: step(raw) for name, step in self._steps}


def raw_tensors(batch: pa.RecordBatch, schema: Schema) -> dict[str, tf.Tensor]:
    """The fields of an Arrow batch as the tensors a graph or an exported model takes.

    Args:
        batch: Checked rows; more columns than the schema's are fine.
        schema: The fields to take.

    Raises:
        BadInputError: if a field is not among the batch's columns.
    """
    return {field.name: _tensor(_column(batch, field.name), field) for field in schema.fields}


def _column(batch: pa.RecordBatch, name: str) -> pa.Array:
    if name not in batch.schema.names:
        raise BadInputError(f"The rows have no column {name!r}. {nearest(name, batch.schema.names)}")
    return batch.column(name)


def _tensor(array: pa.Array, field: Field) -> tf.Tensor:
    if field.kind == "integer":
        return tf.constant(_numpy(pc.fill_null(array.cast(pa.int64()), MISSING_INTEGER)))
    if field.kind == "float":
        return tf.constant(_numpy(pc.fill_null(array.cast(pa.float64()), float("nan"))))
    # Making a TensorFlow string costs far more than gathering one: convert each different text once.
    encoded = pc.fill_null(array, "").dictionary_encode()
    words = tf.constant(encoded.dictionary.to_numpy(zero_copy_only=False), tf.string, [len(encoded.dictionary)])
    return tf.gather(words, _numpy(encoded.indices))


def _numpy(array: pa.Array) -> Any:
    return array.to_numpy(zero_copy_only=False)
