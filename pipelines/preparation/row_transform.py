"""Checked raw rows to stored columns inside an executor: the same graph, whether they go into shards or to ranks."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
import pyarrow as pa

from emberline.features.columns import Image, Transformed, check
from emberline.features.images.reading import bare_pixels
from emberline.features.light_tensorflow import import_tensorflow
from emberline.features.python_worker import keep_out_of_collections, keep_to_own_cores
from emberline.features.schema import Schema
from emberline.features.statistics import Statistics

if TYPE_CHECKING:
    import tensorflow as tf

_traced: dict[str, Callable[..., Any]] = {}
"""The graph of the transform used last: Spark's Python workers live on, and tracing takes longer than a small task."""


@dataclass(frozen=True)
class RowTransform:
    """The transform graph over Arrow batches.

    Args:
        schema: The raw fields.
        columns: What is stored of them.
        statistics: What Spark learned.
        stored_schema: Types of the stored columns; raw columns that pass through come last.
    """

    schema: Schema
    columns: tuple[Transformed, ...]
    statistics: Statistics
    stored_schema: pa.Schema
    _name: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yields batches of stored columns, one for each of raw rows.

        Raises:
            BadInputError: if the columns do not fit the fields.
        """
        check(self.columns, self.schema)
        graph = self._graph() if self._computed else None
        for batch in batches:
            inputs = graph(batch) if graph else {}
            arrays = [_stored(self._values(column, batch, inputs), column) for column in self.columns]
            arrays += [batch.column(name) for name in self.stored_schema.names[len(self.columns) :]]
            yield pa.RecordBatch.from_arrays(arrays, schema=self.stored_schema)

    @property
    def _computed(self) -> tuple[Transformed, ...]:
        """The columns that need the graph."""
        return tuple(column for column in self.columns if not self._is_read(column))

    def _is_read(self, column: Transformed) -> TypeGuard[Image]:
        """Returns whether it is an image that was brought to its size when it was checked: hundreds of kilobytes a row,
        which a graph could only copy.
        """
        return isinstance(column, Image) and bool(self.schema.field(column.field).shape)

    def _values(self, column: Transformed, batch: pa.RecordBatch, inputs: "Mapping[str, tf.Tensor]") -> Any:
        if self._is_read(column):
            return bare_pixels(batch.column(column.field), self.schema.field(column.field))
        return inputs[column.name]

    def _graph(self) -> Callable[[pa.RecordBatch], "Mapping[str, tf.Tensor]"]:
        import_tensorflow()
        from emberline.features.tensors import raw_tensors

        columns = self._computed
        if self._name not in _traced:
            import tensorflow as tf

            from emberline.features.transform import TransformGraph

            keep_to_own_cores()
            graph = TransformGraph(self.schema, columns, self.statistics)
            _traced.clear()
            _traced[self._name] = tf.function(graph.__call__, input_signature=[graph.raw_spec])
            keep_out_of_collections()
        transform = _traced[self._name]
        used = self.schema.subset({field for column in columns for field in column.fields})
        return lambda batch: transform(raw_tensors(batch, used))


def _stored(values: Any, column: Transformed) -> pa.Array:
    if isinstance(column, Image):
        if column.stored_as == "pixels":  # without TensorFlow: a task of images alone need not load it
            return pa.FixedSizeListArray.from_arrays(
                pa.array(np.asarray(values).reshape(-1)), prod(column.stored_shape)
            )
        from emberline.features.images.encoding import files

        return files(values, column.stored_as)
    from emberline.features.tensors import stored_array

    return stored_array(values, column.stored_shape)
