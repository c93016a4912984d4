"""The training loop: the same few lines on one worker or many.

Keras builds the network, its optimizers sum gradients over the replicas; the loop does the rest, because
`keras.Model.fit` does not run under multi-worker strategies in Keras 3.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from emberline.features import storage
from emberline.features.columns import stored
from emberline.features.dataset_version import DatasetVersion
from emberline.features.errors import BadInputError
from emberline.features.tensors import padding_mask
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.recipe.interval import Interval
from emberline.pipelines.tasks import smaller_is_better
from emberline.pipelines.training.checkpoint import checkpoints
from emberline.pipelines.training.checkpoint.best_epoch import BestEpoch
from emberline.pipelines.training.checkpoint.initial_weights import take_weights
from emberline.pipelines.training.checkpoint.position import Position
from emberline.pipelines.training.collective import SumOverWorkers, agree, moving_averages
from emberline.pipelines.training.epoch_end import EpochOfLoop, call
from emberline.pipelines.training.input.batches import Batches, ShardBatches, buckets_of
from emberline.pipelines.training.nonfinite_loss import first_fault
from emberline.pipelines.training.step.training_step import TrainingStep
from emberline.pipelines.training.tensorboard.epoch_view import EpochView

Report = Callable[[dict[str, Any]], None]

PEERS = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.DeadlineExceededError)
"""What TensorFlow says when another worker is gone."""


class Loop:
    """One worker's share of a training.

    Args:
        recipe: What to train.
        version: The dataset version.
        output: URI of the training's folder.
        strategy: The distribution strategy this process belongs to.
        worker: This worker's rank.
        report: Called with progress events; rank 0's reach the driver's records.
        batches: Where this worker's rows come from; the shards of the dataset version if not given.
        weights: URI of the weights to start from; empty for random ones.
    """

    def __init__(
        self,
        recipe: Recipe,
        version: DatasetVersion,
        output: str,
        strategy: tf.distribute.Strategy,
        worker: int,
        report: Report,
        batches: Batches | None = None,
        weights: str = "",
    ) -> None:
        training = recipe.training
        self.recipe = recipe
        self.output = output
        self.strategy = strategy
        self.worker = worker
        self.report = report
        self._version = version
        self._weights = weights
        columns = stored(recipe.model.columns)
        names = [column.name for column in columns]
        self._lists = [column.name for column in columns if column.stored_shape == (None,)]
        self.batches = batches or ShardBatches(
            version,
            names,
            global_batch=training.global_batch,
            worker=worker,
            workers=training.workers,
            seed=training.seed,
            weight=training.weight,
            buckets=buckets_of(training, names, version),
            unroll=training.unroll,
        )
        self.steps_per_epoch = self.batches.steps_per_epoch
        self.total_steps = self.steps_per_epoch * training.epochs
        self.step = self._make_step()
        name = training.best_metric
        smaller = bool(name) and smaller_is_better(self.step.task, name)
        self._best = BestEpoch(training, self.step.held_out_metrics, smaller_is_better=smaller)
        self._view = EpochView(recipe, version, output, report)
        self._begun: tuple[int, Iterator[Any]] | None = None
        self._run_steps = tf.function(self._steps)
        self._sum_over_workers = SumOverWorkers(strategy, training.workers)

    def run(self) -> keras.Model:
        """Trains to the last epoch, from the last checkpoint if there is one.

        Returns:
            The trained model, its weights replaced by their averages when the recipe asks for it.

        Raises:
            FloatingPointError: if the loss is not finite, naming the step and the values that were not finite first.
            BadInputError: if a shard cannot be read, naming it.
        """
        try:
            return self._run()
        except PEERS:
            raise
        except tf.errors.OpError as error:
            self.batches.explain(error)
            raise

    def _run(self) -> keras.Model:
        training = self.recipe.training
        position = Position()
        if existing := checkpoints.complete(self._checkpoints):
            position = checkpoints.restore(existing[-1], self.step.variables)
        self.report({"event": "start", "step": position.step, "epoch": position.epoch, "steps": self.total_steps})
        if text := self.step.about_tables():
            self.report({"event": "note", "text": text})
        if self._weights and not existing:
            self.report({"event": "warm start", "metrics": self._evaluate()})
        writer = checkpoints.Writer(
            self._checkpoints,
            self.step.variables,
            keep=training.keep_checkpoints,
            every=Interval.parse(training.checkpoint_every),
            owner=checkpoints.own(self._checkpoints) if self.worker == 0 else "",
        )
        with writer, self._view.opened(self._here, wanted=self.worker == 0):
            while not self._is_over(position):
                position, metrics = self._epoch(position, writer)
                metrics |= self._evaluate()
                self.report({"event": "epoch", "epoch": position.epoch, "step": position.step, "metrics": metrics})
                if self.worker == 0:
                    self._view.epoch(position.epoch, position.step, metrics, self._here, self.batches)
                position = self._best.judged(position, metrics)
                if training.callbacks:
                    position = self._called(position, metrics)
                best_now = position.best is not None and position.best.step == position.step
                if self.worker == 0 and (writer.is_due(position) or best_now or self._is_over(position)):
                    writer.save(position)
        self._begun = None  # of an epoch that nobody wants any more
        if self.worker == 0 and (best := position.best):
            self._best.restore(position, self._checkpoints, self.step.variables)
            found = {f"best_{training.best_metric}": best.value}
            self.report({"event": "best", "step": best.step, "metrics": found})
        self.step.finish()
        return self.step.model

    @property
    def _here(self) -> TrainingStep:
        """The step whose variables are in this process."""
        return self.step

    @property
    def _replicas(self) -> int:
        """Replicas of this worker: its GPUs, or one."""
        return int(self.strategy.num_replicas_in_sync) // self.recipe.training.workers

    @property
    def _checkpoints(self) -> str:
        return storage.join(self.output, "checkpoints")

    def _is_over(self, position: Position) -> bool:
        over = self._best.is_over(position) or bool(position.stopped)
        return over or position.epoch >= self.recipe.training.epochs

    def _called(self, position: Position, metrics: dict[str, float]) -> Position:
        """The same place, once the recipe's callbacks were called on the chief, and all workers know what they want."""
        why = ""
        if self.worker == 0:
            epoch = EpochOfLoop(position.epoch, position.step, MappingProxyType(metrics), self._here)
            why = call(self.recipe.training.callbacks, epoch)
        if not self._agreed(bool(why)):
            return position
        self.report({"event": "note", "text": f"ended after epoch {position.epoch} by the callback {why}"})
        return replace(position, stopped=why or "the chief's callback")

    def _agreed(self, wanted: bool) -> bool:
        """Whether the chief wants it; all workers must call it."""
        return bool(self._sum_over_workers(np.array([float(wanted)]))[0])

    def _epoch(self, position: Position, writer: checkpoints.Writer) -> tuple[Position, dict[str, float]]:
        training = self.recipe.training
        batches = self._batches_of(position)
        total, waited, done, began = 0.0, 0.0, 0, time.perf_counter()
        places = np.zeros(2)
        while count := self.batches.steps_ahead(position, writer.steps_until(position, training.steps_per_call)):
            called = time.perf_counter()
            losses, stepped, waiting, seen = self._run_steps(batches, tf.constant(count))
            places += seen.numpy()
            loss, seconds = float(losses) / count, time.perf_counter() - called
            waited += float(waiting)
            done += count
            total += loss * count
            if not np.isfinite(loss):
                self._explain(position.step + int(stepped), writer)
            position = position.after(count, training.workers)
            rate = done * training.global_batch / (time.perf_counter() - began)
            self.report(
                {
                    "event": "progress",
                    "epoch": position.epoch + 1,
                    "epochs": training.epochs,
                    "loss": loss,
                    "step": position.step,
                    "steps": self.total_steps,
                    "examples_per_second": rate,
                }
            )
            speed = count * training.global_batch / seconds
            shown = {"loss": loss, "examples_per_second": speed, "input_wait": float(waiting) / seconds}
            self._view.call(position.step, shown)
            at_end = position.steps_into_epoch == self.steps_per_epoch
            due = self.worker == 0 and not at_end and writer.is_due(position)
            # Caught up by one worker alone, averages would be others than those of the rest in their last digits.
            if self.step.averages.rest and self._agreed(due):
                self.step.averages.catch_up()
            if due:
                writer.save(position)
        seconds = time.perf_counter() - began
        metrics = {
            "loss": total / done,
            "examples_per_second": done * training.global_batch / seconds,
            "input_wait": waited / seconds,
        } | ({"padding": float(places[0] / places[1])} if places[1] else {})
        position = position.next_epoch()
        if self.batches.repeatable and position.epoch < training.epochs:
            # Its first rows are read and shuffled while held-out rows are evaluated.
            self._begun = position.epoch, iter(self._per_replica(self.batches.training(position)))
        return position, metrics

    def _batches_of(self, position: Position) -> Iterator[Any]:
        """What is left of the epoch, begun at the end of the one before or now."""
        begun = self._begun
        self._begun = None
        if begun and begun[0] == position.epoch:
            return begun[1]
        return iter(self._per_replica(self.batches.training(position)))

    def _per_replica(self, batches: tf.data.Dataset) -> Any:
        """This worker's batches, cut among its GPUs if it has several.

        Raises:
            BadInputError: if they cannot be cut evenly.
        """
        training = self.recipe.training
        if self._replicas == 1:
            return batches
        rows, left = divmod(training.global_batch, training.workers * self._replicas)
        if left:
            raise BadInputError(
                f"training.global_batch={training.global_batch} does not divide by {training.workers} workers with "
                f"{self._replicas} GPUs each. Nearest that does: {rows * training.workers * self._replicas}."
            )
        return self.strategy.distribute_datasets_from_function(lambda _: batches.rebatch(rows, drop_remainder=True))

    def _steps(self, batches: Iterator[Any], count: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """`count` steps in one graph call, fewer once the loss is not finite.

        Returns:
            Sum of the mean losses of the global batches; steps done; seconds of waiting for the next batch after a step
            (on a GPU a step counts as done once its work is queued); of this worker's tensors of many-valued columns
            the number of padding values, and of all values.
        """
        total, done, waited = tf.constant(0.0), tf.constant(0), tf.constant(0.0, tf.float64)
        places = tf.zeros(2, tf.float64)
        ended = tf.timestamp()
        while done < count and tf.math.is_finite(total):
            batch = next(batches)
            with tf.control_dependencies(tf.nest.flatten(batch, expand_composites=True)):
                came = tf.timestamp()
            waited += tf.maximum(came - ended, 0.0)
            # Nothing of the step before the clock is read: with one thread for operations it would be read last.
            with tf.control_dependencies([came]):
                batch = tf.nest.map_structure(tf.identity, batch, expand_composites=True)
            places += self._padding(batch[0])
            losses = self.strategy.run(self.step.replica_step, args=batch)
            total += self.strategy.experimental_local_results(losses)[0]
            done += 1
            # The loss is known long before the last weight has moved.
            with tf.control_dependencies([total, *self.step.glimpse()]):
                ended = tf.timestamp()
        return total, done, waited, places

    def _padding(self, features: Any) -> tf.Tensor:
        """Places of rows of many values that are padding, and all of them: float64 `[2]`."""
        parts = [
            tf.stack([tf.reduce_sum(tf.cast(padding_mask(part), tf.float64)), tf.cast(tf.size(part), tf.float64)])
            for name in self._lists
            for part in self.strategy.experimental_local_results(features[name])
        ]
        return tf.add_n(parts) if parts else tf.zeros(2, tf.float64)

    def _explain(self, step: int, writer: checkpoints.Writer) -> None:
        """Ends the training at a loss that is not finite.

        Raises:
            FloatingPointError: naming the step and the values that were not finite first.
        """
        advice = (
            "Lower the learning rate, clip gradients (training.clip_norm), or look for huge values in profile columns."
        )
        if not self.batches.repeatable:
            raise FloatingPointError(f"The loss of step {step:,} is not finite. {advice}")

        def heard(at: int) -> None:
            self.report({"event": "diagnosing", "step": at})

        heard(step)
        writer.wait()
        # Only rank 0 knows which of its checkpoints are written: it tells the others.
        mine = checkpoints.complete(self._checkpoints) if self.worker == 0 else []
        start = int(self._sum_over_workers(np.array([float(checkpoints.step_of(mine[-1])) if mine else 0.0]))[0])
        fresh, position = self._make_step(), Position()
        if start:
            position = checkpoints.restore(checkpoints.of_step(self._checkpoints, start), fresh.variables)
        workers = self.recipe.training.workers
        found = first_fault(self.strategy, fresh, self.batches, position, workers, step, heard)
        raise FloatingPointError(f"The loss of step {step:,} is not finite. {found} {advice}")

    def _make_step(self) -> TrainingStep:
        with self.strategy.scope():
            step = TrainingStep(self.recipe, self._version, self.total_steps)
        if self._weights:
            take_weights(self._weights, step.variables, transfer=self.recipe.training.transfer)
        return step

    def _evaluate(self) -> dict[str, float]:
        """The task's metrics on the held-out split, every row counted once over all workers."""
        agree(moving_averages(self.step.model), self._sum_over_workers, self.recipe.training.workers)
        sums = self.step.empty_tally()
        with self.step.averaged():
            for features, label, *_ in self.batches.evaluation():
                sums += self.step.tally(features, label)
        return self.step.task.held_out(self._sum_over_workers(sums))
