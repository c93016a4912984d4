"""Fixtures that tests of several rooms share."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]

# Every process of Java that a test starts runs for seconds, and its thorough compiler took half of them. Not by Spark's
# settings: masters and workers of a cluster, and what `spark-submit` starts, take it from here too.
for launcher in ("SPARK_SUBMIT_OPTS", "SPARK_DAEMON_JAVA_OPTS"):
    os.environ.setdefault(launcher, "-XX:TieredStopAtLevel=1")

# Every run tries the same examples, so that what passed before a change passes after it; others are tried with
# `pytest --hypothesis-profile=default`.
settings.register_profile("alike", derandomize=True)
settings.load_profile("alike")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests have an hour, unless they say otherwise."""
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(3600))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Where tests run in two processes, those of a file stay together, and all files of `census_run` too.

    So what a fixture took a minute to make is made once. Marks of groups would do, but pytest 9.2 does not let xdist
    3.8 write them into the names of tests, and nothing says so (pytest-xdist, issue 1386).
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return "census_run" if uses_census_run(file) else file

    return ByFile(config, log)


@cache
def uses_census_run(file: str) -> bool:
    """Whether a file of tests, relative to the repository, takes the fixture that all share."""
    return "census_run" in (ROOT / file).read_text()


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are no names: files that a library writes hold the time, and two processes must collect the same tests."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def spark() -> Iterator[object]:
    """One local Spark session for the whole run: two cores, no UI, four shuffle partitions, `tfrecord` registered.

    A task may fail twice: tests of retries need that, and no other test notices.
    """
    os.environ["PYSPARK_PYTHON"] = sys.executable
    # Python workers import our code by path; a cluster gets it by --py-files.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    from pyspark.sql import SparkSession

    from emberline.features.tfrecord.spark.data_source import register
    from emberline.pipelines.runtime.java_options import java_options

    session = (
        SparkSession.builder.master("local[2, 3]")
        .appName("emberline-tests")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.driver.memory", "2g")
        .config(map=dict(java_options()))
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.caseSensitive", "true")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    register(session)
    yield session
    session.stop()


@pytest.fixture(scope="session")
def flowers(spark, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A dataset version for `iris_dnn` with every training flower a hundred times: epochs have a middle to fail in."""
    import numpy as np

    from benchmarks.iris import split, write_split
    from emberline.pipelines.etl import etl
    from emberline.pipelines.recipes import load_recipe

    folder = tmp_path_factory.mktemp("flowers")
    train, test, train_species, test_species = split()
    write_split(str(folder / "raw"), (np.tile(train, (100, 1)), test, np.tile(train_species, 100), test_species))
    version = etl(spark, load_recipe("iris_dnn"), str(folder / "raw"), str(folder / "dataset"))
    return version.dataset


CENSUS = ROOT.parent / "shared" / "data" / "census"


@pytest.fixture(scope="session")
def census() -> Path:
    """The official UCI Adult files, which are not part of the repository."""
    if not (CENSUS / "adult.data").exists():
        pytest.skip(f"the official UCI Adult files are not at {CENSUS}")
    return CENSUS


@pytest.fixture(scope="session")
def census_slice(census: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first rows of both official files, with three damaged lines among them."""
    folder = tmp_path_factory.mktemp("census")
    train = (census / "adult.data").read_text().splitlines()[:6000]
    train[10] = train[10].rsplit(",", 3)[0]
    train[20] = train[20].replace(train[20].split(",")[0], "old", 1)
    test = (census / "adult.test").read_text().splitlines()[:2001]
    test[30] = test[30].rsplit(",", 1)[0] + ", maybe."
    (folder / "adult.data").write_text("\n".join(train) + "\n")
    (folder / "adult.test").write_text("\n".join(test) + "\n")
    return folder


@dataclass(frozen=True)
class Finished:
    """A finished command."""

    code: int
    stdout: str
    stderr: str

    @property
    def result(self) -> dict[str, Any]:
        """The JSON object on the last line of stdout."""
        parsed: dict[str, Any] = json.loads(self.stdout.strip().splitlines()[-1])
        return parsed


@pytest.fixture(scope="session")
def emberline() -> Callable[..., Finished]:
    """Runs the `emberline` command as a person does: a process of its own."""

    def run(*arguments: object, env: dict[str, str] | None = None, cwd: Path | None = None) -> Finished:
        command = [sys.executable, "-m", "emberline", *map(str, arguments)]
        # MLflow writes the store of whoever used it last in this process into its environment.
        inherited = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
        environment = {**inherited, "PYTHONPATH": str(ROOT), **(env or {})}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cwd or ROOT, timeout=900)
        return Finished(done.returncode, done.stdout, done.stderr)

    return run


@dataclass(frozen=True)
class CensusRun:
    """The whole pipeline, once, on the slice: what the tests of its steps look at."""

    workspace: Path
    finished: Finished

    @property
    def summary(self) -> dict[str, Any]:
        return self.finished.result

    @property
    def tracking_uri(self) -> str:
        return f"sqlite:///{self.workspace}/mlflow.db"


@pytest.fixture(scope="session")
def census_run(
    census_slice: Path, emberline: Callable[..., Finished], tmp_path_factory: pytest.TempPathFactory
) -> CensusRun:
    """`emberline run census_wide_deep` on a local cluster of two executors."""
    workspace = tmp_path_factory.mktemp("workspace")
    finished = emberline(
        "run", "census_wide_deep", "--input", census_slice, "--workspace", workspace,
        "--set", "training.epochs=3", "--set", "training.global_batch=128",
        "--master", "local-cluster[2,1,1024]",
    )  # fmt: skip
    assert finished.code == 0, finished.stderr[-4000:]
    return CensusRun(workspace, finished)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A `tests.browser.Browser`, if there is Chromium."""
    from tests.browser import CHROMIUM, Browser

    if not CHROMIUM:
        pytest.skip("no Chromium on the PATH: install chromium to look at pages")
    browser = Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()
