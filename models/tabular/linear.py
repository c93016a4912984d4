"""Logistic regression over feature columns: the "wide" model of the TensorFlow tutorials."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from features.columns import Column, Transformed, Weighted

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Config:
    """A linear model.

    Args:
        wide: Columns of the linear model; categorical ones count as one-hot.
    """

    wide: tuple[Transformed | Weighted, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.wide


def build(config: Config, cardinalities: Mapping[str, int]) -> "keras.Model":
    """A model from stored columns to a logit.

    Args:
        config: The columns.
        cardinalities: Number of ids of every categorical column.

    Returns:
        Inputs `{column name: [batch]}`, output `[batch]` log-odds of the positive class.
    """
    import keras

    from models.tabular import feature_layers

    inputs = feature_layers.model_inputs(config.columns)
    logit = feature_layers.linear_logit(config.wide, inputs, cardinalities, name="wide")
    return keras.Model(inputs, logit, name="linear")
