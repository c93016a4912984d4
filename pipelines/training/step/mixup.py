"""Rows mixed with others of their batch: Zhang and others, "mixup: Beyond Empirical Risk Minimization"."""

from collections.abc import Sequence

import tensorflow as tf

from emberline.features.columns import stored
from emberline.features.errors import BadInputError
from emberline.features.schema import Label
from emberline.pipelines.recipe import Recipe


class Mixture:
    """Each row with the one as far from the batch's end as it is from its beginning; the larger share stays its own.

    Args:
        alpha: Shares are drawn from Beta(alpha, alpha).
        rows: Of the batch.
        seed: Two integers: the shares follow from them.
    """

    def __init__(self, alpha: float, rows: tf.Tensor, seed: Sequence[tf.Tensor]) -> None:
        drawn = tf.random.stateless_gamma([2, rows], seed, tf.constant(alpha))
        self._share = tf.math.divide_no_nan(tf.reduce_max(drawn, axis=0), tf.reduce_sum(drawn, axis=0))

    def values(self, value: tf.Tensor) -> tf.Tensor:
        """Returns numbers or pixels of the rows, `[rows, ...]`, mixed; of the type that they have."""
        own = tf.cast(value, tf.float32)
        share = tf.reshape(self._share, [-1] + [1] * (len(value.shape) - 1))
        both = share * own + (1 - share) * tf.reverse(own, [0])
        return tf.cast(both if value.dtype.is_floating else tf.round(both), value.dtype)

    def mean(self, own: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
        """Returns what counts for the row itself and what counts for the other one, `[rows]`, by their shares."""
        return self._share * own + (1 - self._share) * other


def require_numbers(recipe: Recipe, label: Label) -> None:
    """Checks that rows can be mixed.

    Raises:
        BadInputError: if a column has ids, or any number of values, or the label is not predicted.
    """
    columns = stored(recipe.model.columns)
    odd = [item.name for item in columns if item.stored_type == "int64" or None in item.stored_shape]
    if odd or label.purpose:
        raise BadInputError(
            f"training.mix_up={recipe.training.mix_up}: only images and numbers that a label is predicted from can "
            f"be mixed, and {', '.join(odd) or 'this label'} is none. Set training.mix_up=0."
        )
