"""Checked raw rows to stored columns inside an executor: the same graph, whether they go into shards or to ranks."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from features.columns import Image, Transformed
from features.python_worker import keep_out_of_collections, keep_to_own_cores
from features.schema import Schema
from features.statistics import Statistics

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
        """Batches of stored columns, one for each of raw rows."""
        from features.batches import raw_tensors

        transform = self._graph()
        used = self.schema.subset({field for column in self.columns for field in column.fields})
        for batch in batches:
            inputs = transform(raw_tensors(batch, used))
            arrays = [_stored(inputs[column.name], column) for column in self.columns]
            arrays += [batch.column(name) for name in self.stored_schema.names[len(self.columns) :]]
            yield pa.RecordBatch.from_arrays(arrays, schema=self.stored_schema)

    def _graph(self) -> Callable[..., Any]:
        if self._name not in _traced:
            import tensorflow as tf

            from features.transform import TransformGraph

            keep_to_own_cores()
            graph = TransformGraph(self.schema, self.columns, self.statistics)
            _traced.clear()
            _traced[self._name] = tf.function(graph.__call__, input_signature=[graph.raw_spec])
            keep_out_of_collections()
        return _traced[self._name]


def _stored(tensor: "tf.Tensor", column: Transformed) -> pa.Array:
    from features.batches import stored_array
    from features.images.encoding import files

    if isinstance(column, Image) and column.stored_as != "pixels":
        return files(tensor, column.stored_as)
    return stored_array(tensor, column.stored_shape)
