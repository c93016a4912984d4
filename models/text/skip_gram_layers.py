"""The layers of skip-gram: words thinned out, the loss of neighbours, and the mean vector of a text."""

import math
from typing import Any, TypeAlias

import keras
import tensorflow as tf
from keras import ops

from emberline.features.columns import PAD
from emberline.models.seeds import own_seed
from emberline.models.text import sampling

Shape: TypeAlias = tuple[int | None, ...]

BLOCK = 32
"""Words whose neighbours are looked up together: scores of a block with all words in sight are one product of matrices,
of which those within the window count."""

EVALUATED_WORDS = 20
"""Words at the start of a held-out text that measure how well the network predicts neighbours."""


@keras.saving.register_keras_serializable("emberline")
class Thinned(keras.layers.Layer):
    """The words of a text without those that have no id, and in training with fewer of the frequent ones.

    Args:
        threshold: See `subsample` of `emberline.models.text.skip_gram`.
    """

    def __init__(self, threshold: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.threshold = threshold
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, ids: tf.Tensor, frequency: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns ids, `[batch, fewer words]`; `PAD` behind the end of a row."""
        kept = ids >= 0
        if not training:
            return _closed_up(ids, kept)[:, :EVALUATED_WORDS]
        if self.threshold:
            share = self.threshold / tf.maximum(frequency, 1e-12)
            drawn = tf.random.stateless_uniform(tf.shape(ids), own_seed(self.seed_generator))
            kept &= drawn < tf.sqrt(share) + share  # NaN, behind the end, is no share at all
        return _closed_up(ids, kept)

    def compute_output_shape(self, ids_shape: Shape, frequency_shape: Shape) -> Shape:
        return (ids_shape[0], None)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"threshold": self.threshold}


def _closed_up(ids: tf.Tensor, kept: tf.Tensor) -> tf.Tensor:
    return tf.ragged.boolean_mask(ids, kept).to_tensor(tf.constant(PAD, ids.dtype))


def _blocks(values: tf.Tensor, margin: int) -> tf.Tensor:
    """Returns `[batch, words, ...]` as `[batch, blocks, BLOCK + 2 margin, ...]`: each block with so many words to
    either side.

    What lies before and behind a text is `PAD`, or 0 of floats.
    """
    length = tf.shape(values)[1]
    blocks = -(-length // BLOCK)
    outside = [[0, 0], [margin, blocks * BLOCK - length + margin]] + [[0, 0]] * (len(values.shape) - 2)
    filled = tf.pad(values, outside, constant_values=0 if values.dtype.is_floating else PAD)
    return tf.signal.frame(filled, BLOCK + 2 * margin, BLOCK, axis=1)


@keras.saving.register_keras_serializable("emberline")
class NeighbourLoss(keras.layers.Layer):
    """How badly the vector of each word tells its neighbours from words drawn at random.

    A neighbour n of a word w has the score s(n) = v(w)·c(n) + b(n) - log(K q(n)), K negatives being drawn with
    probabilities q. The loss of the pair is softplus(-s(n)) + sum of softplus(s(k)) over the negatives k (`nce`), or
    -log(exp(s(n)) / (exp(s(n)) + sum of exp(s(k)))) (`sampled_softmax`): what `tf.nn.nce_loss` and
    `tf.nn.sampled_softmax_loss` compute of negatives that may repeat and may hit the neighbour.

    Args:
        size: Number of words.
        window: Places to either side, at most; each word draws its own reach in training.
        negatives: How many, drawn for each text; all pairs of a text share them.
        loss: `nce` or `sampled_softmax`.
    """

    def __init__(self, size: int, window: int, negatives: int, loss: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size
        self.window = window
        self.negatives = negatives
        self.loss = loss
        self.seed_generator = keras.random.SeedGenerator()

    def build(self, ids_shape: Shape, vectors_shape: Shape) -> None:
        # The first values of TensorFlow's tutorial: contexts of this spread, biases zero.
        spread = keras.initializers.TruncatedNormal(stddev=1 / math.sqrt(vectors_shape[-1] or 1))
        self.contexts = self.add_weight((self.size, vectors_shape[-1]), spread, name="contexts")
        self.biases = self.add_weight((self.size,), "zeros", name="biases")

    def call(self, ids: tf.Tensor, vectors: tf.Tensor, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the sum of the losses of a text's pairs, and how many these are, both float32 `[batch]`.

        Args:
            ids: Words `[batch, words]`, negative behind the end of a row.
            vectors: Theirs, `[batch, words, dimension]`.
            training: Whether reach and negatives are drawn anew.
        """
        shape = tf.shape(ids)
        if training:
            reach = tf.random.stateless_uniform(
                shape, own_seed(self.seed_generator), 1, self.window + 1, dtype=tf.int32
            )
            seed = own_seed(self.seed_generator)
        else:
            reach, seed = tf.fill(shape, self.window), tf.constant([1, 0], tf.int64)
        negatives = sampling.drawn((shape[0], self.negatives), self.size, seed)
        contexts, biases = tf.convert_to_tensor(self.contexts), tf.convert_to_tensor(self.biases)
        others = tf.einsum("bwd,bkd->bwk", vectors, tf.gather(contexts, negatives))
        others += (tf.gather(biases, negatives) - sampling.expected(negatives, self.size, self.negatives))[
            :, tf.newaxis
        ]
        # What a pair loses by the negatives depends on its first word alone.
        if self.loss == "nce":
            lost = tf.reduce_sum(tf.nn.softplus(others), axis=-1)
        else:
            lost = tf.reduce_logsumexp(others, axis=-1)
        # Blocks of words, each with the words around it: [batch, blocks, words of a block, words in sight].
        words, around = _blocks(ids, 0), _blocks(ids, self.window)
        seen = tf.maximum(around, 0)
        score = tf.einsum("bnwd,bnvd->bnwv", _blocks(vectors, 0), tf.gather(contexts, seen))
        score += (tf.gather(biases, seen) - sampling.expected(seen, self.size, self.negatives))[:, :, tf.newaxis]
        lost = _blocks(lost, 0)[..., tf.newaxis]
        loss = lost + tf.nn.softplus(-score) if self.loss == "nce" else tf.nn.softplus(lost - score)
        places = tf.abs(tf.range(BLOCK + 2 * self.window) - self.window - tf.range(BLOCK)[:, tf.newaxis])
        meant = (places > 0) & (places <= _blocks(reach, 0)[..., tf.newaxis])
        meant &= (words >= 0)[..., tf.newaxis] & (around >= 0)[:, :, tf.newaxis]
        pairs = tf.cast(meant, tf.float32)
        return tf.reduce_sum(loss * pairs, axis=[1, 2, 3]), tf.reduce_sum(pairs, axis=[1, 2, 3])

    def compute_output_shape(self, ids_shape: Shape, vectors_shape: Shape) -> tuple[Shape, Shape]:
        return (ids_shape[0],), (ids_shape[0],)

    def get_config(self) -> dict[str, Any]:
        own = {"size": self.size, "window": self.window, "negatives": self.negatives, "loss": self.loss}
        return super().get_config() | own


@keras.saving.register_keras_serializable("emberline")
class MeanVector(keras.layers.Layer):
    """The mean of the vectors of a text's words, of length 1; zeros for a text without any."""

    def call(self, ids: tf.Tensor, vectors: tf.Tensor) -> tf.Tensor:
        mask = ops.cast(ids >= 0, "float32")
        return tf.math.l2_normalize(tf.einsum("bwd,bw->bd", vectors, mask), axis=-1)

    def compute_output_shape(self, ids_shape: Shape, vectors_shape: Shape) -> Shape:
        return (ids_shape[0], vectors_shape[-1])
