"""What networks that write a text have in common: the loss of a text that is given, and beams that search for one."""

from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, TypeAlias

import keras
import tensorflow as tf
from keras import ops

from emberline.features.columns import NO_ID, PAD
from emberline.models.seeds import own_seed
from emberline.models.text import sampling
from emberline.models.text.next_word import NextWord

Shape: TypeAlias = tuple[int | None, ...]
States: TypeAlias = list[list[tf.Tensor]]
Memory: TypeAlias = tuple[tf.Tensor, ...]

NEVER = -1e9
"""Log probability of what must not come."""


@dataclass(frozen=True, kw_only=True)
class WriterSettings:
    """Settings that all writers share.

    Args:
        target_size: Ids that are written.
        named: Of these, those that stand for one word each come first; others are never written.
        target_width: Length of a word's vector.
        dropout: Share of the elements of vectors and layers dropped in training.
        negatives: Words drawn for the loss of training; 0 for the softmax over all.
        longest: Words that are written at most.
        beams: Texts that are followed side by side.
        length_penalty: Log probabilities are divided by ((5 + words) / 6) to this power.
    """

    target_size: int
    named: int
    target_width: int
    dropout: float
    negatives: int = 0
    longest: int
    beams: int
    length_penalty: float


class Writer(keras.layers.Layer):
    """Tells each word of a text from those before it; what it writes about, a kind of writer says in `_decode`.

    The vocabulary has one id more at each end: a writer begins with a vector that no word has, and ends with a word
    that no text has.

    Args:
        settings: Those of the kind.
    """

    Settings: ClassVar[type[WriterSettings]] = WriterSettings

    def __init__(self, settings: WriterSettings, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.settings = settings
        self.begin = self.end = settings.target_size
        self.named = settings.named
        self.negatives = settings.negatives
        self.longest = settings.longest
        self.beams = settings.beams
        self.length_penalty = settings.length_penalty
        self.write = keras.layers.Embedding(settings.target_size + 1, settings.target_width, name="write")
        self.next_word = NextWord(settings.target_size + 1, name="next_word")
        self.drop = keras.layers.Dropout(settings.dropout, name="drop")
        self.seed_generator = keras.random.SeedGenerator()

    def get_config(self) -> dict[str, Any]:
        """Returns the settings and the config of the layer, in one flat dictionary."""
        return super().get_config() | asdict(self.settings)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Writer":
        """Returns the layer that `get_config` describes."""
        own = {item.name for item in fields(cls.Settings)}
        settings = cls.Settings(**{name: value for name, value in config.items() if name in own})
        return cls(settings, **{name: value for name, value in config.items() if name not in own})

    def _decode(
        self, ids: tf.Tensor, memory: Memory, states: States, training: bool = False
    ) -> tuple[tf.Tensor, States]:
        """What is known at each place of the words so far, `[batch, words, units]`, and the states behind them.

        Args:
            ids: Of the words that are read, `[batch, words]`.
            memory: What it writes about and looks at all the time, each part `[batch, …]`.
            states: By layer, each part `[batch, units]`.
            training: Whether dropout is on.
        """
        raise NotImplementedError

    def _written(
        self, target: tf.Tensor, memory: Memory, states: States, training: bool
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Sums of losses and numbers of tokens, `[batch]`; ids of what was written `[batch, longest]`.

        Args:
            target: Ids of the text that should be written, `[batch, words]`, negative behind the end; a row without any
                has no loss.
            memory: As of `_decode`.
            states: Those that writing begins with.
            training: Nothing is written then.
        """
        there = tf.cast(target > PAD, tf.int64)
        lengths = tf.reduce_sum(there, axis=1)
        # [begin, first, …, last] is read while [first, …, last, end] is told.
        fed = tf.pad(tf.maximum(target, 0), [[0, 0], [1, 0]], constant_values=self.begin)
        told = tf.pad(target, [[0, 0], [0, 1]], constant_values=PAD)
        place = tf.range(tf.shape(told, tf.int64)[1])
        told = tf.where(place == lengths[:, tf.newaxis], tf.constant(self.end, tf.int64), told)
        meant = tf.cast((told >= 0) & (lengths > 0)[:, tf.newaxis], tf.float32)
        hidden, _ = self._decode(fed, memory, states, training)
        loss = tf.reduce_sum(self._losses_of(hidden, told, training) * meant, axis=1)
        tokens = tf.reduce_sum(meant, axis=1)
        if training:
            return loss, tokens, tf.fill([tf.shape(target)[0], self.longest], tf.constant(PAD, tf.int64))
        return loss, tokens, self._search(memory, states)

    def _losses_of(self, hidden: tf.Tensor, told: tf.Tensor, training: bool) -> tf.Tensor:
        """Of each place, `[batch, words]`."""
        if not (training and self.negatives):
            return self.next_word(hidden, told, training=training)
        size, told = self.end + 1, tf.maximum(told, 0)
        negatives = sampling.drawn((self.negatives,), size, own_seed(self.seed_generator))
        kernel, bias = tf.transpose(tf.convert_to_tensor(self.next_word.kernel)), self.next_word.bias
        own = tf.reduce_sum(hidden * tf.gather(kernel, told), axis=-1) + tf.gather(bias, told)
        own -= sampling.expected(told, size, self.negatives)
        others = tf.einsum("bwu,ku->bwk", hidden, tf.gather(kernel, negatives)) + tf.gather(bias, negatives)
        others -= sampling.expected(negatives, size, self.negatives)
        others = tf.where(told[..., tf.newaxis] == negatives, NEVER, others)  # the word itself is no other
        return tf.nn.softplus(tf.reduce_logsumexp(others, axis=-1) - own)

    def _search(self, memory: Memory, states: States) -> tf.Tensor:
        """Ids of the best text that beam search finds, `[batch, longest]`."""
        batch, beams, words = tf.shape(states[0][0])[0], self.beams, self.end + 1
        memory = tuple(tf.repeat(part, beams, axis=0) for part in memory)
        flat = [tf.repeat(part, beams, axis=0) for state in states for part in state]
        parts = len(states[0])
        # What may be written: words that have a name, and the end; a text that has ended only goes on ending.
        allowed = tf.concat([tf.range(self.end) < self.named, [True]], axis=0)
        ended_only = tf.where(tf.range(words) == self.end, 0.0, NEVER)
        before = tf.where(tf.range(beams) == 0, 0.0, NEVER)  # at first all beams are the same: one counts
        written = tf.fill([batch, beams, self.longest], tf.constant(self.end, tf.int64))

        def go_on(
            place: tf.Tensor, written: tf.Tensor, scores: tf.Tensor, ended: tf.Tensor, *flat: tf.Tensor
        ) -> tuple[tf.Tensor, ...]:
            last = tf.where(place == 0, tf.constant(self.begin, tf.int64), written[:, :, tf.maximum(place - 1, 0)])
            given = [list(flat[start : start + parts]) for start in range(0, len(flat), parts)]
            hidden, after = self._decode(tf.reshape(last, [-1, 1]), memory, given)
            logits = tf.where(allowed, self.next_word(hidden[:, 0]), NEVER)
            chances = tf.reshape(tf.nn.log_softmax(logits), [batch, beams, words])
            chances = tf.where(ended[..., tf.newaxis], ended_only, chances)
            total = tf.reshape(scores[..., tf.newaxis] + chances, [batch, -1])
            scores, chosen = tf.nn.top_k(total, beams)
            beam, word = chosen // words, tf.cast(chosen % words, tf.int64)
            written = tf.gather(written, beam, batch_dims=1)
            now = tf.range(self.longest) == place
            written = tf.where(now, word[..., tf.newaxis], written)
            ended = tf.gather(ended, beam, batch_dims=1) | (word == self.end)
            rows = tf.reshape(tf.range(batch)[:, tf.newaxis] * beams + beam, [-1])
            return place + 1, written, scores, ended, *(tf.gather(part, rows) for state in after for part in state)

        def unfinished(place: tf.Tensor, _: tf.Tensor, __: tf.Tensor, ended: tf.Tensor, *___: tf.Tensor) -> tf.Tensor:
            return (place < self.longest) & ~tf.reduce_all(ended)

        start = (
            tf.constant(0),
            written,
            tf.tile(before[tf.newaxis], [batch, 1]),
            tf.zeros([batch, beams], tf.bool),
            *flat,
        )
        invariants = tuple(tf.TensorShape([None, *part.shape[1:]]) if part.shape.rank else part.shape for part in start)
        _, written, scores, *_ = tf.while_loop(unfinished, go_on, start, shape_invariants=invariants)
        lengths = tf.cast(tf.reduce_sum(tf.cast(written != self.end, tf.int32), axis=2), tf.float32)
        best = tf.argmax(scores / ((5 + lengths) / 6) ** self.length_penalty, axis=1)
        text = tf.gather(written, best, batch_dims=1)
        return tf.where(text == self.end, tf.constant(PAD, tf.int64), text)

    def compute_output_shape(self, about_shape: Shape, target_shape: Shape) -> tuple[Shape, Shape, Shape]:
        return (target_shape[0],), (target_shape[0],), (target_shape[0], self.longest)

    def compute_output_spec(self, about: Any, target: Any, training: bool = False) -> tuple[Any, Any, Any]:
        """Returns the specs of three tensors; ids are integers."""
        one, other, ids = self.compute_output_shape(about.shape, target.shape)
        return (keras.KerasTensor(one, "float32"), keras.KerasTensor(other, "float32"), keras.KerasTensor(ids, "int64"))


def network_outputs(
    writer: Writer, about: keras.KerasTensor, target: keras.KerasTensor, named: int
) -> dict[str, keras.KerasTensor]:
    """Returns the outputs that `emberline.pipelines.tasks.translation` expects of a network.

    Args:
        writer: Its last layer.
        about: What is written about.
        target: Ids of the text that should be written, `[batch, words]`.
        named: Ids that stand for one word each.

    Returns:
        `loss`, the sum of -ln of the probabilities of the target's words and of its end, and `tokens`, how many these
        are (0 without a target), both `[batch]`; `loss/` `[batch]`, whose mean over the batch is the loss of a token in
        the mean; `written` `[batch, longest]`, ids, and `reference`, the target's, with `PAD` behind the end and
        `NO_ID` for words without a name.
    """
    loss, tokens, written = writer(about, target)
    scaled = loss * ops.sum(ops.ones_like(loss)) / ops.maximum(ops.sum(tokens), 1.0)
    reference = ops.where(target < named, target, NO_ID)
    return {"loss": loss, "tokens": tokens, "written": written, "reference": reference, "loss/": scaled}
