"""The best epoch of a training by a metric of held-out rows: which it was, whether to go on, and the way back to it."""

import math
from collections.abc import Collection, Mapping

import tensorflow as tf

from emberline.features.errors import BadInputError, nearest
from emberline.pipelines.recipe import Training
from emberline.pipelines.training.checkpoint import checkpoints
from emberline.pipelines.training.checkpoint.position import Position


class BestEpoch:
    """Decides by `training.best_metric`; without one, no epoch is better than another.

    Args:
        training: Names the metric, and how many epochs may be no better.
        known: Metrics of held-out rows.
        smaller_is_better: Of the metric.

    Raises:
        BadInputError: if the metric is none of them.
    """

    def __init__(self, training: Training, known: Collection[str], *, smaller_is_better: bool) -> None:
        self._smaller_is_better = smaller_is_better
        self._metric = training.best_metric
        self._patience = training.patience
        if self._metric and self._metric not in known:
            raise BadInputError(
                f"training.best_metric={self._metric!r} is no metric of held-out rows. {nearest(self._metric, known)}"
            )

    def judged(self, position: Position, metrics: Mapping[str, float]) -> Position:
        """Returns the same position, with the metrics of the epoch that ends here taken into account."""
        if not self._metric:
            return position
        # A split of a single class has no AUC: that epoch is no better than any other.
        value = metrics.get(self._metric, math.nan)
        return position.judged(value, smaller_is_better=self._smaller_is_better)

    def is_over(self, position: Position) -> bool:
        """Returns whether so many epochs were no better that the training ends."""
        return bool(self._patience and position.best and position.best.epochs_since >= self._patience)

    @staticmethod
    def restore(position: Position, folder: str, variables: Mapping[str, tf.Variable]) -> None:
        """Restores the best epoch, if there is one and it is not the last.

        Args:
            position: The end of the training.
            folder: URI of its checkpoints.
            variables: Take the values.
        """
        best = position.best
        if best and best.step != position.step:
            checkpoints.restore(checkpoints.of_step(folder, best.step), variables)
