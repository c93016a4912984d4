"""The exported model on the shards of a split, in executors."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from emberline.features.tfrecord.layouts import read_shard
from emberline.features.tfrecord.manifest import ShardSet
from emberline.pipelines.saved_model.executors import arrow_arrays, load, task_threads
from emberline.pipelines.tasks.task import PredictionColumn


@dataclass(frozen=True)
class ShardScorer:
    """Runs in an executor: shard numbers in, scored rows out.

    Args:
        folder: URI of the split.
        shards: Its shards.
        key: Column that tells rows apart.
        labels: Columns of truths.
        columns: Of a prediction.
        archive: The model, as `emberline.pipelines.saved_model.executors.ship` gave it.
    """

    folder: str
    shards: ShardSet
    key: str
    labels: tuple[str, ...]
    columns: tuple[PredictionColumn, ...]
    archive: str

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        _, spec, score = load(self.archive, ("serve_transformed",), task_threads())
        shapes = {name: tuple(item.shape[1:]) for name, item in spec.items()}
        from emberline.features.tensors import stored_tensor

        for batch in batches:
            for index in batch.column(0).to_pylist():
                for rows in read_shard(self.folder, self.shards, self.shards.shards[index]):
                    table = {name: stored_tensor(rows.column(name), shape) for name, shape in shapes.items()}
                    known = [rows.column(self.key).cast(pa.string()), *(rows.column(name) for name in self.labels)]
                    yield pa.RecordBatch.from_arrays(
                        [*known, *arrow_arrays(score(table), self.columns)],
                        names=[self.key, *self.labels, *(column.name for column in self.columns)],
                    )
