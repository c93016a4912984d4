"""What can be named on a command line and in a recipe: recipes, datasets, networks, columns, losses and so on.

Our recipes and datasets are found by their module's name, what projects have by entry points, and anything by
`module:NAME`.
"""

import importlib
import pkgutil
import traceback
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from emberline.features.errors import BadInputError, nearest
from emberline.pipelines.runtime.named_modules import named_modules
from emberline.pipelines.runtime.projects import import_from, projects, remember

OURS = "emberline"


@dataclass(frozen=True)
class Place:
    """Where something is declared.

    Args:
        module: Dotted path.
        attribute: Its name there.
        project: The project that declares it; empty where it was named in full.
    """

    module: str
    attribute: str
    project: str = ""

    @property
    def full(self) -> str:
        """`module:NAME`, which names it anywhere."""
        return f"{self.module}:{self.attribute}"


@dataclass(frozen=True)
class Catalogue:
    """All things of one kind.

    Args:
        kind: What they are called, in singular.
        attribute: Their name in a module that declares one.
        group: Entry points that name them: a module, a package of such modules, or `module:NAME`.
        package: Dotted path of our own package of them; empty where all are of projects.
        path: Its `__path__`.
        skip: Folders there that hold none.
        listed_by: Command that names all; empty where messages do.
    """

    kind: str
    attribute: str
    group: str
    package: str = ""
    path: Iterable[str] = ()
    skip: Collection[str] = ()
    listed_by: str = ""

    @property
    def plural(self) -> str:
        """What several are called, as their entry points are."""
        return self.group.rpartition(".")[2]

    def has(self, name: str) -> bool:
        """Returns whether `name` is of the form `module:NAME`, or that of an entry point or a module of ours."""
        return ":" in name or name in self.places()

    def named(self, name: str) -> Any:
        """Returns what is called `name`.

        Raises:
            BadInputError: as of `place` and `load`.
        """
        return self.load(self.place(name))

    def places(self) -> dict[str, list[Place]]:
        """Returns where each is declared, by name; nothing is imported."""
        found: dict[str, list[Place]] = {}
        for name, module in named_modules(self.package, self.path, self.skip).items():
            found.setdefault(name, []).append(Place(module, self.attribute, OURS))
        for project in projects():
            for name, value in project.entries.get(self.group, ()):
                for known, place in self._entry(project.name, name, value):
                    found.setdefault(known, []).append(place)
        return found

    def place(self, name: str) -> Place:
        """Returns where the thing called `name` is declared.

        Raises:
            BadInputError: if there is none, or several.
        """
        module, colon, attribute = name.partition(":")
        if colon:
            import_from(Path.cwd())
            return Place(module, attribute or self.attribute)
        known = self.places()
        match known.get(name, []):
            case [one]:
                return one
            case []:
                raise BadInputError(f"Unknown {self.kind} {name!r}. {self._advice(name, known)}")
            case several:
                listed = " and ".join(place.full for place in several)
                raise BadInputError(f"{len(several)} {self.plural} are called {name!r}: give one in full, {listed}.")

    def load(self, place: Place) -> Any:
        """Imports what is declared there, and returns it.

        Raises:
            BadInputError: if its module cannot be imported, with the file and line that stopped it, or has no such
                name.
        """
        module = imported(place.module, f"{self.kind} {place.full!r}")
        if not place.project:
            remember(place.module)
        if not hasattr(module, place.attribute):
            declared = [name for name in vars(module) if name.isupper() and not name.startswith("_")]
            raise BadInputError(
                f"{place.module} ({module.__file__}) has no {place.attribute!r}. {nearest(place.attribute, declared)}"
            )
        return getattr(module, place.attribute)

    def _entry(self, project: str, name: str, value: str) -> Iterator[tuple[str, Place]]:
        module, colon, attribute = value.partition(":")
        if not colon and (path := _path_of(module)):
            for known, dotted in named_modules(module, path).items():
                if not known.startswith("_"):
                    yield known, Place(dotted, self.attribute, project)
        else:
            yield name, Place(module, attribute or self.attribute, project)

    def _advice(self, name: str, known: dict[str, list[Place]]) -> str:
        close = nearest(name, known)
        counted: dict[str, int] = {}
        for place in (place for places in known.values() for place in places):
            counted[place.project] = counted.get(place.project, 0) + 1
        looked = ", ".join(f"{count} of {project}" for project, count in counted.items())
        example = f"{self.plural} elsewhere are named in full, such as mypackage.{self.plural}:{self.attribute}"
        if self.listed_by and not close.startswith("Did"):
            close = f"`{self.listed_by}` names all {self.plural}."
        return f"{close} Looked at {looked}; {example}, from their project's folder or installed."


def imported(module: str, what: str) -> ModuleType:
    """Imports a module; the message of a failure says what stopped it and where.

    Args:
        module: Dotted path.
        what: What it was wanted for.

    Raises:
        BadInputError: if there is no such module, or it cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(f"{error.name}.")):
            raise BadInputError(
                f"No module {error.name!r}, for {what}. Looked in {Path.cwd()} and on Python's path: install its "
                "project (pip install --editable .), or run from its folder."
            ) from error
        raise _broken(module, error) from error
    except Exception as error:  # whatever the code of others raises
        raise _broken(module, error) from error


def _broken(module: str, error: Exception) -> BadInputError:
    return BadInputError(f"{module} cannot be imported: {type(error).__name__}: {error} ({_where(module, error)}).")


def _where(module: str, error: Exception) -> str:
    """File and line: the last one in the folder of the module that was asked for, else the last of all."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<")]
    top = _path_of(module.partition(".")[0])
    folders = [str(Path(origin).parent)] if (origin := _origin_of(module)) else []
    if not module.startswith(f"{OURS}."):
        folders += list(top or ())
    for near in folders:
        if inside := [frame for frame in frames if frame.filename.startswith(near)]:
            return f"{inside[-1].filename}, line {inside[-1].lineno}"
    return f"{frames[-1].filename}, line {frames[-1].lineno}"


def _path_of(module: str) -> list[str] | None:
    """The folders of a package; None for what is a module, or cannot be found. Nothing is imported."""
    top, *rest = module.split(".")
    spec = find_spec(top)
    path = list(spec.submodule_search_locations or ()) if spec else []
    for part in rest:
        if not any(found.ispkg and found.name == part for found in pkgutil.iter_modules(path)):
            return None
        path = [f"{folder}/{part}" for folder in path]
    return path or None


def _origin_of(module: str) -> str | None:
    try:
        spec = find_spec(module)
    except Exception:  # as above
        return None
    return spec.origin if spec else None
