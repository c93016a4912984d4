"""The network, its optimizers, and what one replica does in one step: the same under every strategy."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import keras
import numpy as np
import tensorflow as tf

from emberline.features.dataset_version import DatasetVersion
from emberline.models.embedding_table import rows_of
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.tasks import task_of
from emberline.pipelines.tasks.task import Losses, Outputs, Sums, main_output, side_outputs
from emberline.pipelines.training.step.mixup import Mixture, require_numbers
from emberline.pipelines.training.step.moving_averages import MovingAverages
from emberline.pipelines.training.step.optimizer_groups import ALL, OptimizerGroups
from emberline.pipelines.training.step.recurrent_state import CarriedState
from emberline.pipelines.training.step.table_rows import Gradients, any_rows, changed, plus

Features = Mapping[str, tf.Tensor]

SEED_STATE = "seed_generator_state"


class TrainingStep:
    """Built inside the scope of a strategy, called inside its replicas.

    Args:
        recipe: What to train.
        version: The dataset version.
        total_steps: Steps of the whole training; the length of schedules.

    Attributes:
        model: The network.
        task: What its outputs mean.
        optimizers: In the order of the recipe.
        steps: Steps done, counted by `replica_step`; schedules and averages follow it.
        variables: Everything a checkpoint holds, by name.
    """

    def __init__(self, recipe: Recipe, version: DatasetVersion, total_steps: int) -> None:
        training = self._training = recipe.training
        self.task = task_of(version.schema, version.statistics, recipe)
        keras.utils.set_random_seed(training.seed)
        with _precision(training.precision):
            self.model = recipe.model_module.build(recipe.model, version.cardinalities)
        self._side_weight = recipe.side_weight
        self.weights = [weight.value for weight in self.model.trainable_variables]
        # Every replica counts for itself: all count alike.
        self.steps = tf.Variable(0, trainable=False, dtype=tf.int64, name="steps")
        self._groups = OptimizerGroups(training, self.model, self.steps, total_steps)
        self.optimizers = self._groups.optimizers
        paths = [weight.path for weight in self.model.trainable_variables]
        self.averages = MovingAverages(training.average_decay, self.weights, paths, self._groups.by_rows)
        self._carried = CarriedState(recipe, self.model) if training.unroll else None
        if training.mix_up:
            require_numbers(recipe, version.schema.label)
        self.variables = self._named()
        # Only the arithmetic of a replica is compiled: sums over workers are not for XLA on CPUs.
        self._compute = tf.function(self._gradients, jit_compile=True) if training.jit_compile else self._gradients
        # Rows of many values make batches of many widths, which would each be traced.
        self.predict = tf.function(self._predict, reduce_retracing=True)
        self._judge = tf.function(self._predict_and_judge, reduce_retracing=True)
        self.raw_outputs = tf.function(partial(self._outputs, training=False), reduce_retracing=True)

    def replica_step(self, features: Features, label: tf.Tensor, weight: tf.Tensor | None = None) -> tf.Tensor:
        """Returns one step of one replica: gradients of its rows, summed over the replicas, clipped, and applied.

        Args:
            features: Inputs of the network.
            label: `[batch]`.
            weight: Weights of the rows, `[batch]`; 1 if not given.

        Returns:
            The mean loss of the global batch, the same in every replica.
        """
        loss, _ = self.checked_step(features, label, weight)
        return loss

    def checked_step(
        self, features: Features, label: tf.Tensor, weight: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, Gradients]:
        """Returns `replica_step` that also gives the gradients, summed over the replicas, in the order of `weights`."""
        loss, gradients = self._compute(features, label, weight)
        loss, gradients = self._groups.summed_over_replicas(loss, gradients)
        scale = self._groups.loss_scale()
        if scale is not None:
            gradients = changed(gradients, lambda values: values / scale)
        resting = self.averages.resting(gradients)
        self._groups.move(self._clipped(gradients))
        steps = self.steps.assign_add(1)
        self.averages.move(tf.cast(steps, tf.float32), gradients, resting)
        return loss, gradients

    def _gradients(self, features: Features, label: tf.Tensor, weight: tf.Tensor | None) -> tuple[tf.Tensor, Gradients]:
        """Returns this replica's share of the loss and of its gradients, the latter times the loss scale."""
        parts = self._training.accumulate
        if parts == 1:
            return self._slice(features, label, weight)
        size = tf.shape(label)[0] // parts

        def add(index: tf.Tensor, loss: tf.Tensor, sums: Gradients) -> tuple[tf.Tensor, tf.Tensor, Gradients]:
            rows = slice(index * size, (index + 1) * size)
            part = {name: value[rows] for name, value in features.items()}
            more, gradients = self._slice(part, label[rows], None if weight is None else weight[rows])
            return index + 1, loss + more, [plus(*both) for both in zip(sums, gradients, strict=True)]

        start = (tf.constant(0), tf.zeros([]), self._groups.zeros())
        # One slice after the other: side by side they would need the memory that accumulating saves.
        _, loss, sums = tf.while_loop(
            lambda index, *_: index < parts,
            add,
            start,
            shape_invariants=tf.nest.map_structure(any_rows, start),
            parallel_iterations=1,
        )
        return loss, sums

    def _slice(self, features: Features, label: tf.Tensor, weight: tf.Tensor | None) -> tuple[tf.Tensor, Gradients]:
        training = self._training
        replicas = tf.distribute.get_replica_context().num_replicas_in_sync
        with tf.GradientTape(persistent=True) as tape:
            losses = self._losses(features, label)
            penalty = self._groups.penalty() / (replicas * training.accumulate)
            # Shares of the global mean, which add up over replicas and slices.
            shares = {
                scope: tf.reduce_sum(part if weight is None else part * weight) / training.global_batch
                for scope, part in (losses if isinstance(losses, dict) else {ALL: losses}).items()
            }
            scale = self._groups.loss_scale()
            scaled = {scope: (share + penalty) * (1.0 if scale is None else scale) for scope, share in shares.items()}
        return tf.add_n(list(shares.values())) + penalty, self._groups.gradients(scaled, tape)

    def _losses(self, features: Features, label: tf.Tensor) -> Losses:
        """Returns the loss of every row; of mixed rows, their labels' losses mixed in the same way."""
        training = self._training
        if not training.mix_up:
            return self._judged(self._outputs(features, training=True), label)
        mixture = Mixture(training.mix_up, tf.shape(label)[0], [training.seed, tf.cast(self.steps, tf.int32)])
        outputs = self._outputs({name: mixture.values(value) for name, value in features.items()}, training=True)
        own, other = (self._judged(outputs, truth) for truth in (label, tf.reverse(label, [0])))
        return tf.nest.map_structure(mixture.mean, own, other)

    def _judged(self, outputs: Outputs, label: tf.Tensor) -> Losses:
        """Returns losses of the network's outputs; those of its side classifiers count less."""
        main, *sides = (self.task.losses(one, label) for one in (main_output(outputs), *side_outputs(outputs)))
        return tf.nest.map_structure(lambda own, *others: own + self._side_weight * sum(others), main, *sides)

    def _outputs(self, features: Features, *, training: bool) -> Outputs:
        """Returns outputs of the network, in full precision."""
        carried = self._carried if training else None
        outputs = carried(features) if carried else self.model(features, training=training)
        return tf.nest.map_structure(lambda value: tf.cast(value, tf.float32), outputs)

    def _clipped(self, gradients: Gradients) -> Gradients:
        training = self._training
        if training.clip_value:
            limit = training.clip_value
            gradients = changed(gradients, lambda values: tf.clip_by_value(values, -limit, limit))
        if training.clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, training.clip_norm)
        return gradients

    def glimpse(self) -> list[tf.Tensor]:
        """Returns a little of every weight, which is there only once the step before it has moved them all."""
        # A table is read by rows alone: read whole, it would be copied.
        return [
            rows_of(weight, tf.constant(0)) if place in self._groups.by_rows else tf.convert_to_tensor(weight)
            for place, weight in enumerate(self.weights)
        ]

    def tally(self, features: Features, label: tf.Tensor) -> Sums:
        """Returns the sums over the rows of one batch, from which `task.held_out` makes metrics."""
        return self.task.tally(self._judge(features, label), label.numpy())

    def empty_tally(self) -> Sums:
        """Returns the sums over no rows."""
        return np.zeros(self.task.tally_length)

    @property
    def tables_by_rows(self) -> list[str]:
        """Names of the tables of which a step moves the rows of its batch alone."""
        return [self.model.trainable_variables[place].path for place in sorted(self._groups.by_rows)]

    def about_tables(self) -> str:
        """Returns a sentence about them; empty if there are none."""
        return self._groups.about_rows()

    @property
    def held_out_metrics(self) -> tuple[str, ...]:
        """Names of the metrics that `task.held_out` gives."""
        return tuple(self.task.held_out(np.ones(self.task.tally_length)))

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Replaces the weights by their moving averages inside the block, if the recipe asks for averages."""
        held = [np.array(tf.convert_to_tensor(weight)) for weight in self.weights] if self.averages.averages else []
        self.finish()
        yield
        _assign(self.weights, held)

    def finish(self) -> None:
        """Replaces the weights by their moving averages permanently, if the recipe asks for averages."""
        self.averages.catch_up()
        _assign(self.weights, self.averages.averages)

    def _predict(self, features: Features) -> dict[str, tf.Tensor]:
        return self.task.predict(main_output(self._outputs(features, training=False)))

    def _predict_and_judge(self, features: Features, label: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the prediction, and beside it what a loss of the recipe's own says of each row."""
        outputs = main_output(self._outputs(features, training=False))
        row_losses = getattr(self.task, "row_losses", None)
        return self.task.predict(outputs) | (row_losses(outputs, label) if row_losses else {})

    def _named(self) -> dict[str, tf.Variable]:
        """Returns all variables by names that another process gives them too."""
        found = {f"model/{name}": variable for name, variable in named_variables(self.model).items()}
        for index, optimizer in enumerate(self.optimizers):
            # Keras calls an optimizer that came without a name after the number of those before it in the process.
            named = isinstance(self._training.optimizers[index].kind, str)
            paths = [item.path if named else f"{place}-{item.name}" for place, item in enumerate(optimizer.variables)]
            values = [item.value for item in optimizer.variables]
            found |= {f"optimizer-{index}/{path}": value for path, value in zip(paths, values, strict=True)}
        found |= self._carried.variables if self._carried else {}
        return found | self.averages.variables() | {"steps": self.steps}


def named_variables(model: keras.Model) -> dict[str, tf.Variable]:
    """Returns a network's variables by names that another process gives them too.

    Keras counts the random generators of a process, not those of a network.
    """
    draws = [variable for variable in model.variables if variable.path.endswith(SEED_STATE)]
    names = {id(variable): f"{SEED_STATE}_{number}" for number, variable in enumerate(draws)}
    return {names.get(id(item), item.path): item.value for item in model.variables}


def _assign(variables: Sequence[tf.Variable], values: Sequence[tf.Variable | np.ndarray]) -> None:
    for variable, value in zip(variables, values, strict=False):
        variable.assign(value)


@contextmanager
def _precision(policy: str) -> Iterator[None]:
    """Layers made inside the block compute in this precision."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
