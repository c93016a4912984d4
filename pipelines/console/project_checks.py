"""Checks of the projects beside emberline: can what they declare be imported, and can their code travel?"""

from collections.abc import Callable

from emberline.features.errors import BadInputError
from emberline.pipelines.console.package_checks import Check
from emberline.pipelines.datasets import dataset_places, load_dataset
from emberline.pipelines.recipe.loss import LOSSES
from emberline.pipelines.recipe.metric import METRICS
from emberline.pipelines.recipe.overrides import COLUMNS, NETWORKS
from emberline.pipelines.recipe.training import OWN_OPTIMIZERS
from emberline.pipelines.recipes import recipe_at, recipe_places
from emberline.pipelines.runtime.catalogue import Place
from emberline.pipelines.runtime.code_archive import project_code
from emberline.pipelines.runtime.projects import Project, projects
from emberline.pipelines.tasks import TASKS

CODE = (NETWORKS, COLUMNS, LOSSES, METRICS, OWN_OPTIMIZERS, TASKS)
ALWAYS = ("recipes", "datasets")
"""What the line of a project counts even where it has none."""


def project_checks() -> list[Check]:
    """Returns a finding for each project that is known here."""
    try:
        known = projects()
    except BadInputError as error:
        return [Check("project", False, str(error), "Correct the file.")]
    if not known:
        return [Check("projects", True, "none besides emberline")]
    found = {"recipes": recipe_places(), "datasets": dataset_places()}
    found |= {catalogue.plural: catalogue.places() for catalogue in CODE}
    return [_check(project, found) for project in known]


def _check(project: Project, found: dict[str, dict[str, list[Place]]]) -> Check:
    theirs = {
        kind: [place for several in places.values() for place in several if place.project == project.name]
        for kind, places in found.items()
    }
    counted = ", ".join(f"{kind} {len(places)}" for kind, places in theirs.items() if places or kind in ALWAYS)
    loads = {"recipes": recipe_at, "datasets": lambda place: load_dataset(place.full)}
    loads |= {catalogue.plural: catalogue.load for catalogue in CODE}
    wrong = [fault for kind, places in theirs.items() for fault in _faults(places, loads[kind])]
    lost = [name for name in project.packages if name not in project.locations()]
    wrong += [f"its package {name} cannot be imported" for name in lost]
    return Check(f"project {project.name}", not wrong, f"{project_code(project)}: {counted}", " ".join(wrong))


def _faults(places: list[Place], load: Callable[[Place], object]) -> list[str]:
    faults = []
    for place in places:
        try:
            load(place)
        except BadInputError as error:
            faults.append(str(error))
    return faults
