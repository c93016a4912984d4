"""The layers of a network that writes a sentence about an image."""

from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from emberline.models.text.writer import Memory, Shape, States, Writer, WriterSettings


@dataclass(frozen=True, kw_only=True)
class CaptionerSettings(WriterSettings):
    """See `emberline.models.text.captions.Config`.

    Args:
        image_width: Numbers of the vector of an image.
        units: Of the LSTM.
    """

    image_width: int
    units: int


@keras.saving.register_keras_serializable("emberline")
class Captioner(Writer):
    """Reads a vector, and writes ids; see `emberline.models.text.captions.Config`."""

    Settings = CaptionerSettings
    settings: CaptionerSettings

    def __init__(self, settings: CaptionerSettings, **kwargs: Any) -> None:
        super().__init__(settings, **kwargs)
        units = settings.units
        self.look = keras.layers.Dense(settings.target_width, use_bias=False, name="look")
        self.decoder = keras.layers.LSTM(
            units, return_sequences=True, return_state=True, name="decoder", dtype=self.dtype_policy
        )

    def build(self, image_shape: Shape, target_shape: Shape) -> None:
        """Builds all layers for the shapes of their inputs."""
        self.look.build((None, self.settings.image_width))
        self.write.build((None, None))
        self.decoder.build((None, None, self.settings.target_width))
        self.next_word.build((None, None, self.settings.units))

    def call(
        self, image: tf.Tensor, target: tf.Tensor, training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Sums of losses and numbers of tokens, `[batch]`; ids of what was written `[batch, longest]`.

        Args:
            image: `[batch, image_width]`.
            target: Ids, `[batch, words]`, negative behind the end; a row without any has no loss.
            training: Nothing is written then.
        """
        return self._written(target, (), [self._seen(image, training)], training)

    def _seen(self, image: tf.Tensor, training: bool) -> list[tf.Tensor]:
        """The state after a first step that reads the image where others read a word; it has no output."""
        vector = self.drop(self.look(image), training=training)
        _, *state = self.decoder(vector[:, tf.newaxis], training=training)
        return list(state)

    def _decode(
        self, ids: tf.Tensor, memory: Memory, states: States, training: bool = False
    ) -> tuple[tf.Tensor, States]:
        """See `Writer`; nothing but the state remembers the image."""
        vectors = self.drop(self.write(ids), training=training)
        hidden, *state = self.decoder(vectors, initial_state=states[0], training=training)
        return self.drop(hidden, training=training), [list(state)]
