"""The recipe that is passed is the one that trains, wherever it was made."""

import importlib
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient
from pyspark.sql import SparkSession

from emberline.features.errors import BadInputError
from emberline.pipelines.cluster.gang import ClusterError
from emberline.pipelines.recipes import load_recipe, recipe_names
from emberline.pipelines.tracking import Tracker
from emberline.pipelines.train import train
from emberline.pipelines.training.assignment import Assignment


@pytest.fixture
def tracker(tmp_path: Path) -> Tracker:
    return Tracker(f"sqlite:///{tmp_path}/mlflow.db")


def test_every_recipe_arrives_as_it_was() -> None:
    for name in recipe_names():
        assignment = Assignment(recipe=load_recipe(name), dataset="file:///d", output="file:///o", threads=1)
        told = assignment.to_json()
        assert "\n" not in told
        assert Assignment.from_json(told) == assignment, name


def test_a_changed_recipe_trains_and_is_recorded(
    spark: SparkSession, flowers: str, tracker: Tracker, tmp_path: Path
) -> None:
    """Also one that is wider than any buffer between the driver and its children."""
    base = load_recipe("iris_dnn")
    changed = replace(base, source="x" * 3_000_000, training=replace(base.training, epochs=1, mode="local"))
    result = train(spark, changed, flowers, str(tmp_path / "training"), tracker)
    assert result.steps == 12_000 // 24
    run = MlflowClient(tracker.uri).get_run(result.run_id)
    assert run.data.params["training.epochs"] == "1"


def test_a_recipe_of_a_module_that_executors_do_not_have(
    spark: SparkSession, flowers: str, tracker: Tracker, tmp_path: Path
) -> None:
    (tmp_path / "settings_of_mine.py").write_text(
        "from dataclasses import dataclass\n"
        "from emberline.pipelines.recipe import Training\n"
        "@dataclass(frozen=True)\n"
        "class Mine(Training):\n"
        "    pass\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        module = importlib.import_module("settings_of_mine")
    assert str(tmp_path) not in sys.path, "children are given the driver's path"
    base = load_recipe("iris_dnn")
    training = replace(base.training, epochs=1, mode="local")
    mine = module.Mine(**{field.name: getattr(training, field.name) for field in fields(training)})
    with pytest.raises(BadInputError, match=r"needs the module 'settings_of_mine'.*emberline bundle.*py_files") as met:
        train(spark, replace(base, training=mine), flowers, str(tmp_path / "training"), tracker)
    assert isinstance(met.value, ClusterError)
    assert not met.value.transient, "another attempt would meet the same"


def test_what_cannot_travel_is_refused_on_the_driver(
    spark: SparkSession, flowers: str, tracker: Tracker, tmp_path: Path
) -> None:
    base = load_recipe("iris_dnn")
    with (tmp_path / "open").open("w") as file, pytest.raises(BadInputError, match=r"Recipe 'iris_dnn' cannot be sent"):
        Assignment(recipe=replace(base, source=file), dataset="d", output="o", threads=1).to_json()  # type: ignore[arg-type]
