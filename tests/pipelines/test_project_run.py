"""A project of somebody else through all steps on a cluster of two executors, installed nowhere: its code travels."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from mlflow import MlflowClient

from emberline.pipelines.runtime.version import VERSION
from tests.pipelines.foreign_project import VARIANTS, write_project

pytestmark = pytest.mark.slow  # whole commands, one after the other

ROOT = Path(__file__).parents[2]
MASTER = "local-cluster[2,1,1024]"

STRANGE = """\
from rides.data import SCHEMA, NamedTable
from pyspark.sql import functions as F


def doubled(batches):
    import rides.network  # an executor's Python has it, or this fails

    for batch in batches:
        yield batch


class OnExecutors(NamedTable):
    def read(self, spark, uri, split=None):
        rows = super().read(spark, uri, split)
        return rows.mapInArrow(doubled, rows.schema)


DATASET = OnExecutors("rides_on_executors", SCHEMA)
"""


def write_rides(folder: Path, rows: int = 600) -> Path:
    """A table that a network of three units tells apart: long rides are tipped."""
    generator = np.random.default_rng(1)
    kilometres, zones = generator.uniform(0, 10, rows), generator.choice(["north", "south", "west"], rows)
    tipped = generator.random(rows) < 1 / (1 + np.exp(5 - kilometres))
    lines = ["ride,kilometres,zone,tipped"]
    for ride, (way, zone, yes) in enumerate(zip(kilometres, zones, tipped, strict=True)):
        lines.append(f"r{ride},{way:.3f},{zone},{'yes' if yes else 'no'}")
    folder.mkdir()
    (folder / "rides.csv").write_text("\n".join(lines) + "\n")
    return folder / "rides.csv"


@dataclass(frozen=True)
class World:
    project: Path
    data: Path
    workspace: Path
    summary: dict[str, Any]

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(f"sqlite:///{self.workspace}/mlflow.db")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, emberline: Callable[..., Any]) -> World:
    """`emberline run` in the folder of a project whose dataset runs code of its own on executors."""
    folder = tmp_path_factory.mktemp("project")
    variants = VARIANTS.replace("from rides.data import DATASET", "from rides.strange import DATASET")
    project = write_project(folder / "checkout", rides__strange=STRANGE, rides__variants=variants)
    for command in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=me", "-c", "user.email=me@x.y", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", *command], cwd=project, check=True, timeout=60, capture_output=True)
    data = write_rides(folder / "raw")
    done = emberline(
        "run", "quick_rides", "--input", data, "--workspace", folder / "workspace", "--master", MASTER,
        "--set", "training.epochs=8", "--set", "gate.limit=0.5", cwd=project,
    )  # fmt: skip
    assert done.code == 0, done.stderr[-4000:]
    return World(project, data, folder / "workspace", done.result)


def test_every_step_ran(world: World) -> None:
    assert world.summary["pipeline"] == "quick_rides"
    assert world.summary["rows_read"] == 600
    assert world.summary["model"]["champion"] == 1
    predictions = pq.read_table(world.summary["predictions"].removeprefix("file://"))
    assert predictions.num_rows == world.summary["rows_scored"] == 600


def test_the_registered_version_says_which_project_made_it(world: World) -> None:
    version = world.client.get_model_version("emberline-quick_rides", "1")
    name, code = version.tags["emberline.project"].split()
    assert name == "rides-project"
    assert code.startswith("1.2+")
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=world.project, capture_output=True, text=True, timeout=60)
    assert version.tags["emberline.project_commit"] == head.stdout.strip()
    assert version.tags["emberline.version"].startswith(VERSION)
    assert world.client.get_run(version.run_id).data.tags["emberline.project"] == version.tags["emberline.project"]
    manifest = json.loads((Path(world.summary["dataset"].removeprefix("file://")) / "manifest.json").read_text())
    assert manifest["project"] == version.tags["emberline.project"]


def test_the_bundle_holds_the_project_and_is_enough_to_find_its_recipes(
    world: World, emberline: Callable[..., Any], tmp_path: Path
) -> None:
    done = emberline("bundle", "--output", tmp_path / "dist", cwd=world.project)
    assert done.code == 0, done.stderr
    ours, theirs = (Path(path) for path in done.result["py_files"].split(","))
    assert (ours.name, theirs.name) == ("emberline.zip", "rides-project.zip")
    assert (tmp_path / "dist" / "jobs" / "train.py").read_text() == (ROOT / "jobs" / "train.py").read_text()
    names = zipfile.ZipFile(theirs).namelist()
    assert {name.partition("/")[0] for name in names} == {"rides", "rides_project-1.2.dist-info"}
    version = world.client.get_model_version("emberline-quick_rides", "1")
    code = done.result["code"][str(theirs)]
    assert version.tags["emberline.project"] == f"rides-project {code}", "the same code has the same digest everywhere"
    script = (
        "from emberline.pipelines.recipes import load_recipe\n"
        "from emberline.pipelines.runtime.projects import projects\n"
        "from emberline.pipelines.runtime.code_archive import project_code, project_commit\n"
        "recipe, (project,) = load_recipe('rides'), projects()\n"
        "print(recipe.name, recipe.model_module.__file__, project_code(project), project_commit(project))"
    )
    path = os.pathsep.join([str(ours), str(theirs)])
    told = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=os.environ | {"PYTHONPATH": path}, capture_output=True,
        text=True, timeout=120,
    )  # fmt: skip
    commit = version.tags["emberline.project_commit"]
    assert told.stdout.strip() == f"rides {theirs}/rides/network.py {code} {commit}", told.stderr


def test_a_module_without_a_project_travels_with_what_it_imported(
    world: World, emberline: Callable[..., Any], tmp_path: Path
) -> None:
    """`--pipeline module:NAME` in a folder that has no pyproject.toml: two loose files."""
    text = (world.project / "rides" / "recipes" / "rides.py").read_text()
    (tmp_path / "loose.py").write_text(
        text.replace("from rides import network", "import loose_network as network")
        .replace('dataset="rides"', 'dataset="loose_data:DATASET"')
        .replace('name="rides"', 'name="loose"')
    )
    for name in ("network", "data"):
        (tmp_path / f"loose_{name}.py").write_text((world.project / "rides" / f"{name}.py").read_text())
    done = emberline(
        "run", "loose:RECIPE", "--input", world.data, "--workspace", tmp_path / "workspace", "--master", MASTER,
        "--set", "training.epochs=8", cwd=tmp_path,
    )  # fmt: skip
    assert done.code == 0, done.stderr[-4000:]
    client = MlflowClient(f"sqlite:///{tmp_path}/workspace/mlflow.db")
    assert client.get_model_version("emberline-loose", "1").tags["emberline.project"].startswith("loose 0+")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("kernels.so", b"\x7fELF", "rides-project 1.2 has compiled modules"),
        ("table.bin", bytes(65 * 2**20), "rides-project 1.2 is 65 MiB, the largest file rides/table.bin"),
    ],
)
def test_what_cannot_travel_is_said(
    emberline: Callable[..., Any], tmp_path: Path, file: str, content: bytes, message: str
) -> None:
    project = write_project(tmp_path / "checkout")
    (project / "rides" / file).write_bytes(content)
    done = emberline("bundle", cwd=project)
    assert done.code == 2
    assert message in done.stderr


def test_an_unknown_package_is_not_bundled(emberline: Callable[..., Any], tmp_path: Path) -> None:
    done = emberline("bundle", "ridse", cwd=write_project(tmp_path / "checkout"))
    assert done.code == 2
    assert "Unknown package 'ridse'" in done.stderr
    assert "Did you mean 'rides'" in done.stderr
