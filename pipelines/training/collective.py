"""What the workers of a training tell each other in numbers, outside of the steps."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

MOVING = ("moving_mean", "moving_variance")


class SumOverWorkers:
    """Adds up vectors over all workers, which call it together, each with a vector of the same length.

    Args:
        strategy: The distribution strategy they belong to.
        workers: How many there are; each may have several replicas, of which the first speaks.
    """

    def __init__(self, strategy: tf.distribute.Strategy, workers: int) -> None:
        self._strategy = strategy
        self._replicas = max(1, int(strategy.num_replicas_in_sync) // workers)
        self._total = tf.function(self._traced)

    def __call__(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns the sum, the same on every worker."""
        summed = self._total(tf.constant(values, tf.float64))
        return np.asarray(self._strategy.experimental_local_results(summed)[0])

    def _traced(self, value: tf.Tensor) -> tf.Tensor:
        def share() -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            first = tf.cast(context.replica_id_in_sync_group % self._replicas == 0, value.dtype)
            # A product, thereby made on the replica's device: the reduction asks its operand where it lives.
            return context.all_reduce(tf.distribute.ReduceOp.SUM, value * first)

        return self._strategy.run(share)


def moving_averages(model: keras.Model) -> list[tf.Variable]:
    """Returns what batch normalisation learns of the rows of its own worker: no weights, and summed by nobody."""
    return [variable.value for variable in model.non_trainable_variables if variable.path.endswith(MOVING)]


def agree(variables: Sequence[tf.Variable], total: SumOverWorkers, workers: int) -> None:
    """Replaces variables that differ between workers by their means, the same on all. All workers must call it."""
    if workers == 1 or not variables:
        return
    mine = [np.array(tf.convert_to_tensor(variable), np.float64).ravel() for variable in variables]
    means = total(np.concatenate(mine)) / workers
    ends = np.cumsum([len(values) for values in mine])[:-1]
    for variable, mean in zip(variables, np.split(means, ends), strict=True):
        variable.assign(mean.reshape(variable.shape).astype(np.float32))
