"""The last layer of networks that write: a probability for every word."""

from typing import Any, TypeAlias

import keras
import tensorflow as tf

Shape: TypeAlias = tuple[int | None, ...]

PLACES = 4096
"""Outside of training so many places are looked at together: all words of a long text would fill the memory."""


@keras.saving.register_keras_serializable("emberline")
class NextWord(keras.layers.Layer):
    """Logits of all words at a place; or, given the words that came, -ln of their probabilities.

    Args:
        size: Number of words.
        initializer: Of the weights; biases begin at zero.
    """

    def __init__(self, size: int, initializer: Any = "glorot_uniform", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size
        self.initializer = keras.initializers.get(initializer)

    def build(self, hidden_shape: Shape, ids_shape: Shape | None = None) -> None:
        self.kernel = self.add_weight((hidden_shape[-1], self.size), self.initializer, name="kernel")
        self.bias = self.add_weight((self.size,), "zeros", name="bias")

    def call(self, hidden: tf.Tensor, ids: tf.Tensor | None = None, training: bool = False) -> tf.Tensor:
        """Returns logits `[…, size]`; or losses, the shape of `ids`, where negative ids have any.

        Args:
            hidden: `[batch, width]`, or `[batch, places, width]` with ids.
            ids: The words that came, `[batch, places]`.
            training: Whether gradients are needed; otherwise memory is spared.
        """
        if ids is None:
            return self._logits(hidden)
        width = hidden.shape[-1]
        states, words = tf.reshape(hidden, [-1, width]), tf.reshape(tf.maximum(ids, 0), [-1])
        if training:
            return tf.reshape(self._surprise(states, words), tf.shape(ids))
        count = tf.size(words)
        more = -count % PLACES
        pieces = (
            tf.reshape(tf.pad(states, [[0, more], [0, 0]]), [-1, PLACES, width]),
            tf.reshape(tf.pad(words, [[0, more]]), [-1, PLACES]),
        )
        signature = tf.TensorSpec([PLACES], self.compute_dtype)
        losses = tf.map_fn(lambda piece: self._surprise(*piece), pieces, fn_output_signature=signature)
        return tf.reshape(tf.reshape(losses, [-1])[:count], tf.shape(ids))

    def _logits(self, hidden: tf.Tensor) -> tf.Tensor:
        return tf.matmul(hidden, tf.convert_to_tensor(self.kernel)) + tf.convert_to_tensor(self.bias)

    def _surprise(self, states: tf.Tensor, words: tf.Tensor) -> tf.Tensor:
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=words, logits=self._logits(states))

    def compute_output_shape(self, hidden_shape: Shape, ids_shape: Shape | None = None) -> Shape:
        return (*hidden_shape[:-1], self.size) if ids_shape is None else ids_shape

    def get_config(self) -> dict[str, Any]:
        initializer = keras.initializers.serialize(self.initializer)
        return super().get_config() | {"size": self.size, "initializer": initializer}
