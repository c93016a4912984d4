"""Moving averages of the weights, which are evaluated and exported in their place."""

from collections.abc import Collection, Sequence

import tensorflow as tf

from emberline.pipelines.training.step.table_rows import Gradients, put_rows, rows_of


class MovingAverages:
    """Averages that move towards the weights by 1 - min(decay, (1 + n) / (10 + n)) after n steps.

    The rule of `tf.train.ExponentialMovingAverage` with `num_updates`: early averages forget the start sooner. Of a
    table by rows a step moves the averages of its batch's rows alone. While a row rests, its weights are the same, and
    its average nears them by the product of all decays: computed when the row comes again, or its average is needed.
    A checkpoint is taken after `catch_up`, and holds averages alone: whoever continues may have its tables whole.

    Made inside the scope of a strategy.

    Args:
        decay: The largest; 0 for no averages.
        weights: In their order.
        paths: Their names.
        by_rows: Positions of tables that are updated by rows.

    Attributes:
        averages: One for each weight; none without a decay.
    """

    def __init__(
        self, decay: float, weights: Sequence[tf.Variable], paths: Sequence[str], by_rows: Collection[int]
    ) -> None:
        self._decay = decay
        self._weights = weights if decay else ()
        self._paths = paths
        self._tables = [place for place in sorted(by_rows) if decay]
        self.averages = [_beside(weight.read_value(), "average") for weight in self._weights]
        # The sum of the logarithms of all decays so far, and what it was when a row's average was right last.
        self._total = _beside(tf.zeros([], tf.float64), "average_total") if self._tables else None
        self._seen = {
            place: _beside(tf.zeros(weights[place].shape[:1], tf.float64), "average_seen") for place in self._tables
        }

    @property
    def rest(self) -> bool:
        """Whether averages of rows rest, and `catch_up` changes them."""
        return self._total is not None

    def variables(self) -> dict[str, tf.Variable]:
        """Returns what a checkpoint holds of them, by name."""
        return {f"average/{path}": one for path, one in zip(self._paths, self.averages, strict=False)}

    def resting(self, gradients: Gradients) -> list[tf.Tensor]:
        """Returns the averages of the rows that are about to move, as of now: of each table `[rows, width]`."""
        return [self._caught_up(place, gradients[place].indices) for place in self._tables]

    def move(self, steps: tf.Tensor, gradients: Gradients, resting: Sequence[tf.Tensor]) -> None:
        """Moves the averages; called inside a replica, behind the step.

        Args:
            steps: Done by now, float32.
            gradients: By which the weights moved.
            resting: What `resting` gave before they moved.
        """
        if not self._weights:
            return
        decay = tf.minimum(self._decay, (1 + steps) / (10 + steps))
        for place, (average, weight) in enumerate(zip(self.averages, self._weights, strict=True)):
            if place not in self._seen:
                average.assign_sub((1 - decay) * (average - weight))
        if self._total is None:
            return
        total = self._total.assign_add(tf.math.log(tf.cast(decay, tf.float64)))
        for place, rows in zip(self._tables, resting, strict=True):
            ids = gradients[place].indices
            moved = rows - (1 - decay) * (rows - rows_of(self._weights[place], ids))
            put_rows(self.averages[place], ids, moved)
            put_rows(self._seen[place], ids, tf.fill(tf.shape(ids), tf.cast(total, tf.float64)))

    def catch_up(self) -> None:
        """Makes the averages of all rows what they are by now; called outside of replicas, when no worker trains."""
        if self._total is None:
            return
        for place in self._tables:
            weight, average = (tf.convert_to_tensor(one[place]) for one in (self._weights, self.averages))
            self.averages[place].assign(self._after_rest(weight, average, tf.convert_to_tensor(self._seen[place])))
            self._seen[place].assign(tf.zeros_like(self._seen[place]))
        self._total.assign(0.0)

    def _caught_up(self, place: int, ids: tf.Tensor) -> tf.Tensor:
        weight, average, seen = (rows_of(one[place], ids) for one in (self._weights, self.averages, self._seen))
        return self._after_rest(weight, average, seen)

    def _after_rest(self, weight: tf.Tensor, average: tf.Tensor, seen: tf.Tensor) -> tf.Tensor:
        left = tf.exp(tf.convert_to_tensor(self._total) - seen)
        return weight + (average - weight) * tf.cast(left, weight.dtype)[:, tf.newaxis]


def _beside(value: tf.Tensor, name: str) -> tf.Variable:
    return tf.Variable(value, trainable=False, name=name)
