"""What the workers of a training tell each other in numbers, outside of the steps."""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray


class SumOverWorkers:
    """Adds up vectors over all workers, which call it together, each with a vector of the same length.

    Args:
        strategy: The distribution strategy they belong to.
        workers: How many there are, each with one replica or more.
    """

    def __init__(self, strategy: tf.distribute.Strategy, workers: int) -> None:
        self._strategy, self._workers = strategy, workers
        self._total = tf.function(self._traced)

    def __call__(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The sum, the same on every worker."""
        summed = self._total(tf.constant(values, tf.float64))
        return np.asarray(self._strategy.experimental_local_results(summed)[0])

    def _traced(self, value: tf.Tensor) -> tf.Tensor:
        def share() -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            replicas = int(self._strategy.num_replicas_in_sync) // self._workers
            first = tf.cast(context.replica_id_in_sync_group % replicas == 0, value.dtype)
            # A product, thereby made on the replica's device: the reduction asks its operand where it lives.
            return context.all_reduce(tf.distribute.ReduceOp.SUM, value * first)

        return self._strategy.run(share)
