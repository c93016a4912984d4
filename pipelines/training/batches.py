"""Where a worker's batches come from: the seam behind which shards, or rows fed by Spark, are the same to the loop."""

from collections.abc import Sequence
from math import prod
from typing import Any, Protocol

import tensorflow as tf

from features import storage
from features.batches import padded
from features.dataset_version import DatasetVersion
from features.errors import BadInputError
from features.tfrecord.input import read_epoch, read_rest
from features.tfrecord.manifest import ManifestError, ShardSet
from pipelines.training.position import Position

EVALUATION_BATCH = 4096
EVALUATION_PIXELS = 1 << 19


class Batches(Protocol):
    """One worker's batches: `({input name: [batch, …]}, label [batch])`, and weights `[batch]` if rows have them."""

    @property
    def repeatable(self) -> bool:
        """Whether steps that were done can be done again on the same rows, to find out what went wrong in them."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches of one epoch, the same number on every worker; an estimate where only the source's end will tell."""

    def training(self, position: Position) -> tf.data.Dataset:
        """What is left of the epoch that `position` stands in, all batches of equal size."""

    def steps_ahead(self, position: Position, limit: int) -> int:
        """How many steps all workers can do now, at most `limit`: the same number on each, 0 at the epoch's end."""

    def evaluation(self) -> tf.data.Dataset:
        """This worker's share of the held-out rows: each of them once over all workers."""

    def explain(self, error: tf.errors.OpError) -> None:
        """Looks for a fault of the source behind an error of TensorFlow, and raises it if there is one.

        Raises:
            BadInputError: if the source cannot be read.
        """


class ShardBatches:
    """Batches from the shards of a dataset version.

    Args:
        version: The dataset version.
        columns: Stored columns that the network takes.
        global_batch: Rows of a step over all workers.
        worker: This worker's number, counted from 0.
        workers: How many there are.
        seed: The order of rows follows from it and the epoch.
        weight: Stored column of the rows' weights, empty for none.
    """

    repeatable = True

    def __init__(
        self,
        version: DatasetVersion,
        columns: Sequence[str],
        *,
        global_batch: int,
        worker: int,
        workers: int,
        seed: int,
        weight: str = "",
    ) -> None:
        self._version, self._columns = version, tuple(columns)
        self._global_batch, self._worker, self._workers, self._seed = global_batch, worker, workers, seed
        self._targets = [version.label, weight] if weight else [version.label]
        self._wanted = [*columns, *self._targets]
        self._images = version.images
        self.steps_per_epoch = version.split("train").plan(workers, global_batch).steps_per_epoch

    def training(self, position: Position) -> tf.data.Dataset:
        """See `Batches`. Of an epoch that other numbers of workers began, exactly the rows they did not see."""
        place: dict[str, Any] = {
            "worker": self._worker, "workers": self._workers, "epoch": position.epoch, "seed": self._seed,
            "columns": self._wanted,
        }  # fmt: skip
        if any(leg.workers != self._workers for leg in position.legs):
            done = [(leg.workers, leg.steps) for leg in position.legs]
            return self._ready(read_rest(*self._split("train"), global_batch=self._global_batch, done=done, **place))
        skip, batch = position.steps_into_epoch, self._global_batch // self._workers
        return self._ready(read_epoch(*self._split("train"), batch_size=batch, skip_batches=skip, **place))

    def steps_ahead(self, position: Position, limit: int) -> int:
        """See `Batches`."""
        return min(limit, self.steps_per_epoch - position.steps_into_epoch)

    def evaluation(self) -> tf.data.Dataset:
        """See `Batches`."""
        return self._ready(
            read_epoch(
                *self._split("eval"), batch_size=self._evaluation_batch(), worker=self._worker, workers=self._workers,
                drop_remainder=False, columns=self._wanted,
            )
        )  # fmt: skip

    def explain(self, error: tf.errors.OpError) -> None:
        """See `Batches`. TensorFlow does not say which file it was: all are held against the manifest's checksums."""
        for name in ("train", "eval"):
            uri, shards = self._split(name)
            try:
                shards.verify(uri)
            except (ManifestError, OSError) as fault:
                raise BadInputError(f"A shard cannot be read: {fault}.") from error

    def _evaluation_batch(self) -> int:
        """Of images no more rows than a training step has, unless they are small: what a network makes of a large one
        fills the memory.
        """
        pixels = sum(prod(self._images[name]) for name in self._columns if name in self._images)
        if not pixels:
            return EVALUATION_BATCH
        return min(EVALUATION_BATCH, max(self._global_batch // self._workers, EVALUATION_PIXELS // pixels))

    def _split(self, name: str) -> tuple[str, ShardSet]:
        return storage.join(self._version.uri, name), self._version.split(name)

    def _ready(self, rows: tf.data.Dataset) -> tf.data.Dataset:
        def tensors(row: dict[str, tf.Tensor]) -> tuple[Any, ...]:
            inputs = {name: padded(row[name], self._images.get(name, ())) for name in self._columns}
            return inputs, *(row[name] for name in self._targets)

        # Images that are stored as files are decoded there, while the step before is computed.
        return rows.map(tensors, tf.data.AUTOTUNE if self._images else None).prefetch(2)
