"""Checks of the projects that bring recipes and datasets: can they be imported, and can their code travel?"""

from collections.abc import Callable

from emberline.features.errors import BadInputError
from emberline.pipelines.console.package_checks import Check
from emberline.pipelines.datasets import dataset_places, load_dataset
from emberline.pipelines.recipes import recipe_at, recipe_places
from emberline.pipelines.runtime.catalogue import Place
from emberline.pipelines.runtime.code_archive import project_code
from emberline.pipelines.runtime.projects import Project, projects


def project_checks() -> list[Check]:
    """Returns a finding for each project that is known here."""
    try:
        known = projects()
    except BadInputError as error:
        return [Check("project", False, str(error), "Correct the file.")]
    if not known:
        return [Check("projects", True, "none besides emberline")]
    recipes, datasets = recipe_places(), dataset_places()
    return [_check(project, recipes, datasets) for project in known]


def _check(project: Project, recipes: dict[str, list[Place]], datasets: dict[str, list[Place]]) -> Check:
    def theirs(places: dict[str, list[Place]]) -> list[Place]:
        return [place for several in places.values() for place in several if place.project == project.name]

    named = f"project {project.name}"
    found = f"{project_code(project)}: {len(theirs(recipes))} recipes, {len(theirs(datasets))} datasets"
    wrong = [
        *_faults(theirs(recipes), recipe_at),
        *_faults(theirs(datasets), lambda place: load_dataset(place.full)),
    ]
    lost = [name for name in project.packages if name not in project.locations()]
    wrong += [f"its package {name} cannot be imported" for name in lost]
    return Check(named, not wrong, found, " ".join(wrong))


def _faults(places: list[Place], load: Callable[[Place], object]) -> list[str]:
    faults = []
    for place in places:
        try:
            load(place)
        except BadInputError as error:
            faults.append(str(error))
    return faults
