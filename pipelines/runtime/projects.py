"""Projects beside emberline: packages of other people that bring recipes and datasets, and where their code lies.

A project is known by entry points of the groups of `GROUPS`, such as `emberline.recipes`: of an installed
distribution, of one in an archive on the path (`emberline bundle` writes such), or in the `pyproject.toml` of the
folder that a command is run in, installed or not.
"""

import json
import os
import sys
import tomllib
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import Distribution, distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from emberline.features.errors import BadInputError

CODE_GROUPS = tuple(f"emberline.{kind}" for kind in ("networks", "columns", "losses", "metrics", "optimizers", "tasks"))
GROUPS = ("emberline.recipes", "emberline.datasets", *CODE_GROUPS)
"""Of entry points."""

SHIPPED = "emberline-bundle.json"
"""Beside the entry points in an archive of `code_archive`: which code it holds."""

NO_CODE = frozenset({"tests", "test", "docs", "examples", "benchmarks", "notebooks", "build", "dist", "dags",
                     "airflow_dags", "setup", "conftest", "noxfile"})  # fmt: skip
"""Packages and modules in a project's folder that no executor needs."""


_named_in_full: set[str] = set()


@dataclass(frozen=True)
class Project:
    """A package, or several, of one distribution.

    Args:
        name: Of the distribution.
        version: Of the distribution; empty if it says none.
        packages: Its top-level packages and modules.
        entries: By group, the name and value of each entry point.
        folder: Its checkout; empty where it is installed or in an archive.
        shipped: What an archive on the path says of the code in it: version with digest, and commit.
    """

    name: str
    version: str
    packages: tuple[str, ...]
    entries: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict, hash=False)
    folder: str = ""
    shipped: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def called(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version}".strip()

    @property
    def loaded(self) -> bool:
        """Whether this process has imported anything of it."""
        return any(package in sys.modules for package in self.packages)

    def locations(self) -> dict[str, Path]:
        """Returns the folder of each package, and the file of each single module, by name."""
        found = {}
        for name in self.packages:
            spec = find_spec(name)
            if spec and spec.submodule_search_locations:
                found[name] = Path(next(iter(spec.submodule_search_locations)))
            elif spec and spec.origin:
                found[name] = Path(spec.origin)
        return found


def projects() -> tuple[Project, ...]:
    """Returns all projects that are known here, that of the present folder first; its sources are put on the path.

    Raises:
        BadInputError: if the present folder's `pyproject.toml` cannot be read.
    """
    here = _project_here()
    if here:
        import_from(source_folder(Path(here.folder)))
    known = _installed(tuple(sys.path))
    return tuple(dict.fromkeys([here] if here else [])) + tuple(
        one for one in known if not here or _normal(one.name) != _normal(here.name)
    )


def project_of(module: str) -> Project | None:
    """Returns the project that a module is of: a known one, or for a module elsewhere, a nameless one of its own
    top-level package and whatever else has been imported from the folder in which that lies. None for emberline, for
    what is installed without entry points, and for `__main__`.
    """
    top = module.partition(".")[0]
    if top in ("emberline", "__main__"):
        return None
    for known in projects():
        if top in known.packages:
            return known
    origin = _file_of(top)
    if origin is None or _is_installed(origin):
        return None
    folder = _source_of(origin)
    beside = [name for name in list(sys.modules) if "." not in name and name != "__main__"]
    together = [name for name in beside if (file := _file_of(name)) and _source_of(file) == folder]
    return Project(top, "", tuple(sorted({top, *together} - NO_CODE | {top})))


def loaded_projects(*modules: str) -> tuple[Project, ...]:
    """Returns the projects of which this process has imported anything, named in full or not.

    Args:
        modules: Further modules whose projects count.
    """
    loaded = [project for project in projects() if project.loaded]
    others = [project_of(module) for module in (*_named_in_full, *modules)]
    by_name = {project.name: project for project in (*others, *loaded) if project}
    return tuple(by_name.values())


def remember(module: str) -> None:
    """Records a module that was named in full: its project may have no entry points to be known by."""
    _named_in_full.add(module)


def import_from(folder: Path) -> None:
    """Inserts a folder at the front of the path, unless it is on it."""
    if not any(Path(entry or os.getcwd()).resolve() == folder.resolve() for entry in sys.path):
        sys.path.insert(0, str(folder))


def source_folder(root: Path) -> Path:
    """Returns where a checkout keeps its packages: in `src`, or at its top."""
    return root / "src" if (root / "src").is_dir() else root


def _project_here() -> Project | None:
    try:
        file = Path.cwd() / "pyproject.toml"
        stamp = file.stat().st_mtime_ns
    except OSError:
        return None
    return _read(file, stamp)


@lru_cache(maxsize=8)
def _read(file: Path, _stamp: int) -> Project | None:
    try:
        said: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8")).get("project", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInputError(f"{file} cannot be read: {error}.") from error
    groups = said.get("entry-points", {})
    entries = {group: tuple(groups[group].items()) for group in GROUPS if group in groups}
    if not entries:
        return None
    packages = tuple(sorted({*_packages_in(source_folder(file.parent)), *_named(entries)}))
    return Project(
        said.get("name", file.parent.name), str(said.get("version", "")), packages, entries, str(file.parent)
    )


def _packages_in(folder: Path) -> Iterator[str]:
    for path in folder.iterdir():
        name = path.stem if path.suffix == ".py" else path.name
        if name in NO_CODE or not name.isidentifier():
            continue
        if path.suffix == ".py" or (path / "__init__.py").exists():
            yield name


@lru_cache(maxsize=8)
def _installed(_path: tuple[str, ...]) -> tuple[Project, ...]:
    found: dict[str, Project] = {}
    for item in distributions():
        listed = item.entry_points
        entries = {group: tuple((one.name, one.value) for one in listed.select(group=group)) for group in GROUPS}
        entries = {group: values for group, values in entries.items() if values}
        if not entries or _normal(item.name) in found:  # the first on the path is the one that is imported
            continue
        shipped = json.loads(item.read_text(SHIPPED) or "{}")
        project = Project(item.name, item.version, _top_level(item, entries), entries, _checkout(item), shipped)
        found[_normal(item.name)] = project
    return tuple(found.values())


def _top_level(item: Distribution, entries: Mapping[str, tuple[tuple[str, str], ...]]) -> tuple[str, ...]:
    said = {line.strip() for line in (item.read_text("top_level.txt") or "").splitlines()}
    if not said and not _checkout(item):  # wheels of other build tools do not say it, but list their files
        said = {file.parts[0].removesuffix(".py") for file in item.files or () if file.suffix == ".py"}
    return tuple(sorted({name for name in said if name.isidentifier()} - NO_CODE | _named(entries)))


def _named(entries: Mapping[str, tuple[tuple[str, str], ...]]) -> set[str]:
    """Top-level packages of entry points."""
    return {value.partition(":")[0].partition(".")[0] for values in entries.values() for _, value in values}


def _checkout(item: Distribution) -> str:
    """The folder of an editable installation, empty for others."""
    said = json.loads(item.read_text("direct_url.json") or "{}")
    if not said.get("dir_info", {}).get("editable"):
        return ""
    return urllib.parse.unquote(urllib.parse.urlparse(said["url"]).path)


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _file_of(name: str) -> Path | None:
    """The file of a top-level module: of a package, its `__init__.py`."""
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):  # a module without a spec, such as those that tests make
        return None
    if spec and spec.origin and spec.origin.endswith(".py"):
        return Path(spec.origin)
    return None


def _source_of(file: Path) -> Path:
    return file.parent.parent if file.name == "__init__.py" else file.parent


def _is_installed(file: Path) -> bool:
    """Whether a file lies where Python and its packages are installed, rather than in somebody's folder."""
    installed = ("site-packages", "dist-packages", f"python{sys.version_info.major}.{sys.version_info.minor}")
    return any(part in installed or part.endswith(".zip") for part in file.parts)
