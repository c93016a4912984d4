"""Where a worker's batches come from: the seam behind which shards, or rows fed by Spark, are the same to the loop."""

from collections.abc import Sequence
from typing import Protocol

import tensorflow as tf

from features import storage
from features.batches import padded
from features.dataset_version import DatasetVersion
from features.tfrecord.input import read_epoch
from pipelines.training.position import Position

EVALUATION_BATCH = 4096


class Batches(Protocol):
    """One worker's batches: `({input name: [batch, …]}, label [batch])`."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches of one epoch, the same number on every worker; an estimate where only the source's end will tell."""

    def training(self, position: Position) -> tf.data.Dataset:
        """What is left of the epoch that `position` stands in, all batches of equal size."""

    def steps_ahead(self, position: Position, limit: int) -> int:
        """How many steps all workers can do now, at most `limit`: the same number on each, 0 at the epoch's end."""

    def evaluation(self) -> tf.data.Dataset:
        """This worker's share of the held-out rows: each of them once over all workers."""


class ShardBatches:
    """Batches from the shards of a dataset version.

    Args:
        version: The dataset version.
        columns: Stored columns that the network takes.
        global_batch: Rows of a step over all workers.
        worker: This worker's number, counted from 0.
        workers: How many there are.
        seed: The order of rows follows from it and the epoch.
    """

    def __init__(
        self,
        version: DatasetVersion,
        columns: Sequence[str],
        *,
        global_batch: int,
        worker: int,
        workers: int,
        seed: int,
    ) -> None:
        self._version, self._columns = version, tuple(columns)
        self._batch = global_batch // workers
        self._worker, self._workers, self._seed = worker, workers, seed
        self.steps_per_epoch = version.split("train").plan(workers, global_batch).steps_per_epoch

    def training(self, position: Position) -> tf.data.Dataset:
        """See `Batches`."""
        return self._read("train", self._batch, epoch=position.epoch, skip=position.steps_into_epoch, seed=self._seed)

    def steps_ahead(self, position: Position, limit: int) -> int:
        """See `Batches`."""
        return min(limit, self.steps_per_epoch - position.steps_into_epoch)

    def evaluation(self) -> tf.data.Dataset:
        """See `Batches`."""
        return self._read("eval", EVALUATION_BATCH, epoch=0, skip=0, seed=None)

    def _read(self, split: str, batch: int, *, epoch: int, skip: int, seed: int | None) -> tf.data.Dataset:
        label = self._version.label
        dataset = read_epoch(
            storage.join(self._version.uri, split),
            self._version.split(split),
            batch_size=batch,
            worker=self._worker,
            workers=self._workers,
            seed=seed,
            epoch=epoch,
            skip_batches=skip,
            drop_remainder=seed is not None,
            columns=[*self._columns, label],
        )
        return dataset.map(lambda row: ({name: padded(row[name]) for name in self._columns}, row[label])).prefetch(2)
