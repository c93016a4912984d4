"""Asynchronous training: the chief hands out the epoch, workers take steps each for itself, variables lie elsewhere.

A unit of work is one worker's share of an epoch. It travels as a serialized tf.data graph, so any worker can do any
share; how far each share has come is a variable on the parameter servers. When a worker is lost, another takes its
share up where it stopped: the epoch ends with all its steps done, none of them twice.
"""

import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from features import storage
from features.columns import stored
from features.dataset_version import DatasetVersion
from pipelines.recipe import Recipe
from pipelines.training import checkpoints
from pipelines.training.batches import ShardBatches
from pipelines.training.position import Position
from pipelines.training.step import TrainingStep

POLL_SECONDS = 0.2
"""Between two looks at how far the workers have come."""


class CoordinatedLoop:
    """The chief's part.

    Args:
        recipe: What to train.
        version: The dataset version, on a path that every worker can open.
        output: URI of the training's folder.
        strategy: A parameter server strategy, made in this process.
        report: Called with progress events.
    """

    def __init__(
        self,
        recipe: Recipe,
        version: DatasetVersion,
        output: str,
        strategy: tf.distribute.ParameterServerStrategy,
        report: Callable[[dict[str, Any]], None],
    ) -> None:
        training = recipe.training
        self.recipe, self.output, self.report, self.strategy = recipe, output, report, strategy
        names = [column.name for column in stored(recipe.model.columns)]
        # Every update is made of a whole batch of one worker: a round of updates, one by each, is what `plan` counts.
        self._shares = [
            ShardBatches(
                version, names, global_batch=training.global_batch * training.workers, worker=worker,
                workers=training.workers, seed=training.seed,
            )
            for worker in range(training.workers)
        ]  # fmt: skip
        self._held_out = ShardBatches(
            version, names, global_batch=training.global_batch, worker=0, workers=1, seed=training.seed
        )
        self.steps_per_share = self._shares[0].steps_per_epoch
        self.steps_per_epoch = self.steps_per_share * training.workers
        self.total_steps = self.steps_per_epoch * training.epochs
        with strategy.scope():
            self.step = TrainingStep(recipe, version, self.total_steps)
            self._done = tf.Variable(tf.zeros(training.workers, tf.int64), trainable=False, name="done")
            self._losses = tf.Variable(tf.zeros(training.workers), trainable=False, name="losses")
        # What is evaluated, saved and exported: a copy in this process, taken when no worker trains.
        self._copy = TrainingStep(recipe, version, self.total_steps)
        self._spec = self._shares[0].training(Position()).element_spec
        self._take_share = tf.function(self._share)
        self._coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)

    def run(self) -> keras.Model:
        """Trains to the last epoch, from the last checkpoint if there is one.

        Returns:
            The trained model, a copy in this process.

        Raises:
            FloatingPointError: if the loss is not a number, naming the steps.
        """
        training = self.recipe.training
        folder = storage.join(self.output, "checkpoints")
        position = Position()
        if existing := checkpoints.complete(folder):
            position = checkpoints.restore(existing[-1], self.step.variables)
        self.report({"event": "start", "step": position.step, "epoch": position.epoch, "steps": self.total_steps})
        while position.epoch < training.epochs:
            metrics = self._epoch(position)
            position = Position(position.step + self.steps_per_epoch, position.epoch + 1)
            for mine, theirs in zip(self._copy.variables.values(), self.step.variables.values(), strict=True):
                mine.assign(theirs)
            metrics |= self._evaluate()
            self.report({"event": "epoch", "epoch": position.epoch, "step": position.step, "metrics": metrics})
            if position.epoch % training.checkpoint_epochs == 0 or position.epoch == training.epochs:
                saved = dict(zip(self.step.variables, self._copy.variables.values(), strict=True))
                checkpoints.save(folder, saved, position, training.keep_checkpoints)
        self._copy.finish()
        return self._copy.model

    def _epoch(self, position: Position) -> dict[str, float]:
        training = self.recipe.training
        self._done.assign(tf.zeros_like(self._done))
        self._losses.assign(tf.zeros_like(self._losses))
        base, began = tf.constant(position.step, tf.int64), time.perf_counter()
        for share, batches in enumerate(self._shares):
            graph = tf.raw_ops.DatasetToGraphV2(
                input_dataset=tf.data.experimental.to_variant(batches.training(position)),
                strip_device_assignment=True,
            )
            self._coordinator.schedule(self._take_share, args=(graph, tf.constant(share, tf.int64), base))
        seen, before = 0, 0.0
        while seen < self.steps_per_epoch:
            over = self._coordinator.done()
            done, total = int(self._done.numpy().sum()), float(self._losses.numpy().sum())
            if not np.isfinite(total):
                raise FloatingPointError(
                    f"The loss is {total} between steps {position.step + seen} and {position.step + done}. "
                    "Lower the learning rate, or look for huge values in profile columns."
                )
            if done > seen:
                rate = done * training.global_batch / (time.perf_counter() - began)
                self.report(
                    {"event": "progress", "epoch": position.epoch + 1, "epochs": training.epochs,
                     "loss": (total - before) / (done - seen), "step": position.step + done, "steps": self.total_steps,
                     "examples_per_second": rate}
                )  # fmt: skip
                seen, before = done, total
            if over:
                break
            time.sleep(POLL_SECONDS)
        self._coordinator.join()
        seconds = time.perf_counter() - began
        return {
            "loss": float(self._losses.numpy().sum()) / self.steps_per_epoch,
            "examples_per_second": self.steps_per_epoch * training.global_batch / seconds,
        }

    def _share(self, graph: tf.Tensor, share: tf.Tensor, base: tf.Tensor) -> tf.Tensor:
        """On a worker: what is left of one share of the epoch."""
        variant = tf.raw_ops.DatasetFromGraph(graph_def=graph)
        dataset = tf.data.experimental.from_variant(variant, self._spec)
        for features, label in dataset.skip(tf.gather(self._done, share)):
            # Keras counts steps by reading and writing, which loses some when workers meet; a share has one writer.
            step = base + tf.reduce_sum(self._done)
            for optimizer in self.step.optimizers:
                optimizer.iterations.value.assign(tf.cast(step, optimizer.iterations.value.dtype))
            loss = self.strategy.run(self.step.replica_step, args=(features, label))
            self._losses.scatter_add(tf.IndexedSlices(loss, share))
            self._done.scatter_add(tf.IndexedSlices(tf.ones([], tf.int64), share))
        return share

    def _evaluate(self) -> dict[str, float]:
        """The task's metrics on the held-out split."""
        sums = self._copy.empty_tally()
        for features, label in self._held_out.evaluation():
            sums += self._copy.tally(features, label)
        return self._copy.task.held_out(sums)
