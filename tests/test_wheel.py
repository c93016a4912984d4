"""The wheel and the ways to install it: one top-level name, all of the package, and other people's names left free."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from emberline.pipelines.runtime.version import VERSION

ROOT = Path(__file__).parents[1]
LEFT_OUT = shutil.ignore_patterns("*.egg-info", "__pycache__", ".*_cache")
LEFT_OUT_AT_THE_TOP = {".git", ".hypothesis", "emberline-workspace", "build", "dist", "tests"}
LEFT_OUT_AT_THE_TOP |= {".venv", ".venv-airflow", ".venv-run", ".venv-tools"}
WHERE = (
    "import emberline, emberline.testing, sys; from emberline.pipelines.recipes import load_recipe; "
    "from emberline.features import columns; load_recipe('iris_dnn'); "
    "taken = {'features', 'models', 'pipelines', 'jobs'} & set(sys.modules); "
    "print(emberline.__file__, columns.__file__, sorted(taken))"
)


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", *arguments, "--quiet", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr


def python(*arguments: str, path: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment | {"PYTHONPATH": str(path)}, capture_output=True,
        text=True, timeout=300,
    )  # fmt: skip


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy: building leaves folders behind."""
    folder = tmp_path_factory.mktemp("copy") / "emberline"

    def left_out(at: str, names: list[str]) -> set[str]:
        return LEFT_OUT(at, names) | (LEFT_OUT_AT_THE_TOP & set(names) if Path(at) == ROOT else set())

    shutil.copytree(ROOT, folder, symlinks=True, ignore=left_out)
    return folder


@pytest.fixture(scope="module")
def wheel(checkout: Path) -> Path:
    pip("wheel", "--wheel-dir", str(checkout.parent / "wheels"), str(checkout))
    (found,) = (checkout.parent / "wheels").glob("emberline-*.whl")
    return found


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    pip("install", "--target", str(folder), str(wheel))
    return folder


def test_the_only_top_level_name_is_emberline(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names} == {"emberline", f"emberline-{VERSION}.dist-info"}


def test_everything_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    """Data files too: pages and the files of `emberline init`."""
    names = {name.removeprefix("emberline/") for name in zipfile.ZipFile(wheel).namelist()}
    rooms = ("features", "models", "pipelines", "jobs", "airflow_dags")
    wanted = {
        path.relative_to(ROOT).as_posix()
        for room in rooms
        for kind in ("py", "html", "css", "template")
        for path in (ROOT / room).rglob(f"*.{kind}")
    }
    assert wanted - names == set()


def test_a_plain_installation_works(site: Path, tmp_path: Path) -> None:
    done = python("-c", WHERE, path=site, cwd=tmp_path)
    assert done.stdout.split() == [
        f"{site}/emberline/__init__.py",
        f"{site}/emberline/features/columns/__init__.py",
        "[]",
    ]
    listed = python("-m", "emberline", "list", path=site, cwd=tmp_path)
    assert listed.returncode == 0, listed.stderr
    made = python("-m", "emberline", "init", "ride_tips", path=site, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "ride_tips" / "data" / "rides.csv").stat().st_size > 10_000
    bundled = python("-m", "emberline", "bundle", path=site, cwd=tmp_path / "ride_tips")
    assert bundled.returncode == 0, bundled.stderr
    assert sorted(path.name for path in (tmp_path / "ride_tips" / "dist").glob("*.zip")) == [
        f"emberline-{VERSION}.zip",
        "emberline.zip",
        "ride_tips.zip",
    ]


def test_an_editable_installation_works(checkout: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    pip("install", "--target", str(site), "--editable", str(checkout))
    # Without the .pth files of this environment: its own emberline is an editable installation, too.
    others = sysconfig.get_path("purelib")
    script = f"import site, sys; site.addsitedir({str(site)!r}); sys.path.append({others!r}); {WHERE}"
    done = python("-S", "-c", script, path=tmp_path, cwd=tmp_path)
    package = checkout / "emberline"
    assert done.stdout.split() == [f"{package}/__init__.py", f"{package}/features/columns/__init__.py", "[]"], (
        done.stderr
    )


def test_the_dag_factory_comes_without_anything_else(site: Path, tmp_path: Path) -> None:
    script = "import emberline.airflow_dags, sys; print(sorted(n for n in sys.modules if n.startswith('emberline')))"
    done = python("-c", script, path=site, cwd=tmp_path)
    assert done.stdout.strip() == "['emberline', 'emberline.airflow_dags']", done.stderr


def test_airflow_dags_has_one_name(tmp_path: Path) -> None:
    done = python("-c", "import airflow_dags", path=ROOT, cwd=ROOT)
    assert "This package is imported as emberline.airflow_dags, not as airflow_dags." in done.stderr


def test_bundling_needs_no_package_and_may_happen_in_the_checkout_itself(checkout: Path) -> None:
    """As the image of Airflow does it, whose Python has none of ours: `-S` leaves the installed packages out."""
    done = python("-S", "-m", "emberline", "bundle", "--output", ".", path=checkout, cwd=checkout)
    assert done.returncode == 0, done.stderr
    assert (checkout / "jobs" / "train.py").read_text() == (ROOT / "jobs" / "train.py").read_text()
    assert (checkout / "emberline.zip").stat().st_size > 100_000
