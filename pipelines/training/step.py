"""The network, its optimizers, and what one replica does in one step: the same under every strategy."""

from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from features.dataset_version import DatasetVersion
from pipelines.recipe import Recipe
from pipelines.tasks import task_of
from pipelines.tasks.task import Sums
from pipelines.training import optimizers

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
        variables: Everything a checkpoint holds, by name.
    """

    def __init__(self, recipe: Recipe, version: DatasetVersion, total_steps: int) -> None:
        training = recipe.training
        self._global_batch, self._average_decay = training.global_batch, training.average_decay
        self.task = task_of(version.schema.label, version.statistics)
        keras.utils.set_random_seed(training.seed)
        self.model = recipe.model_module.build(recipe.model, version.cardinalities)
        weights = self.model.trainable_variables
        self._groups = optimizers.assign(training.optimizers, weights)
        self.optimizers = [
            optimizers.make(declared, total_steps, training.average_decay) for declared in training.optimizers
        ]
        for optimizer, group in zip(self.optimizers, self._groups, strict=True):
            optimizer.build([weights[index] for index in group])
        self.variables = {f"model/{name}": variable for name, variable in _named(self.model).items()}
        for index, optimizer in enumerate(self.optimizers):
            self.variables |= {f"optimizer-{index}/{item.path}": item.value for item in optimizer.variables}
        # Rows of many values make batches of many widths, which would each be traced.
        self.predict = tf.function(self._predict, reduce_retracing=True)

    def replica_step(self, features: Features, label: tf.Tensor) -> tf.Tensor:
        """One step of one replica: gradients of its rows, summed over the replicas by the optimizers, and applied.

        Returns:
            Its share of the mean loss of the global batch; the shares of all replicas add up to it.
        """
        weights = self.model.trainable_variables
        with tf.GradientTape() as tape:
            losses = self.task.losses(self.model(features, training=True), label)
            # The optimizers sum over replicas, so each contributes its share of the global mean.
            loss = tf.reduce_sum(losses) / self._global_batch
        gradients = tape.gradient(loss, [weight.value for weight in weights])
        for optimizer, group in zip(self.optimizers, self._groups, strict=True):
            # Summing sparse gradients over workers sends ids and rows apart; small tables are cheaper whole.
            optimizer.apply([tf.convert_to_tensor(gradients[index]) for index in group])
        return loss

    def tally(self, features: Features, label: tf.Tensor) -> Sums:
        """Sums over the rows of one batch, from which `task.held_out` makes metrics."""
        return self.task.tally(self.predict(features), label.numpy())

    def empty_tally(self) -> Sums:
        """The sums over no rows."""
        return np.zeros(self.task.tally_length)

    @property
    def held_out_metrics(self) -> tuple[str, ...]:
        """Names of the metrics that `task.held_out` gives."""
        return tuple(self.task.held_out(np.ones(self.task.tally_length)))

    def finish(self) -> None:
        """Replaces the weights by their moving averages when the recipe asks for it."""
        if not self._average_decay:
            return
        weights = self.model.trainable_variables
        for optimizer, group in zip(self.optimizers, self._groups, strict=True):
            optimizer.finalize_variable_values([weights[index] for index in group])

    def _predict(self, features: Features) -> dict[str, tf.Tensor]:
        return self.task.predict(self.model(features, training=False))


def _named(model: keras.Model) -> dict[str, tf.Variable]:
    """The variables of a network by names that another process gives them too.

    Keras counts the random generators of a process, not those of a network.
    """
    draws = [variable for variable in model.variables if variable.path.endswith(SEED_STATE)]
    names = {id(variable): f"{SEED_STATE}_{number}" for number, variable in enumerate(draws)}
    return {names.get(id(variable), variable.path): variable.value for variable in model.variables}
