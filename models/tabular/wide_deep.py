"""Wide & deep: a linear model that memorises and a network that generalises, summed into one logit.

Cheng et al., "Wide & Deep Learning for Recommender Systems", 2016.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emberline.features.columns import Bucketized, Column, Embedding, Indicator, Numeric, Transformed, Weighted
from emberline.models.tabular.dense_columns import require_dense

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Config:
    """Both towers.

    Args:
        wide: Columns of the linear tower; its variables are called `wide…`.
        deep: Dense columns of the network; its variables are called `deep…`.
        hidden_units: Widths of the network's ReLU layers.
        dropout: Share of hidden units dropped in training, 0 for none.
        outputs: 1, or the number of classes when there are more than two.
    """

    wide: tuple[Transformed | Weighted, ...]
    deep: tuple[Numeric | Bucketized | Indicator | Embedding, ...]
    hidden_units: tuple[int, ...] = (100, 50)
    dropout: float = 0.0
    outputs: int = 1

    def __post_init__(self) -> None:
        require_dense(self.deep)

    @property
    def columns(self) -> tuple[Column, ...]:
        return (*self.wide, *self.deep)


def build(config: Config, cardinalities: Mapping[str, int]) -> "keras.Model":
    """Returns a model from stored columns to what the task needs.

    Args:
        config: Both towers; one without columns is left out.
        cardinalities: Number of ids of every categorical column.

    Returns:
        Inputs `{column name: [batch]}`, output `[batch]`, or a logit per class `[batch, outputs]`.
    """
    import keras

    from emberline.models.tabular import feature_layers
    from emberline.models.tabular.hidden_layers import hidden_layers

    inputs = feature_layers.model_inputs(config.columns)
    logits = []
    if config.wide:
        logits.append(feature_layers.linear_logit(config.wide, inputs, cardinalities, "wide", config.outputs))
    if config.deep:
        dense = feature_layers.dense_features(config.deep, inputs, cardinalities, name="deep")
        logits.append(hidden_layers(dense, config.hidden_units, "relu", config.dropout, config.outputs, name="deep"))
    return keras.Model(inputs, sum(logits[1:], logits[0]), name="wide_deep")
