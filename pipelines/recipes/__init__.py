"""Recipes: one module per use case, in folders by kind of data; a recipe is found by its module's name at any depth."""

import importlib
from collections.abc import Mapping

from emberline.features.errors import BadInputError, nearest
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.recipe.overrides import with_overrides
from emberline.pipelines.runtime.named_modules import named_modules


def recipe_names() -> list[str]:
    """All recipes, sorted."""
    return sorted(named_modules(__name__, __path__))


def recipe_notes(name: str) -> str:
    """What the module of a recipe says about it: what it reproduces, what it costs, what to expect."""
    return importlib.import_module(named_modules(__name__, __path__)[name]).__doc__ or ""


def load_recipe(name: str, overrides: Mapping[str, str] | None = None) -> Recipe:
    """The recipe called `name`, with fields replaced.

    Args:
        name: Module of this package.
        overrides: Dotted field to new value as text, such as `{"training.epochs": "3"}`.

    Raises:
        BadInputError: for an unknown name or field, or a value of another type.
    """
    known = named_modules(__name__, __path__)
    if name not in known:
        raise BadInputError(f"Unknown recipe {name!r}. {nearest(name, sorted(known))}")
    recipe: Recipe = importlib.import_module(known[name]).RECIPE
    return with_overrides(recipe, overrides or {})
