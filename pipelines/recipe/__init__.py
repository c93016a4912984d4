"""A recipe: one use case as a frozen value, and everything that it is declared with."""

from emberline.pipelines.recipe.evaluation import Evaluation, Gate, slice_bounds
from emberline.pipelines.recipe.recipe import ModelConfig, Preparation, Recipe, flatten
from emberline.pipelines.recipe.schedule import Schedule
from emberline.pipelines.recipe.search_space import Axis, Between, OneOf
from emberline.pipelines.recipe.training import Launcher, Optimizer, Training

__all__ = [
    "Axis", "Between", "Evaluation", "Gate", "Launcher", "ModelConfig", "OneOf", "Optimizer", "Preparation", "Recipe",
    "Schedule", "Training", "flatten", "slice_bounds",
]  # fmt: skip
