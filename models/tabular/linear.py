"""A linear model over feature columns: the "wide" model of the TensorFlow tutorials, for any task."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emberline.features.columns import Column, Transformed, Weighted

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Config:
    """A linear model.

    Args:
        wide: Columns of the linear model; categorical ones count as one-hot.
        outputs: 1, or the number of classes when there are more than two.
    """

    wide: tuple[Transformed | Weighted, ...]
    outputs: int = 1

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.wide


def build(config: Config, cardinalities: Mapping[str, int]) -> "keras.Model":
    """Returns a model from stored columns to what the task needs.

    Args:
        config: The columns.
        cardinalities: Number of ids of every categorical column.

    Returns:
        Inputs `{column name: [batch]}`, output `[batch]`, or a logit per class `[batch, outputs]`.
    """
    import keras

    from emberline.models.tabular import feature_layers

    inputs = feature_layers.model_inputs(config.columns)
    logit = feature_layers.linear_logit(config.wide, inputs, cardinalities, "wide", config.outputs)
    return keras.Model(inputs, logit, name="linear")
