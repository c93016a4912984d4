"""Encoder, attention and decoder: the layers of a network that writes one text for another."""

from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from emberline.features.columns import PAD
from emberline.models.text.writer import Memory, Shape, States, Writer, WriterSettings


@dataclass(frozen=True, kw_only=True)
class TranslatorSettings(WriterSettings):
    """See `emberline.models.text.translation.Config`.

    Args:
        source_size: Ids that are read.
        source_width: Length of a vector that is read.
        units: As in `Config`.
        layers: As in `Config`.
        cell: As in `Config`.
    """

    source_size: int
    source_width: int
    units: int
    layers: int
    cell: str


@keras.saving.register_keras_serializable("emberline")
class Translator(Writer):
    """Reads ids, and writes ids; see `emberline.models.text.translation.Config`."""

    Settings = TranslatorSettings
    settings: TranslatorSettings

    def __init__(self, settings: TranslatorSettings, **kwargs: Any) -> None:
        super().__init__(settings, **kwargs)
        units = settings.units
        kind = keras.layers.LSTM if settings.cell == "lstm" else keras.layers.GRU

        def stack(name: str) -> list[keras.layers.Layer]:
            return [
                kind(units, return_sequences=True, return_state=True, name=f"{name}_{n}", dtype=self.dtype_policy)
                for n in range(settings.layers)
            ]

        # The first layer of the encoder reads both ways, so that every place knows what is around it.
        self.read = keras.layers.Embedding(settings.source_size, settings.source_width, name="read")
        self.backwards = kind(units, return_sequences=True, go_backwards=True, name="backwards")
        self.encoder = stack("encoder")
        self.decoder = stack("decoder")
        self.keys = keras.layers.Dense(units, use_bias=False, name="keys")
        self.query = keras.layers.Dense(units, name="query")
        self.attention = keras.layers.AdditiveAttention(name="attention")
        self.joined = keras.layers.Dense(units, activation="tanh", name="joined")

    def build(self, source_shape: Shape, target_shape: Shape) -> None:
        """Builds all layers for the shapes of their inputs."""
        width = self.settings.units
        units = (None, None, width)
        self.read.build((None, None))
        self.write.build((None, None))
        self.backwards.build((None, None, self.settings.source_width))
        stacks = ((self.encoder, self.settings.source_width), (self.decoder, self.settings.target_width))
        for stack, first in stacks:
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
        return self._written(target, memory, states, training)

    def _encode(self, source: tf.Tensor, training: bool) -> tuple[Memory, States]:
        """What was read, its keys, and where there is any; and the state behind it, by layer."""
        mask = source > PAD
        # A text without words is one step: a layer that skips all steps of a row has no last one.
        source = tf.pad(source, [[0, 0], [0, 1]], constant_values=PAD)
        mask = tf.concat([mask, tf.zeros_like(mask[:, :1])], axis=1)
        mask = mask | (tf.range(tf.shape(source)[1]) == 0)
        hidden = vectors = self.drop(self.read(tf.maximum(source, 0)), training=training)
        states = []
        for layer in self.encoder:
            hidden, *state = layer(hidden, mask=mask, training=training)
            hidden = self.drop(hidden, training=training)
            states.append(list(state))
        behind = tf.reverse(self.backwards(vectors, mask=mask, training=training), [1])
        memory = tf.concat([hidden, behind], axis=-1)
        return (memory, self.keys(memory), mask), states

    def _decode(
        self, ids: tf.Tensor, memory: Memory, states: States, training: bool = False
    ) -> tuple[tf.Tensor, States]:
        """What is known at each place of the words so far, `[batch, words, units]`, and the state behind them."""
        read, keys, mask = memory
        hidden = self.drop(self.write(ids), training=training)
        after = []
        for layer, state in zip(self.decoder, states, strict=True):
            hidden, *state = layer(hidden, initial_state=state, training=training)
            hidden = self.drop(hidden, training=training)
            after.append(list(state))
        context = self.attention([self.query(hidden), read, keys], mask=[None, mask], training=training)
        return self.joined(tf.concat([hidden, context], axis=-1)), after
