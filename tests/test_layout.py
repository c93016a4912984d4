"""The house rules that a machine can check: names that resolve to us, jobs that shadow nothing, light declarations."""

import ast
import importlib.metadata
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("features", "models", "pipelines", "jobs")
JOBS = sorted(path.stem for path in (ROOT / "jobs").glob("[a-z]*.py"))


@pytest.mark.parametrize("room", ROOMS)
def test_a_rooms_name_resolves_to_us(room: str) -> None:
    spec = importlib.util.find_spec(f"emberline.{room}")
    assert spec
    assert spec.origin
    assert Path(spec.origin).resolve() == ROOT / room / "__init__.py", f"another package shadows our {room}/"


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_has_one_name(room: str) -> None:
    """The checkout's folder is on the path wherever Python starts in it: its rooms must not be found there."""
    command = [sys.executable, "-c", f"import {room}.x"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 1
    assert f"This package is imported as emberline.{room}, not as {room}." in done.stderr


def test_no_other_distribution_owns_our_name() -> None:
    owners = set(importlib.metadata.packages_distributions().get("emberline", [])) - {"emberline"}
    assert not owners, f"{owners} would overwrite our package without a word"


@pytest.mark.parametrize("job", JOBS)
def test_no_job_shadows_a_package(job: str) -> None:
    """spark-submit puts jobs/ first on the path: a job called like a package would be imported instead of it."""
    taken = set(sys.stdlib_module_names) | set(importlib.metadata.packages_distributions()) | set(ROOMS)
    assert job not in taken


@pytest.mark.parametrize("job", JOBS)
def test_a_job_is_thin(job: str) -> None:
    source = (ROOT / "jobs" / f"{job}.py").read_text()
    tree = ast.parse(source)
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert names == {"parser", "main"}
    assert ast.get_docstring(tree)
    assert len(source.splitlines()) <= 60
    imported = {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    assert imported <= {"argparse", "sys"}, "heavy imports belong inside main"


def test_tests_are_no_packages() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py"))


def test_declarations_import_neither_spark_nor_tensorflow() -> None:
    script = (
        "import sys, emberline.pipelines.recipes as r\n"
        f"from emberline.jobs import {', '.join(JOBS)}\n"
        "[r.load_recipe(name) for name in r.recipe_names()]\n"
        f"[job.parser() for job in ({', '.join(JOBS)})]\n"
        "heavy = {'tensorflow', 'keras', 'pyspark', 'mlflow', 'tensorflowonspark', 'numba'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr


LIBRARIES = {
    "_all_reduce_sum_gradients",
    "_exit",
    "_ensure_initialized",
    "_final_module",
    "_flatten_layers",
    "_gateway",
    "_get_variable_index",
    "_jdf",
    "_jsc",
    "_jsparkSession",
    "_jvm",
}
LIBRARIES |= {"_replace", "_resetUid", "_spark", "_emberline"}
LIBRARIES |= {"_all_gather", "_cross_device_ops", "_launchers"}
"""Names of other packages, used where a comment says why, and the mark that we leave on what we replace of theirs."""


@pytest.mark.parametrize("room", ROOMS)
def test_nobody_uses_what_is_private_to_another_class(room: str) -> None:
    used = []
    for path in (ROOT / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and re.match(r"_[a-z]", node.attr) and node.attr not in LIBRARIES:
                owner = ast.unparse(node.value)
                used += [] if owner in ("self", "cls", "super()") else [f"{path}:{node.lineno}: {owner}.{node.attr}"]
    assert not used, "\n".join(used)


def test_a_test_lies_where_its_module_does() -> None:
    """`tests/room/test_module.py` is for `room/module.py`; a test of several has a name of its own, in their folder."""
    odd = []
    for test in sorted((ROOT / "tests").glob("*/**/test_*.py")):
        folder = ROOT / test.parent.relative_to(ROOT / "tests")
        name = test.stem.removeprefix("test_")
        if "real" in folder.parts:  # against servers, across modules
            continue
        if not folder.is_dir():
            odd.append(f"{test}: there is no {folder}")
        elif not any((folder / one).exists() for one in (name, f"{name}.py")):
            below = sorted(str(one.parent.relative_to(ROOT)) for one in folder.rglob(f"{name}.py"))
            odd += [f"{test}: its module lies in {below}"] if below else []
    assert not odd, "\n".join(odd)


NAME = r"`(emberline\.(?:features|models|pipelines|jobs)(?:\.\w+)*)(?=[`(])"


def test_a_name_in_prose_exists() -> None:
    """Whatever docstrings, comments and pages call by its dotted name, in backticks, is there."""
    rooms = [path for room in (*ROOMS, "benchmarks", "airflow_dags") for path in (ROOT / room).rglob("*.py")]
    pages = [path for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")) if path.name != "CHANGELOG.md"]
    gone = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sorted([*rooms, *pages])
        for name in sorted(set(re.findall(NAME, path.read_text())))
        if not _exists(name)
    ]
    assert not gone, "\n".join(gone)


def _exists(name: str) -> bool:
    """Whether a dotted name is a module of ours, or something that one defines; nothing is imported."""
    path, rest = ROOT, name.split(".")[1:]
    while rest and (path / rest[0]).is_dir():
        path, rest = path / rest[0], rest[1:]
    if not rest:
        return True
    if (path / f"{rest[0]}.py").exists():
        path, rest = path / f"{rest[0]}.py", rest[1:]
    else:
        path = path / "__init__.py"
    body: list[ast.stmt] = ast.parse(path.read_text()).body
    for part in rest:
        found = [node for node in body if part in _names_of(node)]
        if not found:
            return False
        body = found[0].body if isinstance(found[0], ast.ClassDef) else []
    return True


def _names_of(node: ast.stmt) -> set[str]:
    match node:
        case ast.ClassDef() | ast.FunctionDef():
            return {node.name}
        case ast.Assign():
            return {target.id for target in node.targets if isinstance(target, ast.Name)}
        case ast.AnnAssign(target=ast.Name()):
            return {node.target.id}
        case ast.Import() | ast.ImportFrom():
            return {alias.asname or alias.name for alias in node.names}
        case _:
            return set()


def test_no_test_waits_for_a_process_without_an_end() -> None:
    """pytest-timeout ends a test that hangs; its processes would stay behind."""
    found = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text())):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
                continue
            name, named = call.func.attr, {keyword.arg for keyword in call.keywords}
            runs = isinstance(call.func.value, ast.Name) and call.func.value.id == "subprocess"
            if runs and name in ("run", "check_output", "check_call", "call") and not named & {"timeout", None}:
                found.append(f"{path.relative_to(ROOT)}:{call.lineno} {name}")
            if name in ("wait", "communicate") and not call.args and "timeout" not in named:
                found.append(f"{path.relative_to(ROOT)}:{call.lineno} {name}")
    assert not found, "give these a timeout"
