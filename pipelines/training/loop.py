"""The training loop: the same few lines on one worker or many.

Keras builds the network, its optimizers sum gradients over the replicas; the loop does the rest, because
`keras.Model.fit` does not run under multi-worker strategies in Keras 3.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from features import storage
from features.batches import padded
from features.dataset_version import DatasetVersion
from features.tfrecord.input import read_epoch
from pipelines.recipe import Recipe
from pipelines.tasks import task_of
from pipelines.training import checkpoints, optimizers
from pipelines.training.checkpoints import Position

Report = Callable[[dict[str, Any]], None]

EVALUATION_BATCH = 4096


@dataclass
class Loop:
    """One worker's share of a training.

    Args:
        recipe: What to train.
        version: The dataset version.
        output: URI of the training's folder.
        strategy: The distribution strategy this process belongs to.
        worker: This worker's rank.
        report: Called with progress events; rank 0's reach the driver's records.
    """

    recipe: Recipe
    version: DatasetVersion
    output: str
    strategy: tf.distribute.Strategy
    worker: int
    report: Report

    def __post_init__(self) -> None:
        training = self.recipe.training
        self.task = task_of(self.version.schema.label, self.version.statistics)
        self.batch = training.global_batch // training.workers
        plan = self.version.split("train").plan(training.workers, training.global_batch)
        self.steps_per_epoch = plan.steps_per_epoch
        self.total_steps = self.steps_per_epoch * training.epochs
        keras.utils.set_random_seed(training.seed)
        with self.strategy.scope():
            self.model = self.recipe.model_module.build(self.recipe.model, self.version.cardinalities)
            weights = self.model.trainable_variables
            self.groups = optimizers.assign(training.optimizers, weights)
            self.optimizers = [
                optimizers.make(declared, self.total_steps, training.average_decay) for declared in training.optimizers
            ]
            for optimizer, group in zip(self.optimizers, self.groups, strict=True):
                optimizer.build([weights[index] for index in group])
        self.variables = {f"model/{variable.path}": variable.value for variable in self.model.variables}
        for index, optimizer in enumerate(self.optimizers):
            self.variables |= {f"optimizer-{index}/{item.path}": item.value for item in optimizer.variables}
        self._run_steps = tf.function(self._steps)
        # Rows of many values make batches of many widths, which would each be traced.
        self._predict = tf.function(
            lambda features: self.task.predict(self.model(features, training=False)), reduce_retracing=True
        )

    def run(self) -> keras.Model:
        """Trains to the last epoch, from the last checkpoint if there is one.

        Returns:
            The trained model, its weights replaced by their averages when the recipe asks for it.

        Raises:
            FloatingPointError: if the loss is not a number, naming the step.
        """
        training = self.recipe.training
        folder = storage.join(self.output, "checkpoints")
        position = Position(step=0, epoch=0)
        if existing := checkpoints.complete(folder):
            position = checkpoints.restore(existing[-1], self.variables)
        self.report({"event": "start", "step": position.step, "epoch": position.epoch, "steps": self.total_steps})
        for epoch in range(position.epoch, training.epochs):
            metrics = self._epoch(epoch)
            metrics |= self._evaluate()
            self.report({"event": "epoch", "epoch": epoch + 1, "step": self._step(epoch + 1), "metrics": metrics})
            if self.worker == 0 and ((epoch + 1) % training.checkpoint_epochs == 0 or epoch + 1 == training.epochs):
                done = Position(step=self._step(epoch + 1), epoch=epoch + 1)
                checkpoints.save(folder, self.variables, done, training.keep_checkpoints)
        if training.average_decay:
            weights = self.model.trainable_variables
            for optimizer, group in zip(self.optimizers, self.groups, strict=True):
                optimizer.finalize_variable_values([weights[index] for index in group])
        return self.model

    def _step(self, epoch: int) -> int:
        return epoch * self.steps_per_epoch

    def _epoch(self, epoch: int) -> dict[str, float]:
        training = self.recipe.training
        batches = self._batches("train", seed=training.seed, epoch=epoch)
        total, done, began = 0.0, 0, time.perf_counter()
        while done < self.steps_per_epoch:
            count = min(training.steps_per_call, self.steps_per_epoch - done)
            loss = float(self._run_steps(batches, tf.constant(count))) / count
            done += count
            total += loss * count
            if not np.isfinite(loss):
                raise FloatingPointError(
                    f"The loss is {loss} between steps {self._step(epoch) + done - count} and "
                    f"{self._step(epoch) + done}. Lower the learning rate, or look for huge values in profile columns."
                )
            rate = done * training.global_batch / (time.perf_counter() - began)
            self.report(
                {"event": "progress", "epoch": epoch + 1, "epochs": training.epochs, "loss": loss,
                 "step": self._step(epoch) + done, "steps": self.total_steps, "examples_per_second": rate}
            )  # fmt: skip
        seconds = time.perf_counter() - began
        return {"loss": total / done, "examples_per_second": done * training.global_batch / seconds}

    def _batches(self, split: str, seed: int | None, epoch: int = 0) -> Iterator[Any]:
        shards = self.version.split(split)
        label = self.version.label
        names = [item.name for item in self.model.inputs]
        dataset = read_epoch(
            storage.join(self.version.uri, split),
            shards,
            batch_size=self.batch if seed is not None else EVALUATION_BATCH,
            worker=self.worker,
            workers=self.recipe.training.workers,
            seed=seed,
            epoch=epoch,
            drop_remainder=seed is not None,
            columns=[*names, label],
        )
        return iter(dataset.map(lambda row: ({name: padded(row[name]) for name in names}, row[label])).prefetch(2))

    def _steps(self, batches: Iterator[Any], count: tf.Tensor) -> tf.Tensor:
        """Sum over `count` steps of the mean loss of the global batch."""
        total = tf.constant(0.0)
        for _ in tf.range(count):
            per_replica = self.strategy.run(self._replica_step, args=next(batches))
            total += self.strategy.reduce(tf.distribute.ReduceOp.SUM, per_replica, axis=None)
        return total

    def _replica_step(self, features: dict[str, tf.Tensor], label: tf.Tensor) -> tf.Tensor:
        weights = self.model.trainable_variables
        with tf.GradientTape() as tape:
            losses = self.task.losses(self.model(features, training=True), label)
            # The optimizers sum over replicas, so each contributes its share of the global mean.
            loss = tf.reduce_sum(losses) / self.recipe.training.global_batch
        gradients = tape.gradient(loss, [weight.value for weight in weights])
        for optimizer, group in zip(self.optimizers, self.groups, strict=True):
            # Summing sparse gradients over workers sends ids and rows apart; small tables are cheaper whole.
            optimizer.apply([tf.convert_to_tensor(gradients[index]) for index in group])
        return loss

    def _evaluate(self) -> dict[str, float]:
        """The task's metrics on the held-out split, every row counted once over all workers."""
        sums = np.zeros(self.task.tally_length)
        for features, label in self._batches("eval", seed=None):
            sums += self.task.tally(self._predict(features), label.numpy())
        return self.task.held_out(self._sum_over_workers(sums))

    def _sum_over_workers(self, values: np.ndarray) -> np.ndarray:
        @tf.function
        def total(value: tf.Tensor) -> tf.Tensor:
            def share() -> tf.Tensor:
                context = tf.distribute.get_replica_context()
                # A copy made on the replica's device: the reduction asks its operand where it lives.
                return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(value))

            return self.strategy.run(share)

        summed = self.strategy.experimental_local_results(total(tf.constant(values, tf.float64)))[0]
        return np.asarray(summed)
