"""What `emberline init` writes works at once: its demo, its tests, its environment, and its names are refused well."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from emberline.features.errors import BadInputError
from emberline.pipelines.console.new_project import PLACEHOLDER, new_project

pytestmark = pytest.mark.slow  # whole commands, one after the other

ROOT = Path(__file__).parents[3]


def make(folder: Path, *words: str, seconds: int = 600) -> subprocess.CompletedProcess[str]:
    """`make` in a project, with the interpreter of the tests instead of an environment of its own."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "MAKE"))}
    return subprocess.run(
        ["make", *words, f"BIN={Path(sys.executable).parent}"], cwd=folder, capture_output=True, text=True,
        env=inherited | {"PYTHONPATH": str(ROOT)}, timeout=seconds,
    )  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(new_project("ride_tips", tmp_path_factory.mktemp("new")).folder)


def test_nothing_of_the_template_is_left(project: Path) -> None:
    for file in project.rglob("*"):
        assert PLACEHOLDER not in file.name
        assert file.is_dir() or PLACEHOLDER not in file.read_text(), file


def test_make_demo_goes_from_the_table_to_predictions(project: Path) -> None:
    done = make(project, "demo")
    assert done.returncode == 0, done.stderr[-4000:]
    summary = json.loads(done.stdout.strip().splitlines()[-1])
    assert (summary["rows_read"], summary["rows_rejected"]) == (2000, 0)
    assert summary["metrics"]["auc"] > 0.7, "0.82 can be had of all rows"
    assert summary["model"]["name"] == "emberline-ride_tips_tips"
    predictions = pq.read_table(summary["predictions"].removeprefix("file://"))
    assert predictions.num_rows == 2000


def test_make_test_passes(project: Path) -> None:
    done = make(project, "test")
    assert done.returncode == 0, done.stdout[-4000:]
    assert "2 passed" in done.stdout


def test_make_bundle_packs_it_with_ours(project: Path) -> None:
    done = make(project, "bundle")
    assert done.returncode == 0, done.stderr
    assert {"emberline.zip", "ride_tips.zip", "jobs"} <= {path.name for path in (project / "dist").iterdir()}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("2rides", "'2rides' is no name of a package"),
        ("Ride-Tips", "is no name of a package"),
        ("class", "is no name of a package"),
        ("json", "'json' is the name of a package that Python or emberline has"),
        ("emberline", "Choose another"),
        ("taken", "taken exists already"),
    ],
)
def test_a_name_that_cannot_be_is_refused(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(BadInputError, match=message):
        new_project(name, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"], "nothing is written before the name is known good"


def test_the_command_says_what_comes_next(emberline: Callable[..., Any], tmp_path: Path) -> None:
    done = emberline("init", "ride_tips", cwd=tmp_path)
    assert done.code == 0
    assert done.result["folder"] == str(tmp_path / "ride_tips")
    assert done.result["recipe"] == "ride_tips_tips"
    assert emberline("init", "ride_tips", cwd=tmp_path).code == 2


def test_make_setup_asks_pip_for_the_emberline_that_was_named(project: Path) -> None:
    """What it would run: an environment of its own takes minutes and a package index."""
    done = subprocess.run(
        ["make", "-n", "setup", "EMBERLINE=/dist/emberline.whl"],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert '"/dist/emberline.whl"' in done.stdout
    assert "--editable ." in done.stdout
