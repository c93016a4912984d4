"""A feed-forward network over feature columns: TensorFlow's premade `DNNClassifier` and `DNNRegressor`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emberline.features.columns import Column, Embedding, Indicator, Numeric
from emberline.models.tabular.dense_columns import require_dense

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Config:
    """The network.

    Args:
        deep: Dense columns; the variables above them are called `deep…`.
        hidden_units: Widths of the hidden layers.
        activation: Of the hidden layers, by its Keras name.
        dropout: Share of hidden units dropped in training, 0 for none.
        outputs: 1, or the number of classes when there are more than two.
    """

    deep: tuple[Numeric | Indicator | Embedding, ...]
    hidden_units: tuple[int, ...] = (100, 50)
    activation: str = "relu"
    dropout: float = 0.0
    outputs: int = 1

    def __post_init__(self) -> None:
        require_dense(self.deep)

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.deep


def build(config: Config, cardinalities: Mapping[str, int]) -> "keras.Model":
    """Returns a model from stored columns to what the task needs.

    Args:
        config: Columns and layers.
        cardinalities: Number of ids of every categorical column.

    Returns:
        Inputs `{column name: [batch]}`, output `[batch]`, or a logit per class `[batch, outputs]`.
    """
    import keras

    from emberline.models.tabular import feature_layers
    from emberline.models.tabular.hidden_layers import hidden_layers

    inputs = feature_layers.model_inputs(config.columns)
    dense = feature_layers.dense_features(config.deep, inputs, cardinalities, name="deep")
    output = hidden_layers(dense, config.hidden_units, config.activation, config.dropout, config.outputs, name="deep")
    return keras.Model(inputs, output, name="dnn")
