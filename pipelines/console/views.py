"""What can be run here, and whether this machine can run it: the views behind `list`, `show` and `doctor`."""

import argparse
import json
import sys
from typing import Any

from emberline.features.columns import cardinalities, stored
from emberline.features.errors import BadInputError
from emberline.features.statistics import Statistics
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.recipes import load_recipe, recipe_names, recipe_notes


def list_view(argv: list[str]) -> dict[str, Any]:
    """`emberline list`: every recipe with its family, size and source."""
    argparse.ArgumentParser(prog="list", description=list_view.__doc__, allow_abbrev=False).parse_args(argv)
    recipes = [_row(load_recipe(name)) for name in recipe_names()]
    for row in recipes:
        size = f"{row['parameters']:,}" if row["parameters"] else "learned"
        print(f"{row['name']:<24} {row['family']:<10} {size:>12}  {row['source']}", file=sys.stderr)
    return {"recipes": recipes}


def show_view(argv: list[str]) -> dict[str, Any]:
    """`emberline show NAME`: everything a recipe says, after --set."""
    from emberline.pipelines.runtime.arguments import add_overrides

    parser = argparse.ArgumentParser(prog="show", description=show_view.__doc__, allow_abbrev=False)
    parser.add_argument("pipeline", metavar="NAME")
    add_overrides(parser)
    given = parser.parse_args(argv)
    recipe = load_recipe(given.pipeline, given.overrides)
    plain = recipe.to_json()
    print(recipe_notes(recipe.name), file=sys.stderr)
    print(json.dumps(plain, indent=2), file=sys.stderr)
    return {"recipe": plain}


def doctor_view(argv: list[str]) -> dict[str, Any]:
    """`emberline doctor`: what this machine, its MLflow store and a cluster have and lack."""
    from emberline.pipelines.console.machine_checks import machine_checks
    from emberline.pipelines.console.package_checks import package_checks
    from emberline.pipelines.runtime import arguments

    parser = argparse.ArgumentParser(prog="doctor", description=doctor_view.__doc__, allow_abbrev=False)
    parser.add_argument("--workspace", type=arguments.location, default=arguments.location(arguments.WORKSPACE))
    arguments.add_tracking(parser)
    parser.add_argument("--master", metavar="URL", help="Spark master whose executors are counted; default: none")
    given = parser.parse_args(argv)
    store = arguments.tracking_uri(given.tracking_uri, given.workspace)
    checks = [*package_checks(), *machine_checks(given.workspace, store, given.master)]
    for item in checks:
        print(f"{'ok  ' if item.good else 'FAIL'} {item.name:<18} {item.found}", file=sys.stderr)
        if not item.good:
            print(f"     {'':<18} {item.advice}", file=sys.stderr)
    if bad := [item.name for item in checks if not item.good]:
        raise BadInputError(f"not ready: {', '.join(bad)}")
    return {"checks": {item.name: item.found for item in checks}}


def _row(recipe: Recipe) -> dict[str, Any]:
    return {
        "name": recipe.name,
        "family": recipe.family,
        "parameters": parameters(recipe),
        "source": recipe.source,
        "dataset": recipe.dataset,
        # Every dataset can generate a labelled stand-in, so every recipe runs without files.
        "synthetic": True,
    }


def parameters(recipe: Recipe) -> int | None:
    """Trainable weights, or None when their number depends on what Spark will learn."""
    try:
        sizes = cardinalities(stored(recipe.model.columns), Statistics(0, ()))
    except BadInputError:
        return None
    model = recipe.model_module.build(recipe.model, sizes)
    return sum(int(weight.value.shape.num_elements()) for weight in model.trainable_variables)
