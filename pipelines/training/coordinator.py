"""Asynchronous training: the chief hands out the epoch, workers take steps each for itself, variables lie elsewhere.

A unit of work is one worker's share of an epoch. It travels as a serialized tf.data graph, so any worker can do any
share; how far each share has come is a variable on the parameter servers. When a worker is lost, another takes its
share up where it stopped: the epoch ends with all its steps done, none of them twice.
"""

import time
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from emberline.features.columns import stored
from emberline.features.dataset_version import DatasetVersion
from emberline.features.tfrecord.buckets import Buckets
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.training.checkpoint.checkpoints import Writer
from emberline.pipelines.training.checkpoint.position import Position
from emberline.pipelines.training.input.batches import ShardBatches, buckets_of
from emberline.pipelines.training.loop import Loop, Report
from emberline.pipelines.training.step.training_step import TrainingStep

POLL_SECONDS = 0.2
"""Between two looks at how far the workers have come."""


class EpochShares(ShardBatches):
    """The epoch in as many shares as there are workers; every batch of a share is a whole global batch.

    Args:
        version: The dataset version.
        columns: Stored columns that the network takes.
        global_batch: Rows of one update.
        workers: How many shares.
        seed: The order of rows follows from it and the epoch.
        weight: Stored column of the rows' weights, empty for none.
        buckets: Batches of rows similarly long; None for rows as they come.
    """

    def __init__(
        self,
        version: DatasetVersion,
        columns: Sequence[str],
        *,
        global_batch: int,
        workers: int,
        seed: int,
        weight: str,
        buckets: Buckets | None = None,
    ) -> None:
        super().__init__(version, columns, global_batch=global_batch, worker=0, workers=1, seed=seed, weight=weight)
        self.shares = [
            ShardBatches(
                version,
                columns,
                global_batch=global_batch * workers,
                worker=worker,
                workers=workers,
                seed=seed,
                weight=weight,
                buckets=buckets,
            )
            for worker in range(workers)
        ]
        self.steps_per_epoch = self.shares[0].steps_per_epoch * workers


class CoordinatedLoop(Loop):
    """The chief's part.

    Args:
        recipe: What to train.
        version: The dataset version, on a path that every worker can open.
        output: URI of the training's folder.
        strategy: A parameter server strategy, made in this process.
        report: Called with progress events.
        weights: URI of the weights to start from; empty for random ones.
    """

    def __init__(
        self,
        recipe: Recipe,
        version: DatasetVersion,
        output: str,
        strategy: tf.distribute.ParameterServerStrategy,
        report: Report,
        weights: str = "",
    ) -> None:
        training = recipe.training
        names = [column.name for column in stored(recipe.model.columns)]
        epochs = EpochShares(
            version,
            names,
            global_batch=training.global_batch,
            workers=training.workers,
            seed=training.seed,
            weight=training.weight,
            buckets=buckets_of(training, names, version),
        )
        super().__init__(recipe, version, output, strategy, 0, report, epochs, weights)
        self._shares = epochs.shares
        with strategy.scope():
            self._done = tf.Variable(tf.zeros(training.workers, tf.int64), trainable=False, name="done")
            self._losses = tf.Variable(tf.zeros(training.workers), trainable=False, name="losses")
        # What is evaluated and exported: a copy in this process, taken when no worker trains.
        self._copy = TrainingStep(recipe, version, self.total_steps)
        self._spec = epochs.shares[0].training(Position()).element_spec
        self._take_share = tf.function(self._share)
        self._coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)

    def run(self) -> keras.Model:
        """Runs the training; see `Loop.run`. The model is a copy in this process."""
        super().run()  # which leaves the averages in place of the weights
        self._update_copy()
        return self._copy.model

    @property
    def _here(self) -> TrainingStep:
        return self._copy

    def _update_copy(self) -> None:
        self.step.averages.catch_up()
        for mine, theirs in zip(self._copy.variables.values(), self.step.variables.values(), strict=True):
            mine.assign(theirs)

    def _epoch(self, position: Position, writer: Writer) -> tuple[Position, dict[str, float]]:
        training = self.recipe.training
        self._done.assign(tf.zeros_like(self._done))
        self._losses.assign(tf.zeros_like(self._losses))
        began = time.perf_counter()
        for share, batches in enumerate(self._shares):
            graph = tf.raw_ops.DatasetToGraphV2(
                input_dataset=tf.data.experimental.to_variant(batches.training(position)),
                strip_device_assignment=True,
            )
            self._coordinator.schedule(self._take_share, args=(graph, tf.constant(share, tf.int64)))
        seen, before, over = 0, 0.0, False
        while not over:
            over = self._coordinator.done()
            done, total = int(self._done.numpy().sum()), float(self._losses.numpy().sum())
            if not np.isfinite(total):
                raise FloatingPointError(
                    f"A loss between steps {position.step + seen:,} and {position.step + done:,} is not finite. Lower "
                    "the learning rate, clip gradients (training.clip_norm), or look for huge values in profile "
                    "columns; with training.mode=sync the step and the variable are named."
                )
            if done > seen:
                rate = done * training.global_batch / (time.perf_counter() - began)
                self.report(
                    {
                        "event": "progress",
                        "epoch": position.epoch + 1,
                        "epochs": training.epochs,
                        "loss": (total - before) / (done - seen),
                        "step": position.step + done,
                        "steps": self.total_steps,
                        "examples_per_second": rate,
                    }
                )
                seen, before = done, total
            if not over:
                time.sleep(POLL_SECONDS)
        self._coordinator.join()
        rate = seen * training.global_batch / (time.perf_counter() - began)
        return position.after(seen, training.workers).next_epoch(), {"loss": before / seen, "examples_per_second": rate}

    def _agreed(self, wanted: bool) -> bool:
        return wanted  # the chief alone decides: workers have no epochs

    def _evaluate(self) -> dict[str, float]:
        """Returns the task's metrics on the held-out split, by the chief alone."""
        self._update_copy()
        sums = self._copy.empty_tally()
        with self._copy.averaged():
            for features, label, *_ in self.batches.evaluation():
                sums += self._copy.tally(features, label)
        return self._copy.task.held_out(sums)

    def _share(self, graph: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
        """Trains the rest of one share of the epoch, on a worker."""
        variant = tf.raw_ops.DatasetFromGraph(graph_def=graph)
        dataset = tf.data.experimental.from_variant(variant, self._spec)
        for batch in dataset.skip(tf.gather(self._done, share)):
            # Keras's own counters are read and then written, which loses steps when workers meet; ours adds at once.
            for optimizer in self.step.optimizers:
                optimizer.iterations.value.assign(tf.cast(self.step.steps, optimizer.iterations.value.dtype))
            loss = self.strategy.run(self.step.replica_step, args=batch)
            self._losses.scatter_add(tf.IndexedSlices(loss, share))
            self._done.scatter_add(tf.IndexedSlices(tf.ones([], tf.int64), share))
        return share
