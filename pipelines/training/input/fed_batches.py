"""What the training loop takes its steps from when Spark feeds the rows: the rank's end, above its inbox."""

import queue
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf

from emberline.features.columns import Transformed, arrow_schema, stored
from emberline.features.dataset_version import DatasetVersion
from emberline.features.errors import BadInputError
from emberline.features.tensors import stored_tensor
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.training.checkpoint.position import Position
from emberline.pipelines.training.input.batches import ShardBatches, side_by_side
from emberline.pipelines.training.input.feeder import cut, hand_on
from emberline.pipelines.training.input.inbox import Inbox

RETRY_SECONDS = 0.02

Chunk = tuple[Any, ...]
"""Inputs by name, the label, and the weight if rows have one; all of whole steps."""


class FedBatches:
    """Batches of the rows that a Spark job sends here; held-out rows come from the shards of the dataset version.

    An epoch has as many steps as its rows make global batches, whatever partition they lay in and whichever rank
    they were sent to; the rest, fewer than a global batch, is left out. A resumed epoch begins anew.

    Args:
        recipe: What is trained.
        version: The dataset version; its statistics transformed the rows.
        worker: This worker's number, counted from 0.
        host: Address of this machine under which executors and the driver reach it.
        secret: The feed's secret.
        report: Tells the driver where to send rows, and how many were left out.
        sum_over_workers: Adds up a vector over all workers; all of them call it together.
    """

    repeatable = False

    def __init__(
        self,
        recipe: Recipe,
        version: DatasetVersion,
        *,
        worker: int,
        host: str,
        secret: str,
        report: Callable[[dict[str, Any]], None],
        sum_over_workers: Callable[[np.ndarray], np.ndarray],
    ) -> None:
        columns = recipe.stored_columns
        self._inputs = [column.name for column in stored(recipe.model.columns)]
        self._images = version.images
        weight = recipe.training.weight
        self._labels = version.labels
        self._weight = weight
        self._specs = {column.name: _spec(column) for column in columns if column.name in self._inputs}
        self._global_batch = recipe.training.global_batch
        self._workers = recipe.training.workers
        self._batch = self._global_batch // self._workers
        self._worker = worker
        self._secret = secret
        self._report = report
        self._sum_over_workers = sum_over_workers
        schema = arrow_schema(columns)
        for label in version.labels:
            schema = schema.append(pa.field(label, pa.float32()))
        self._inbox = Inbox(host, secret, schema)
        self._chunks: queue.SimpleQueue[Chunk | None] = queue.SimpleQueue()
        self._steps = 0
        self._shards = ShardBatches(
            version,
            self._inputs,
            global_batch=self._global_batch,
            worker=worker,
            workers=self._workers,
            seed=recipe.training.seed,
            weight=weight,
        )
        self.steps_per_epoch = self._shards.steps_per_epoch

    def training(self, position: Position) -> tf.data.Dataset:
        """Returns the training batches; see `Batches`. They block where more is read than `steps_ahead` said."""
        self._inbox.open_epoch()
        self._chunks = queue.SimpleQueue()
        self._steps = 0
        host, port = self._inbox.address
        self._report({"event": "feed", "epoch": position.epoch, "host": host, "port": port})
        chunks, weight = self._chunks, tf.TensorSpec([None], tf.float32)
        label = weight if len(self._labels) == 1 else tf.TensorSpec([None, len(self._labels)], tf.float32)

        def handed_over() -> Iterator[Chunk]:
            while (chunk := chunks.get()) is not None:
                yield chunk

        # A chunk is the rows of whole steps: what is not agreed upon never enters the dataset.
        rows = tf.data.Dataset.from_generator(
            handed_over, output_signature=(self._specs, label, *([weight] if self._weight else []))
        )
        return rows.rebatch(self._batch, drop_remainder=True).prefetch(2)

    def evaluation(self) -> tf.data.Dataset:
        """Returns the evaluation batches; see `Batches`."""
        return self._shards.evaluation()

    def explain(self, error: tf.errors.OpError) -> None:
        """Raises the fault of the source; see `Batches`."""
        self._shards.explain(error)

    def steps_ahead(self, position: Position, limit: int) -> int:
        """Returns how many steps all ranks have rows for; see `Batches`. Waits for rows, or for the end of the source.

        Raises:
            FeedError: if the feed failed permanently.
            FeedLostError: if it broke off for a reason that may pass.
        """
        try:
            steps = self._agreed_steps(position, limit)
        except BaseException:
            self._chunks.put(None)  # an iterator that still waits for rows could not be destroyed
            raise
        if steps:
            self._hand_over(steps)
        else:
            self._chunks.put(None)
        return steps

    def _agreed_steps(self, position: Position, limit: int) -> int:
        while True:
            rows, over = self._inbox.wait(self._batch)
            held, ended = self._agree(rows, over)
            if steps := min(min(held) // self._batch, limit):
                return steps
            if not ended:
                if over:  # the others are about to hear it, too: no use in asking them a thousand times until then
                    time.sleep(RETRY_SECONDS)
                continue
            if left := sum(held) // self._global_batch:
                self._even_out(held, left * self._batch)
                continue
            if not self._steps:
                raise BadInputError(
                    f"The rows of epoch {position.epoch + 1} make no step: {sum(held):,} were fed, and "
                    f"training.global_batch={self._global_batch:,}. Lower it, or look for what became of the rows."
                )
            self._report({"event": "fed", "epoch": position.epoch, "steps": self._steps, "left_out": sum(held)})
            return 0

    def _agree(self, rows: int, over: bool) -> tuple[list[int], bool]:
        """Returns rows held by each rank, and whether the source is at its end for all of them."""
        mine = np.zeros(self._workers + 1)
        mine[self._worker], mine[-1] = rows, over
        *held, ended = self._sum_over_workers(mine).astype(int).tolist()
        return held, ended == self._workers

    def _hand_over(self, steps: int) -> None:
        table = self._inbox.take(steps * self._batch)
        tensors = {
            name: stored_tensor(table.column(name).combine_chunks(), self._images.get(name, ()))
            for name in self._inputs
        }
        self._steps += steps
        labels = side_by_side([tf.constant(table.column(name).to_numpy()) for name in self._labels])
        weights = [tf.constant(table.column(self._weight).to_numpy())] if self._weight else []
        self._chunks.put((tensors, labels, *weights))

    def _even_out(self, held: list[int], target: int) -> None:
        """Moves rows from ranks that hold more than the steps that are left take to those that hold fewer."""
        for giver, taker, rows in moves(held, target):
            if giver == self._worker:
                table = self._inbox.take(rows)
                pieces = (piece for batch in table.to_batches() for piece in cut(batch))
                hand_on(pieces, self._inbox.ranks[taker], self._secret, f"rank {giver}")
        self._inbox.wait(target, more_to_come=True)


def moves(held: Sequence[int], target: int) -> Iterator[tuple[int, int, int]]:
    """Yields the sender, the receiver and the number of rows of each transfer, so that every rank holds at least
    `target`: `(giver, taker, rows)`.

    Args:
        held: Rows by rank, at least `target` of them per rank on average.
        target: Rows that every rank needs.
    """
    lack = {rank: target - rows for rank, rows in enumerate(held) if rows < target}
    for giver, rows in enumerate(held):
        spare = rows - target
        for taker in list(lack):
            given = min(spare, lack[taker])
            if given > 0:
                yield giver, taker, given
                spare -= given
                lack[taker] -= given


def _spec(column: Transformed) -> tf.TensorSpec:
    return tf.TensorSpec([None, *column.stored_shape], tf.as_dtype(column.stored_type), column.name)
