"""A language model: recurrent layers that tell the next word of a text from all before it.

Zaremba, Sutskever, Vinyals, "Recurrent Neural Network Regularization": dropout between layers and never within the
recurrence, no bias of forget gates, all weights uniform around zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from emberline.features.columns import PAD, Column, Embedding
from emberline.features.errors import BadInputError
from emberline.features.names import safe_name

if TYPE_CHECKING:
    import keras

    Tensors = dict[str, keras.KerasTensor]

STATE = "state_"
"""How inputs and outputs of a network begin that are its state: `state_LAYER_PART`."""


@dataclass(frozen=True)
class Config:
    """The network.

    Args:
        words: A vector per word, as wide as the layers.
        layers: Recurrent layers on top of each other.
        cell: `lstm` or `gru`.
        dropout: Share of the elements dropped in training in front of the first layer and behind each.
        spread: Weights begin uniform between -spread and spread.
    """

    words: Embedding
    layers: int = 2
    cell: Literal["lstm", "gru"] = "lstm"
    dropout: float = 0.0
    spread: float = 0.1

    def __post_init__(self) -> None:
        if self.layers < 1 or not 0 <= self.dropout < 1:
            raise BadInputError(
                f"Language model: expected a layer at least and a dropout from 0 to below 1, got {self.layers} and "
                f"{self.dropout}."
            )

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.words,)

    @property
    def outputs(self) -> int:
        """Several by name."""
        return 0

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the parts of its state, each `[batch, dimension]`."""
        parts = ("h", "c") if self.cell == "lstm" else ("h",)
        return tuple(f"{STATE}{layer}_{part}" for layer in range(self.layers) for part in parts)


def build(config: Config, cardinalities: Mapping[str, int]) -> "keras.Model":
    """Builds a model from a text's ids to the outputs of the task `language`; each text is read from its beginning.

    Args:
        config: Column and layers.
        cardinalities: Number of ids of every categorical column.

    Returns:
        Input `[batch, words]`; outputs `loss`, the sum of -ln of the probabilities of all words but the first,
        `tokens`, how many these are, and `loss/`, once more the loss; `[batch]` each.
    """
    import keras

    from emberline.models.tabular import feature_layers
    from emberline.models.text.next_word import NextWord

    inputs = feature_layers.model_inputs(config.columns)
    size, width = cardinalities[config.words.source.name], config.words.dimension
    evenly = keras.initializers.RandomUniform(-config.spread, config.spread)
    kind = keras.layers.LSTM if config.cell == "lstm" else keras.layers.GRU
    plain = {"unit_forget_bias": False} if config.cell == "lstm" else {}
    network = {"words": keras.layers.Embedding(size, width, evenly, name=f"words_{safe_name(config.words.name)}")}
    for layer in range(config.layers):
        network[f"layer_{layer}"] = kind(
            width,
            kernel_initializer=evenly,
            recurrent_initializer=evenly,
            return_sequences=True,
            return_state=True,
            name=f"layer_{layer}",
            **plain,
        )
    for place in range(config.layers + 1 if config.dropout else 0):
        network[f"dropout_{place}"] = keras.layers.Dropout(config.dropout, name=f"dropout_{place}")
    network["next_word"] = NextWord(size, evenly, name="next_word")
    outputs, _, _ = _said(config, network, inputs, {})
    return keras.Model(inputs, outputs, name="language")


def carried(config: Config, model: "keras.Model") -> "keras.Model":
    """Returns the same network, with the same weights, whose state is an input and an output.

    Args:
        config: Of the model.
        model: What `build` made.

    Returns:
        Inputs as of `build`, and of `config.states` `[batch, dimension]`; outputs as there, the states behind the
        last word but one, and `logits` `[batch, ids]` of the last word.
    """
    import keras

    from emberline.models.tabular import feature_layers

    inputs = feature_layers.model_inputs(config.columns)
    states = {name: keras.Input((config.words.dimension,), name=name) for name in config.states}
    layers = {
        layer.name.partition("_")[0] if layer.name.startswith("words") else layer.name: layer for layer in model.layers
    }
    outputs, after, hidden = _said(config, layers, inputs, states)
    outputs |= after | {"logits": layers["next_word"](hidden[:, -1])}
    return keras.Model({**inputs, **states}, outputs, name="language_carried")


def _said(
    config: Config, layers: "Mapping[str, keras.layers.Layer]", inputs: "Tensors", states: "Tensors"
) -> "tuple[Tensors, Tensors, keras.KerasTensor]":
    """Outputs, the state behind the last word but one, and what the last layer says, `[batch, words - 1, width]`."""
    from keras import ops

    ids = inputs[config.words.source.name]
    if not states:  # a text of one word is a step, too
        ids = ops.pad(ids, [[0, 0], [0, 1]], constant_values=PAD)
    hidden = layers["words"](ops.maximum(ids[:, :-1], 0))
    after: Tensors = {}
    for layer in range(config.layers):
        if config.dropout:
            hidden = layers[f"dropout_{layer}"](hidden)
        names = [name for name in config.states if name.startswith(f"{STATE}{layer}_")]
        hidden, *parts = layers[f"layer_{layer}"](
            hidden, initial_state=[states[name] for name in names] if states else None
        )
        after |= dict(zip(names, parts, strict=True))
    if config.dropout:
        hidden = layers[f"dropout_{config.layers}"](hidden)
    meant = ops.cast(ids[:, 1:] >= 0, "float32")
    loss = ops.sum(layers["next_word"](hidden, ids[:, 1:]) * meant, axis=-1)
    return {"loss": loss, "tokens": ops.sum(meant, axis=-1), "loss/": loss}, after, hidden
