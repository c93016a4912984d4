"""`emberline init NAME`: a small repository with a recipe, a network and data to try them on."""

import keyword
import re
import sys
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from emberline.features.errors import BadInputError

PLACEHOLDER = "myproject"
ENDING = ".template"
"""Of the files in `template/`, whose texts belong to nobody's package."""

HIDDEN = {"gitignore": ".gitignore"}


@dataclass(frozen=True)
class NewProject:
    """What was written.

    Args:
        folder: Of the repository.
        files: Its files.
        recipe: The name of its recipe.
    """

    folder: str
    files: tuple[str, ...]
    recipe: str


def new_project(name: str, parent: Path) -> NewProject:
    """Writes the repository, in a folder of its name.

    Args:
        name: Of the package and of the folder.
        parent: Folder that takes it.

    Raises:
        BadInputError: if the name is none of a package, is taken, or the folder exists.
    """
    _require_name(name)
    folder = parent / name
    if folder.exists():
        raise BadInputError(f"{folder} exists already. Choose another name, or remove it.")
    written = []
    for place, source in sorted(_templates(files("emberline.pipelines.console") / "template")):
        target = folder / HIDDEN.get(place, place).replace(PLACEHOLDER, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(source.read_text(encoding="utf-8").replace(PLACEHOLDER, name), encoding="utf-8")
        written.append(target.relative_to(folder).as_posix())
    return NewProject(str(folder), tuple(written), f"{name}_tips")


def _require_name(name: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise BadInputError(
            f"{name!r} is no name of a package: expected small letters, digits and underscores, a letter first, such "
            "as ride_tips."
        )
    if name in sys.stdlib_module_names or name == "emberline":
        raise BadInputError(f"{name!r} is the name of a package that Python or emberline has. Choose another.")


def _templates(folder: Traversable, above: str = "") -> list[tuple[str, Traversable]]:
    found = []
    for item in folder.iterdir():
        if item.is_dir():
            found += _templates(item, f"{above}{item.name}/")
        elif item.name.endswith(ENDING):
            found.append((above + item.name.removesuffix(ENDING), item))
    return found
