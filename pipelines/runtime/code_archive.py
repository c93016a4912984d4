"""The code as archives for `spark-submit --py-files`: ours, and one for each project of other people.

A `.zip`, because executors do not import a `.whl` (local mode does, which hides it). Only code travels; the
packages it needs must be in the cluster's Python environment (`emberline.pipelines.runtime.environment_archive` packs
one).
"""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import emberline
from emberline.features.errors import BadInputError, nearest
from emberline.pipelines.runtime.projects import SHIPPED, Project, import_from, project_of, projects
from emberline.pipelines.runtime.version import BUNDLE, VERSION, commit_of

ROOMS = ("features", "models", "pipelines")
KINDS = (".py", ".html", ".css", ".template")
EPOCH = (1980, 1, 1, 0, 0, 0)
"""One date for every entry, so that the same code gives the same bytes."""

COMPILED = (".so", ".pyd", ".dylib")
MOST_BYTES = 64 * 2**20
"""Of a project's code: what is larger is data, which does not belong into a package that every executor gets."""


def bundle(target: str) -> Path:
    """Writes our archive and returns its path; parent folders are made.

    It says in itself which code it is: the version and the beginning of the SHA-256 of everything in it.
    """
    root = Path(emberline.__file__).parent
    shipped = (file for room in ROOMS for file in (root / room).rglob("*") if file.suffix in KINDS)
    files = {str(file.relative_to(root.parent)): file for file in [root / "__init__.py", *sorted(shipped)]}
    return _write(target, files, {f"emberline/{BUNDLE}": f"{VERSION}+{_digest(files)}\n"})


def bundle_project(project: Project, target: str) -> Path:
    """Writes the archive of a project and returns its path; parent folders are made.

    Its entry points are in it, so that a driver which has nothing but the archives finds its recipes by name; and which
    code it is: version, beginning of the digest, and the Git commit of a checkout.

    Raises:
        BadInputError: if it has compiled modules, which Python does not import from archives, or is too large.
    """
    files = _files(project)
    if compiled := [name for name in files if name.endswith(COMPILED)]:
        raise BadInputError(
            f"{project.called} has compiled modules ({compiled[0]}), which Python does not import from an archive: "
            "install it in the environment of every node."
        )
    if (size := sum(file.stat().st_size for file in files.values())) > MOST_BYTES:
        largest = max(files, key=lambda name: files[name].stat().st_size)
        raise BadInputError(
            f"{project.called} is {size / 2**20:,.0f} MiB, the largest file {largest}. What travels to every executor "
            f"is at most {MOST_BYTES >> 20} MiB: keep data outside the package."
        )
    said = {"code": project_code(project), "commit": project_commit(project)}
    info = f"{project.name.replace('-', '_')}-{project.version or '0'}.dist-info"
    groups = (
        "\n".join([f"[{group}]", *(f"{name} = {value}" for name, value in entries)])
        for group, entries in project.entries.items()
    )
    texts = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {project.name}\nVersion: {project.version or '0'}\n",
        f"{info}/top_level.txt": "".join(f"{name}\n" for name in project.packages),
        f"{info}/entry_points.txt": "\n\n".join(groups) + "\n",
        f"{info}/{SHIPPED}": json.dumps(said) + "\n",
    }
    return _write(target, files, texts)


def code_digest(project: Project) -> str:
    """Returns the beginning of the SHA-256 of a project's files."""
    return _digest(_files(project))


def project_code(project: Project) -> str:
    """Returns the version of a project, and the beginning of the digest of its code behind a `+`."""
    return project.shipped.get("code") or f"{project.version or '0'}+{code_digest(project)}"


def project_commit(project: Project) -> str:
    """Returns the Git commit of a project's checkout; empty where it is installed."""
    if project.shipped:
        return project.shipped.get("commit", "")
    return commit_of(Path(project.folder)) if project.folder else ""


@dataclass(frozen=True)
class Released:
    """What `release` wrote.

    Args:
        py_files: The archives, as `--py-files` takes them.
        jobs: Folder of the files that spark-submit starts.
        code: By archive, which code it holds.
    """

    py_files: str
    jobs: str
    code: dict[str, str]


def release(folder: str, packages: Sequence[str] = ()) -> Released:
    """Writes `emberline.zip`, which schedulers name, the same as `emberline-VERSION.zip`, an archive for each project,
    and the jobs.

    Args:
        folder: Of the archives; `jobs/` is made in it.
        packages: Names of projects or of their packages; default: all that are known here.

    Raises:
        BadInputError: for a package that nobody knows, or that cannot travel; if jobs of others would be replaced.
    """
    wanted = [_named(package) for package in packages] or list(projects())
    ours_to_write = _jobs(Path(folder))
    path = bundle(str(Path(folder) / f"emberline-{VERSION}.zip"))
    ours = Path(shutil.copyfile(path, path.with_name("emberline.zip")))
    code = {str(ours): _said(ours)}
    for project in wanted:
        archive = bundle_project(project, str(Path(folder) / f"{project.name}.zip"))
        code[str(archive)] = project_code(project)
    jobs = path.with_name("jobs")
    jobs.mkdir(exist_ok=True)
    for file in ours_to_write:
        shutil.copyfile(file, jobs / file.name)
    return Released(",".join(code), str(jobs), code)


def _jobs(folder: Path) -> list[Path]:
    """The jobs to copy into a folder.

    Raises:
        BadInputError: if it is no release and has other files of their names, such as a project's own jobs.
    """
    found = []
    for file in sorted((Path(emberline.__file__).parent / "jobs").glob("[a-z]*.py")):
        there = folder / "jobs" / file.name
        if there.exists() and file.samefile(there):  # the output is a checkout
            continue
        if there.exists() and not (folder / "emberline.zip").exists() and there.read_bytes() != file.read_bytes():
            raise BadInputError(
                f"The output has a {str(there)!r} that is not emberline's, and would be replaced. Choose another, such "
                "as --output dist."
            )
        found.append(file)
    return found


def _named(package: str) -> Project:
    known = projects()
    for project in known:
        if package == project.name or package in project.packages:
            return project
    import_from(Path.cwd())
    if found := project_of(package):
        return found
    names = {name for project in known for name in (project.name, *project.packages)}
    raise BadInputError(
        f"Unknown package {package!r}: neither a project with entry points nor below {Path.cwd()}. "
        f"{nearest(package, names)}"
    )


def _said(archive: Path) -> str:
    with zipfile.ZipFile(archive) as opened:
        return opened.read(f"emberline/{BUNDLE}").decode().strip()


def _files(project: Project) -> dict[str, Path]:
    """The files of a project's packages by their place in an archive."""
    return {place: file for name, path in project.locations().items() for place, file in _below(name, path)}


def _below(name: str, path: Path) -> Iterator[tuple[str, Path]]:
    if path.is_file():
        yield path.name, path
        return
    for file in sorted(path.rglob("*")):
        inside = file.relative_to(path)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in inside.parts)
        if file.is_file() and not hidden and file.suffix != ".pyc":
            yield f"{name}/{inside.as_posix()}", file


def _digest(files: Mapping[str, Path]) -> str:
    found = hashlib.sha256()
    for name, file in files.items():
        content = file.read_bytes()
        found.update(f"{name}\n{len(content)}\n".encode() + content)
    return found.hexdigest()[:12]


def _write(target: str, files: Mapping[str, Path], texts: Mapping[str, str]) -> Path:
    path = Path(target)
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, file in files.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), file.read_bytes())
        for name, text in texts.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), text)
    return path
