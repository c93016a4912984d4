"""Where a worker's batches come from: the seam behind which shards, or rows fed by Spark, are the same to the loop."""

from collections.abc import Sequence
from functools import cached_property
from math import prod
from typing import Any, Protocol

import tensorflow as tf

from emberline.features import storage
from emberline.features.dataset_version import DatasetVersion
from emberline.features.errors import BadInputError, nearest
from emberline.features.tensors import pad_of, padded
from emberline.features.tfrecord.buckets import Buckets, boundaries_of
from emberline.features.tfrecord.input import read_epoch, read_rest
from emberline.features.tfrecord.layouts import Groups
from emberline.features.tfrecord.manifest import ManifestError, ShardSet
from emberline.pipelines.recipe import Training
from emberline.pipelines.training.checkpoint.position import Position

EVALUATION_BATCH = 4096
EVALUATION_PIXELS = 1 << 19
EVALUATION_PLACES = 1 << 16
"""Of rows of many values: what a network makes of long ones fills the memory, too."""

BEGINS = "begins"
"""Beside the inputs of a part of rows: whether it is their first, bool `[batch]`."""


class Batches(Protocol):
    """One worker's batches: `({input name: [batch, …]}, label)`, and weights `[batch]` if rows have them.

    The label is `[batch]`, of several labels `[batch, labels]`.
    """

    @property
    def repeatable(self) -> bool:
        """Whether steps that were done can be done again on the same rows, to find out what went wrong in them."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches of one epoch, the same number on every worker; an estimate where only the source's end will tell."""

    def training(self, position: Position) -> tf.data.Dataset:
        """Returns what is left of the epoch that `position` stands in, all batches of equal size.

        Of a repeatable source, the first batches are made as soon as there is an iterator.
        """

    def steps_ahead(self, position: Position, limit: int) -> int:
        """Returns how many steps all workers can do now, at most `limit`: the same number on each, 0 at the epoch's
        end.
        """

    def evaluation(self) -> tf.data.Dataset:
        """Returns this worker's share of the held-out rows: each of them once over all workers."""

    def explain(self, error: tf.errors.OpError) -> None:
        """Raises the fault of the source behind an error of TensorFlow, if there is one.

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
        buckets: Batches of rows similarly long; None for rows as they come.
        unroll: Values of a part of rows, each of which is a batch; 0 for whole rows. A part begins with the last value
            of the one before, and the first value of a row counts as behind a part.
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
        buckets: Buckets | None = None,
        unroll: int = 0,
    ) -> None:
        self._version = version
        self._columns = tuple(columns)
        self._global_batch = global_batch
        self._worker = worker
        self._workers = workers
        self._seed = seed
        self._labels = version.labels
        self._weight = weight
        self._wanted = [*columns, *self._labels, *([weight] if weight else [])]
        self._images = version.images
        self._buckets = buckets
        self._unroll = unroll
        self._parts = self._count_parts() if unroll else 1
        self.steps_per_epoch = version.split("train").plan(workers, global_batch).steps_per_epoch * self._parts

    def training(self, position: Position) -> tf.data.Dataset:
        """Returns the training batches; see `Batches`.

        Of an epoch that another number of workers began, they are exactly the rows that those did not see.
        """
        place: dict[str, Any] = {
            "worker": self._worker,
            "workers": self._workers,
            "epoch": position.epoch,
            "seed": self._seed,
            "columns": self._wanted,
            "buckets": self._buckets,
        }
        batches, parts = divmod(position.steps_into_epoch, self._parts)
        if any(leg.workers != self._workers for leg in position.legs):
            if self._unroll:
                raise BadInputError(
                    f"training.unroll={self._unroll}: an epoch that {position.legs[0].workers} workers began is not "
                    f"ended by {self._workers}. Set training.workers={position.legs[0].workers}."
                )
            done = [(leg.workers, leg.steps) for leg in position.legs]
            rest = read_rest(*self._split("train"), global_batch=self._global_batch, done=done, **place)
            return _at_once(self._ready(rest))
        batch = self._global_batch // self._workers
        rows = self._ready(read_epoch(*self._split("train"), batch_size=batch, skip_batches=batches, **place))
        return _at_once(rows.flat_map(self._in_parts).skip(parts).prefetch(2) if self._unroll else rows)

    def steps_ahead(self, position: Position, limit: int) -> int:
        """Returns how many steps can be done now; see `Batches`."""
        return min(limit, self.steps_per_epoch - position.steps_into_epoch)

    def evaluation(self) -> tf.data.Dataset:
        """Returns the evaluation batches; see `Batches`."""
        return self._held_out

    @cached_property
    def _held_out(self) -> tf.data.Dataset:
        """The same in every epoch: of few rows, to build it takes longer than to read it."""
        return self._ready(
            read_epoch(
                *self._split("eval"),
                batch_size=self._evaluation_batch(),
                worker=self._worker,
                workers=self._workers,
                drop_remainder=False,
                columns=self._wanted,
            )
        )

    def explain(self, error: tf.errors.OpError) -> None:
        """Raises the fault of the source; see `Batches`.

        TensorFlow does not say which file it was: all are compared with the manifest's checksums.
        """
        for name in ("train", "eval"):
            uri, shards = self._split(name)
            try:
                shards.verify(uri)
            except (ManifestError, OSError) as fault:
                raise BadInputError(f"A shard cannot be read: {fault}.") from error

    def _evaluation_batch(self) -> int:
        """Returns the rows of an evaluation batch: of large images and long rows no more than in a training step,
        because their activations fill the memory.
        """
        pixels = sum(prod(self._images[name]) for name in self._columns if name in self._images)
        lengths = self._version.split("eval").lengths
        places = max((lengths[name][-1] for name in self._columns if name in lengths), default=0)
        fitting = EVALUATION_BATCH
        if pixels:
            fitting = min(fitting, EVALUATION_PIXELS // pixels)
        if places:
            fitting = min(fitting, EVALUATION_PLACES // places)
        return min(EVALUATION_BATCH, max(self._global_batch // self._workers, fitting))

    def _count_parts(self) -> int:
        """Returns parts of the longest row.

        Raises:
            BadInputError: if nobody counted how long rows are.
        """
        lengths = self._version.split("train").lengths
        longest = max((lengths[name][-1] for name in self._columns if name in lengths), default=0)
        if longest < 2:
            raise BadInputError(
                f"training.unroll={self._unroll} needs rows of two values at least in a column of many values; the "
                f"dataset version {self._version.uri!r} knows of none. Run etl again, or set training.unroll=0."
            )
        return -(-(longest - 1) // self._unroll)

    def _in_parts(self, inputs: dict[str, tf.Tensor], *targets: tf.Tensor) -> tf.data.Dataset:
        """Returns the parts of a batch of rows, one behind the other."""
        size, width = self._unroll, self._parts * self._unroll + 1
        rows = tf.shape(targets[0])[:1]
        whole = {
            name: tf.pad(value, [[0, 0], [0, width - tf.shape(value)[1]]], constant_values=pad_of(value))
            for name, value in inputs.items()
        }

        def part(number: tf.Tensor) -> tuple[Any, ...]:
            begin = number * size
            cut = {name: value[:, begin : begin + size + 1] for name, value in whole.items()}
            return cut | {BEGINS: tf.fill(rows, number == 0)}, *targets

        return tf.data.Dataset.range(self._parts).map(part)

    def _split(self, name: str) -> tuple[str, ShardSet]:
        return storage.join(self._version.uri, name), self._version.split(name)

    def _ready(self, rows: tf.data.Dataset) -> tf.data.Dataset:
        def tensors(row: dict[str, tf.Tensor]) -> tuple[Any, ...]:
            inputs = {name: padded(row[name], self._images.get(name, ())) for name in self._columns}
            weights = [row[self._weight]] if self._weight else []
            return inputs, side_by_side([row[name] for name in self._labels]), *weights

        # Images that are stored as files are decoded there, while the step before is computed.
        return rows.map(tensors, tf.data.AUTOTUNE if self._images else None).prefetch(2)


def side_by_side(labels: Sequence[tf.Tensor]) -> tf.Tensor:
    """Returns the truth as a task takes it: `[batch]` of one label, `[batch, labels]` of several."""
    return labels[0] if len(labels) == 1 else tf.stack(labels, axis=1)


def _at_once(rows: tf.data.Dataset) -> tf.data.Dataset:
    """Returns the same, made as soon as there is an iterator: otherwise nothing is read before the first step asks."""
    options = tf.data.Options()
    options.experimental_warm_start = True
    return rows.with_options(options)


def buckets_of(training: Training, columns: Sequence[str], version: DatasetVersion) -> Buckets | None:
    """Returns the buckets of a training, if it has any.

    Args:
        training: What the recipe asks for.
        columns: Stored columns that the network takes.
        version: The dataset version.

    Raises:
        BadInputError: if the column is no list that the network takes, or nobody counted its lengths.
    """
    if not training.bucket_by:
        return None
    shards = version.split("train")
    lists = [name for name, _ in Groups.of(shards.schema).lists if name in columns]
    if training.bucket_by not in lists:
        raise BadInputError(
            f"training.bucket_by={training.bucket_by!r} is no column of many values that the network takes. "
            f"{nearest(training.bucket_by, lists)}"
        )
    if training.bucket_boundaries:
        return Buckets(training.bucket_by, training.bucket_boundaries)
    if training.bucket_by not in shards.lengths:
        raise BadInputError(
            f"The dataset version {version.uri!r} does not say how long the rows of {training.bucket_by!r} are: it was "
            "written by an earlier version. Run etl again, or set training.bucket_boundaries."
        )
    return Buckets(training.bucket_by, boundaries_of(shards.lengths[training.bucket_by], training.buckets))
