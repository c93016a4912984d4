"""Recipes: one module per use case, in folders by kind of data; a recipe is found by its module's name at any depth.

Those of other people's projects are found by entry points of the group `emberline.recipes`, and any by `module:NAME`.
"""

from collections.abc import Mapping

from emberline.features.errors import BadInputError
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.recipe.overrides import with_overrides
from emberline.pipelines.runtime.catalogue import Catalogue, Place, imported

_RECIPES = Catalogue("recipe", "RECIPE", "emberline.recipes", __name__, __path__, listed_by="emberline list")


def recipe_places() -> dict[str, list[Place]]:
    """Returns where all recipes are declared, by name, those of projects among them."""
    return _RECIPES.places()


def recipe_names() -> list[str]:
    """Returns all recipes of emberline itself, sorted."""
    return sorted(name for name, places in recipe_places().items() if any(one.project == "emberline" for one in places))


def recipe_notes(name: str) -> str:
    """Returns what the module of a recipe says about it: what it reproduces, what it costs, what to expect."""
    return imported(_RECIPES.place(name).module, f"recipe {name!r}").__doc__ or ""


def load_recipe(name: str, overrides: Mapping[str, str] | None = None) -> Recipe:
    """Returns the recipe called `name`, with fields replaced.

    Args:
        name: Module of this package, name of a project's recipe, or `module:NAME`.
        overrides: Dotted field to new value as text, such as `{"training.epochs": "3"}`.

    Raises:
        BadInputError: for an unknown name or field, a value of another type, or a module that cannot be imported.
    """
    return with_overrides(recipe_at(_RECIPES.place(name)), overrides or {})


def recipe_at(place: Place) -> Recipe:
    """Returns the recipe that is declared there.

    Raises:
        BadInputError: if there is none.
    """
    found = _RECIPES.load(place)
    if not isinstance(found, Recipe):
        raise BadInputError(f"{place.full} is no Recipe: its type is {type(found).__name__}.")
    return found
