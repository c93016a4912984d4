"""What can be run here, and whether this machine can run it: the views behind `list`, `show` and `doctor`."""

import argparse
import json
import sys
from typing import Any

from emberline.features.errors import BadInputError
from emberline.pipelines.console.parameter_counts import COUNTS, KnownCounts
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.recipes import load_recipe, recipe_at, recipe_notes, recipe_places
from emberline.pipelines.runtime.catalogue import OURS, Place
from emberline.pipelines.runtime.projects import CODE_GROUPS, projects


def list_view(argv: list[str]) -> dict[str, Any]:
    """Returns `emberline list`: every recipe with its family, size and source, and what else projects declare."""
    argparse.ArgumentParser(prog="list", description=list_view.__doc__, allow_abbrev=False).parse_args(argv)
    found, broken = [], []
    counts = KnownCounts()
    for name, places in sorted(recipe_places().items()):
        for place in places:
            try:
                found.append(_row(recipe_at(place), name, place, counts))
            except BadInputError as error:  # of a project: the others are shown nevertheless
                broken.append({"name": name, "project": place.project, "reason": str(error)})
    for row in found:
        size = f"{row['parameters']:,}" if row["parameters"] else "learned"
        source = row["source"] if row["project"] == OURS else f"[{row['project']}] {row['source']}"
        print(f"{row['name']:<24} {row['family']:<10} {size:>12}  {source}", file=sys.stderr)
    for item in broken:
        print(f"{item['name']:<24} cannot be used: {item['reason']}", file=sys.stderr)
    code = [
        {"kind": group.partition(".")[2], "name": name, "project": project.name, "at": value}
        for project in projects()
        for group in CODE_GROUPS
        for name, value in project.entries.get(group, ())
    ]
    for item in code:
        print(f"{item['name']:<24} {item['kind']:<10} {'':>12}  [{item['project']}] {item['at']}", file=sys.stderr)
    return {"recipes": found} | ({"broken": broken} if broken else {}) | ({"code": code} if code else {})


def show_view(argv: list[str]) -> dict[str, Any]:
    """Returns `emberline show NAME`: everything a recipe says, after --set, if it can work with its dataset."""
    from emberline.pipelines.runtime.arguments import add_overrides

    parser = argparse.ArgumentParser(prog="show", description=show_view.__doc__, allow_abbrev=False)
    parser.add_argument("pipeline", metavar="NAME", help="recipe, or module:NAME")
    parser.add_argument("--check", action="store_true", help="build its network too, which takes seconds")
    add_overrides(parser)
    given = parser.parse_args(argv)
    recipe = load_recipe(given.pipeline, given.overrides)
    plain = recipe.to_json()
    print(recipe_notes(given.pipeline), file=sys.stderr)
    print(json.dumps(plain, indent=2), file=sys.stderr)
    from emberline.pipelines.console.recipe_checks import built_weights, require_sound  # needs Spark's types

    require_sound(recipe)
    if not given.check:
        return {"recipe": plain}
    weights = built_weights(recipe)
    print(f"The network builds: {weights:,} trainable weights.", file=sys.stderr)
    return {"recipe": plain, "weights": weights}


def doctor_view(argv: list[str]) -> dict[str, Any]:
    """Returns `emberline doctor`: what this machine, its stores and a cluster have and lack."""
    from emberline.pipelines.console.machine_checks import machine_checks
    from emberline.pipelines.console.package_checks import package_checks
    from emberline.pipelines.console.project_checks import project_checks
    from emberline.pipelines.runtime import arguments

    parser = argparse.ArgumentParser(prog="doctor", description=doctor_view.__doc__, allow_abbrev=False)
    arguments.add_workspace(parser)
    arguments.add_tracking(parser)
    parser.add_argument("--master", metavar="URL", help="Spark master whose executors are counted; default: none")
    parser.add_argument(
        "--store",
        action="append",
        type=arguments.location,
        default=[],
        metavar="URI",
        help="folder in which to write, read, rename and delete, with --master in executors too; may be repeated",
    )
    given = parser.parse_args(argv)
    store = arguments.tracking_uri(given.tracking_uri, given.workspace)
    checks = [
        *package_checks(),
        *project_checks(),
        *machine_checks(given.workspace, store, given.master, given.store),
    ]
    for item in checks:
        print(f"{'ok  ' if item.good else 'FAIL'} {item.name:<18} {item.found}", file=sys.stderr)
        if not item.good:
            print(f"     {'':<18} {item.advice}", file=sys.stderr)
    if bad := [item.name for item in checks if not item.good]:
        raise BadInputError(f"Not ready: {', '.join(bad)}")
    return {"checks": {item.name: item.found for item in checks}}


def _row(recipe: Recipe, name: str, place: Place, counts: KnownCounts) -> dict[str, Any]:
    return {
        "name": name,
        "family": recipe.family,
        "parameters": COUNTS[name] if place.project == OURS else _counted(recipe, counts),
        "source": recipe.source,
        "dataset": recipe.dataset_name,
        # Every dataset of ours can generate a labelled stand-in, so every recipe runs without files.
        "synthetic": place.project == OURS,
        "project": place.project,
    }


def _counted(recipe: Recipe, counts: KnownCounts) -> int | None:
    try:
        return counts.of(recipe)
    except Exception:  # a network that does not build; `show --check` says why
        return None
