"""TensorFlowOnSpark is an extra: the default launcher trains without it, and who asks for it is shown the way."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from emberline.features.errors import BadInputError
from emberline.pipelines.cluster.launchers import Node, require_launcher
from emberline.pipelines.cluster.launchers.tensorflowonspark import launch
from emberline.pipelines.recipe import Training
from emberline.pipelines.recipes import load_recipe

ROOT = Path(__file__).parents[3]
MASTER = "local-cluster[2,1,1024]"
OTHER = "training.launcher=tensorflowonspark"


@pytest.fixture
def without(tmp_path: Path) -> dict[str, str]:
    """Variables under which no process imports TensorFlowOnSpark or pkg_resources: drivers, workers and ranks."""
    folder = tmp_path / "without"
    folder.mkdir()
    for name in ("tensorflowonspark", "pkg_resources"):
        (folder / f"{name}.py").write_text(f'raise ModuleNotFoundError("No module named {name!r}")\n')
    return {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}


def training(**overrides: str) -> Training:
    return load_recipe("iris_dnn", {f"training.{name}": value for name, value in overrides.items()}).training


def test_the_default_trains_where_it_cannot_be_imported(
    flowers: str, tmp_path: Path, emberline: Callable[..., Any], without: dict[str, str]
) -> None:
    done = emberline(
        "train", "--pipeline", "iris_dnn", "--set", "training.epochs=1", "--dataset", flowers, "--master", MASTER,
        "--output", tmp_path / "training", "--tracking-uri", f"sqlite:///{tmp_path}/mlflow.db", env=without,
    )  # fmt: skip
    assert done.code == 0, done.stderr[-3000:]
    assert done.result["steps"] > 0


def test_a_run_that_asks_for_it_ends_before_anything_starts(
    tmp_path: Path, emberline: Callable[..., Any], without: dict[str, str]
) -> None:
    done = emberline(
        "run", "iris_dnn", "--set", OTHER, "--workspace", tmp_path / "workspace", "--master", MASTER, env=without
    )
    assert done.code == 2, done.stderr[-3000:]
    assert "No module named 'tensorflowonspark'" in done.stderr
    assert "pip install 'emberline[tensorflowonspark]', or use --set training.launcher=barrier" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "workspace").glob("iris_dnn/*")), "no step was begun"


@pytest.mark.parametrize("missing", ["tensorflowonspark", "pkg_resources"])
def test_the_module_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """A setuptools without pkg_resources is the same to who asks: the extra brings the one that has it."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "tensorflowonspark"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(
        BadInputError, match=rf"{missing}.* Install it with pip install 'emberline\[tensorflowonspark\]'"
    ):
        require_launcher(training(launcher="tensorflowonspark"))


def test_who_does_not_use_it_is_not_asked_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflowonspark", None)
    require_launcher(training())
    require_launcher(training(mode="local", launcher="tensorflowonspark"))


def test_executors_without_it_are_an_input_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """As TensorFlowOnSpark reports a failed task: it exits the interpreter, and keeps the reason."""
    library = ModuleType("tensorflowonspark.TFCluster")

    def run(*_: Any, **__: Any) -> None:
        library.tf_status["error"] = "Job aborted ... ModuleNotFoundError: No module named 'tensorflowonspark'"
        sys.exit(1)

    library.__dict__.update(run=run, tf_status={}, InputMode=SimpleNamespace(TENSORFLOW=0))
    package = ModuleType("tensorflowonspark")
    package.TFCluster = library  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tensorflowonspark", package)
    node = Node("a.module", "{}", ("127.0.0.1", 1), "secret", ("chief",))
    with pytest.raises(
        BadInputError, match=r"An executor says: No module named 'tensorflowonspark'\. .* and on executors"
    ):
        launch(SimpleNamespace(sparkContext=None), node, lambda reason: None)
