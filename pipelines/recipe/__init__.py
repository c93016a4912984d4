"""A recipe: one use case as a frozen value, and everything that it is declared with."""

from emberline.pipelines.recipe.callback import Callback, EpochEnd
from emberline.pipelines.recipe.evaluation import Evaluation, Gate, slice_bounds
from emberline.pipelines.recipe.loss import Loss
from emberline.pipelines.recipe.metric import KerasMetric, MeanMetric, Metric, SumMetric, WholeMetric
from emberline.pipelines.recipe.recipe import ModelConfig, Preparation, Recipe, flatten
from emberline.pipelines.recipe.schedule import Schedule
from emberline.pipelines.recipe.search_space import Axis, Between, OneOf
from emberline.pipelines.recipe.training import Launcher, Optimizer, Training

__all__ = [
    "Axis",
    "Between",
    "Callback",
    "EpochEnd",
    "Evaluation",
    "Gate",
    "KerasMetric",
    "Launcher",
    "Loss",
    "MeanMetric",
    "Metric",
    "ModelConfig",
    "OneOf",
    "Optimizer",
    "Preparation",
    "Recipe",
    "Schedule",
    "SumMetric",
    "Training",
    "WholeMetric",
    "flatten",
    "slice_bounds",
]
