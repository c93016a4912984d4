"""A repository with its own packages `features`, `models`, `pipelines` and `jobs` uses emberline from a wheel."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipelines.cluster.test_gang import SPARK_HOME, master, outside  # noqa: F401
from tests.pipelines.foreign_project import DATA, NETWORK, RECIPE
from tests.pipelines.test_project_run import write_rides
from tests.test_wheel import LEFT_OUT, pip

pytestmark = pytest.mark.slow  # whole commands, one after the other

ROOT = Path(__file__).parents[3]
SECONDS = 900
"""When a command is given up."""

PYPROJECT = """\
[project]
name = "clickshop"
version = "3.0"

[project.entry-points."emberline.recipes"]
shop_rides = "pipelines.recipes:RECIPE"

[project.entry-points."emberline.datasets"]
shop_rides = "pipelines.data"
"""

WHO = 'WHO = "theirs"\n'

CHECKED_DATA = DATA.replace(
    'DATASET = NamedTable("rides", SCHEMA)',
    """

def theirs_and_ours(batches):
    \"\"\"In executors: both sides have their own modules.\"\"\"
    import emberline.features
    import emberline.models
    import features
    import models
    import pipelines

    assert (features.WHO, models.WHO, pipelines.WHO) == ("theirs", "theirs", "theirs")
    assert emberline.features.__name__ == "emberline.features" and not hasattr(emberline.models, "WHO")
    yield from batches


class Shop(NamedTable):
    def read(self, spark, uri, split=None):
        rows = super().read(spark, uri, split)
        return rows.mapInArrow(theirs_and_ours, rows.schema)


DATASET = Shop("shop_rides", SCHEMA)
""",
)

CHECKED_NETWORK = NETWORK.replace(
    "    import keras\n",
    """    import keras

    import features
    from emberline import features as ours

    assert features.WHO == "theirs" and ours.__name__ == "emberline.features"
""",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """emberline as a wheel installs it, from a copy of the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT, folder / "copy", symlinks=True, ignore=LEFT_OUT)
    pip("wheel", "--wheel-dir", str(folder / "dist"), str(folder / "copy"))
    (wheel,) = (folder / "dist").glob("*.whl")
    pip("install", "--target", str(folder / "site"), str(wheel))
    return folder / "site"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("clickshop")
    for room in ("features", "models", "pipelines", "jobs"):
        (root / room).mkdir()
        (root / room / "__init__.py").write_text(WHO)
    (root / "pyproject.toml").write_text(PYPROJECT)
    (root / "models" / "network.py").write_text(CHECKED_NETWORK)
    (root / "pipelines" / "data.py").write_text(CHECKED_DATA)
    recipe = RECIPE.replace("from rides import network", "from models import network").replace(
        '"rides"', '"shop_rides"'
    )
    (root / "pipelines" / "recipes.py").write_text(recipe)
    (root / "jobs" / "train.py").write_text("raise SystemExit('this is the shop, not emberline')\n")
    write_rides(root / "raw")
    return root


def environment(site: Path, folder: Path) -> dict[str, str]:
    """The wheel alone is importable, however this process came to emberline."""
    variables = outside(folder)
    return variables | {"PYTHONPATH": os.pathsep.join([variables["PYTHONPATH"], str(site)])}


def command(site: Path, repository: Path, folder: Path, *words: object) -> dict:
    done = subprocess.run(
        [sys.executable, "-m", "emberline", *map(str, words)], cwd=repository, env=environment(site, folder),
        capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    result: dict = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def test_both_sides_have_their_own_modules_on_this_machine(site: Path, repository: Path, tmp_path: Path) -> None:
    """A local cluster of two executors: every step, the network in a rank and the rows in executors."""
    summary = command(
        site, repository, tmp_path, "run", "shop_rides", "--input", repository / "raw" / "rides.csv", "--workspace",
        tmp_path / "workspace", "--master", "local-cluster[2,1,1024]", "--set", "training.workers=2",
    )  # fmt: skip
    assert summary["rows_scored"] == 600
    listed = command(site, repository, tmp_path, "list")
    assert {"shop_rides", "iris_dnn"} <= {row["name"] for row in listed["recipes"]}


@pytest.mark.slow
def test_both_sides_have_their_own_modules_on_a_cluster(
    master: str,  # noqa: F811
    site: Path,
    repository: Path,
    tmp_path: Path,
) -> None:
    """spark-submit to a standalone cluster with both archives; nothing else of either is importable there."""
    bundled = command(site, repository, tmp_path, "bundle", "--output", tmp_path / "dist")
    place = tmp_path / "elsewhere"
    place.mkdir()

    def submit(job: str, *arguments: object) -> dict:
        done = subprocess.run(
            [str(SPARK_HOME / "bin" / "spark-submit"), "--master", master, "--py-files", bundled["py_files"],
             "--conf", "spark.ui.enabled=false", "--executor-memory", "512m", "--total-executor-cores", "2",
             "--conf", "spark.driver.host=127.0.0.1", "--conf", "spark.driver.bindAddress=127.0.0.1",
             f"{bundled['jobs']}/{job}.py", "--pipeline", "shop_rides", *map(str, arguments)],
            capture_output=True, text=True, cwd=place, env=outside(place), timeout=SECONDS,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-4000:]
        result: dict = json.loads(done.stdout.strip().splitlines()[-1])
        return result

    raw, store = repository / "raw" / "rides.csv", ["--tracking-uri", f"sqlite:///{tmp_path}/mlflow.db"]
    prepared = submit("etl", "--input", raw, "--output", tmp_path / "dataset", *store)
    assert prepared["rows_read"] == 600
    trained = submit(
        "train", "--dataset", tmp_path / "dataset", "--output", tmp_path / "training", *store,
        "--set", "training.workers=2",
    )  # fmt: skip
    assert trained["steps"] > 0
    submit("evaluate", "--training", tmp_path / "training", *store)
    registered = submit("register", "--training", tmp_path / "training", *store, "--set", "gate.limit=0.0")
    scored = submit(
        "score", "--model", f"models:/{registered['name']}@champion", "--input", raw, "--output",
        tmp_path / "predictions", *store,
    )  # fmt: skip
    assert scored["rows_scored"] == 600
    from mlflow import MlflowClient

    tags = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db").get_model_version(registered["name"], "1").tags
    assert tags["emberline.project"] == f"clickshop {bundled['code'][bundled['py_files'].split(',')[1]]}"
