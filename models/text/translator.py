"""Encoder, attention, decoder and beam search: the layers of a network that writes one text for another."""

from typing import Any, TypeAlias

import keras
import tensorflow as tf

from features.columns import PAD
from models.seeds import own_seed
from models.text import sampling
from models.text.next_word import NextWord

Shape: TypeAlias = tuple[int | None, ...]
States: TypeAlias = list[list[tf.Tensor]]

NEVER = -1e9
"""Log probability of what must not come."""


@keras.saving.register_keras_serializable("emberline")
class Translator(keras.layers.Layer):
    """Reads ids, and writes ids; see `models.text.translation.Config`.

    The target's vocabulary has one id more at each end: the decoder begins with a vector that no word has, and ends
    with a word that no text has.

    Args:
        source_size: Ids that are read.
        target_size: Ids that are written.
        named: Of the latter, those that stand for one word each come first; others are never written.
        source_width: Length of a vector that is read.
        target_width: Length of a vector that is written.
        units, layers, cell, dropout, negatives, longest, beams, length_penalty: As in `Config`.
    """

    def __init__(
        self,
        source_size: int,
        target_size: int,
        named: int,
        source_width: int,
        target_width: int,
        units: int,
        layers: int,
        cell: str,
        dropout: float,
        negatives: int,
        longest: int,
        beams: int,
        length_penalty: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._given: dict[str, Any] = {
            "source_size": source_size, "target_size": target_size, "named": named, "source_width": source_width,
            "target_width": target_width, "units": units, "layers": layers, "cell": cell, "dropout": dropout,
            "negatives": negatives, "longest": longest, "beams": beams, "length_penalty": length_penalty,
        }  # fmt: skip
        self.begin = self.end = target_size
        self.named, self.negatives = named, negatives
        self.longest, self.beams, self.length_penalty = longest, beams, length_penalty
        kind = keras.layers.LSTM if cell == "lstm" else keras.layers.GRU

        def stack(name: str) -> list[keras.layers.Layer]:
            return [
                kind(units, return_sequences=True, return_state=True, name=f"{name}_{n}", dtype=self.dtype_policy)
                for n in range(layers)
            ]

        # The first layer of the encoder reads both ways, so that every place knows what is around it.
        self.read = keras.layers.Embedding(source_size, source_width, name="read")
        self.backwards = kind(units, return_sequences=True, go_backwards=True, name="backwards")
        self.encoder = stack("encoder")
        self.write = keras.layers.Embedding(target_size + 1, target_width, name="write")
        self.decoder = stack("decoder")
        self.keys = keras.layers.Dense(units, use_bias=False, name="keys")
        self.query = keras.layers.Dense(units, name="query")
        self.attention = keras.layers.AdditiveAttention(name="attention")
        self.joined = keras.layers.Dense(units, activation="tanh", name="joined")
        self.next_word = NextWord(target_size + 1, name="next_word")
        self.drop = keras.layers.Dropout(dropout, name="drop")
        self.seed_generator = keras.random.SeedGenerator()

    def build(self, source_shape: Shape, target_shape: Shape) -> None:
        """All layers by what goes through them."""
        given = self._given
        width, units = given["units"], (None, None, given["units"])
        self.read.build((None, None))
        self.write.build((None, None))
        self.backwards.build((None, None, given["source_width"]))
        for stack, first in ((self.encoder, given["source_width"]), (self.decoder, given["target_width"])):
            for place, layer in enumerate(stack):
                layer.build((None, None, first if not place else width))
        self.keys.build((None, None, 2 * width))
        self.query.build(units)
        self.attention.build([units, units, units])
        self.joined.build((None, None, 3 * width))
        self.next_word.build(units)

    def call(
        self, source: tf.Tensor, target: tf.Tensor, training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Sums of losses and numbers of tokens, `[batch]`; ids of what was written `[batch, longest]`.

        Args:
            source: Ids, `[batch, words]`, negative behind the end.
            target: The same; a row without any has no loss.
            training: Nothing is written then.
        """
        memory, states = self._encode(source, training)
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
            return loss, tokens, tf.fill([tf.shape(source)[0], self.longest], tf.constant(PAD, tf.int64))
        return loss, tokens, self._search(memory, states)

    def _encode(self, source: tf.Tensor, training: bool) -> tuple[tuple[tf.Tensor, tf.Tensor, tf.Tensor], States]:
        """What was read, its keys, and where there is any; and the state behind it, by layer."""
        there = source > PAD
        # A text without words is one step: a layer that skips all steps of a row has no last one.
        source = tf.pad(source, [[0, 0], [0, 1]], constant_values=PAD)
        there = tf.concat([there, tf.zeros_like(there[:, :1])], axis=1)
        there = there | (tf.range(tf.shape(source)[1]) == 0)
        hidden = vectors = self.drop(self.read(tf.maximum(source, 0)), training=training)
        states = []
        for layer in self.encoder:
            hidden, *state = layer(hidden, mask=there, training=training)
            hidden = self.drop(hidden, training=training)
            states.append(list(state))
        behind = tf.reverse(self.backwards(vectors, mask=there, training=training), [1])
        memory = tf.concat([hidden, behind], axis=-1)
        return (memory, self.keys(memory), there), states

    def _decode(
        self, ids: tf.Tensor, memory: tuple[tf.Tensor, tf.Tensor, tf.Tensor], states: States, training: bool = False
    ) -> tuple[tf.Tensor, States]:
        """What is known at each place of the words so far, `[batch, words, units]`, and the state behind them."""
        read, keys, there = memory
        hidden = self.drop(self.write(ids), training=training)
        after = []
        for layer, state in zip(self.decoder, states, strict=True):
            hidden, *state = layer(hidden, initial_state=state, training=training)
            hidden = self.drop(hidden, training=training)
            after.append(list(state))
        context = self.attention([self.query(hidden), read, keys], mask=[None, there], training=training)
        return self.joined(tf.concat([hidden, context], axis=-1)), after

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

    def _search(self, memory: tuple[tf.Tensor, tf.Tensor, tf.Tensor], states: States) -> tf.Tensor:
        """Ids of the best text that beam search finds, `[batch, longest]`."""
        batch, beams, words = tf.shape(memory[0])[0], self.beams, self.end + 1
        memory = tuple(tf.repeat(part, beams, axis=0) for part in memory)  # type: ignore[assignment]
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
            tf.constant(0), written, tf.tile(before[tf.newaxis], [batch, 1]), tf.zeros([batch, beams], tf.bool), *flat,
        )  # fmt: skip
        invariants = tuple(tf.TensorShape([None, *part.shape[1:]]) if part.shape.rank else part.shape for part in start)
        _, written, scores, *_ = tf.while_loop(unfinished, go_on, start, shape_invariants=invariants)
        lengths = tf.cast(tf.reduce_sum(tf.cast(written != self.end, tf.int32), axis=2), tf.float32)
        best = tf.argmax(scores / ((5 + lengths) / 6) ** self.length_penalty, axis=1)
        text = tf.gather(written, best, batch_dims=1)
        return tf.where(text == self.end, tf.constant(PAD, tf.int64), text)

    def compute_output_shape(self, source_shape: Shape, target_shape: Shape) -> tuple[Shape, Shape, Shape]:
        return (source_shape[0],), (source_shape[0],), (source_shape[0], self.longest)

    def compute_output_spec(self, source: Any, target: Any, training: bool = False) -> tuple[Any, Any, Any]:
        """Three tensors; ids are integers."""
        one, other, ids = self.compute_output_shape(source.shape, target.shape)
        return (
            keras.KerasTensor(one, "float32"), keras.KerasTensor(other, "float32"), keras.KerasTensor(ids, "int64"),
        )  # fmt: skip

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | self._given
