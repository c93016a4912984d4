"""A project's loss, metric, optimizer and task, which recipes call by name: found, trained, evaluated and scored."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from emberline.features.columns import Numeric
from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.models.tabular import dnn
from emberline.pipelines.console.recipe_checks import built_weights
from emberline.pipelines.datasets.readers.named_table import NamedTable
from emberline.pipelines.recipe import Evaluation, Gate, Loss, Optimizer, Recipe, Training
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.tasks import require_fit, task_of
from emberline.pipelines.tracking import Tracker
from emberline.testing import check_recipe


@pytest.mark.parametrize("name", ["late", "rides.losses:late"])
def test_losses_and_optimizers_are_set_by_name(project: Path, name: str) -> None:
    recipe = load_recipe(
        "iris_dnn", {"training.loss": name, "training.optimizers.0.kind": name.replace("late", "slow_sgd")}
    )
    assert recipe.training.loss.named == "late"
    assert recipe.training.loss.kind(np.float32([2, 0]), np.float32([0, 2]), weight=5.0).numpy().tolist() == [10, 2]
    assert recipe.training.optimizers[0].name == "slow_sgd"
    # The recipe's identity follows the body of the function, not its name alone.
    assert "rides.losses:late@" in str(recipe.to_json()["training"]["loss"])


@pytest.mark.parametrize(
    ("network", "columns"), [("small", "petals"), ("rides.networks:SMALL", "rides.networks:PETALS")]
)
def test_networks_and_columns_are_set_by_name(project: Path, network: str, columns: str) -> None:
    recipe = load_recipe("iris_dnn", {"model": network, "model.units": "4"})
    assert recipe.to_json()["network"] == "rides.network"
    assert built_weights(recipe) == (2 + 1) * 4 + (4 + 1) * 1
    recipe = load_recipe("iris_dnn", {"model.deep": columns})
    assert [column.name for column in recipe.stored_columns] == ["petal_length", "petal_width"]
    assert built_weights(recipe) == (2 + 1) * 10 + 11 * 10 + 11 * 3


def test_metrics_are_named(project: Path) -> None:
    for name in ("bias", "rides.losses:BIAS"):
        (metric,) = Evaluation(metrics=(name,)).metrics
        assert metric.sums(np.array([1.0, 2.0]), np.array([2.0, 2.5])).tolist() == [1.5, 2]
    with pytest.raises(BadInputError, match=r"Unknown metric 'biass'\. Did you mean 'bias'\?"):
        Evaluation(metrics=("biass",))


def test_names_of_keras_come_first(project: Path) -> None:
    (project / "pyproject.toml").write_text(
        (project / "pyproject.toml").read_text().replace("late = ", "huber = ").replace("slow_sgd = ", "sgd = ")
    )
    assert Loss("huber").kind == "huber"
    assert Optimizer("SGD", 0.1).kind == "sgd"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"training.loss": "rides.losses:lat"}, r"has no 'lat'"),
        ({"training.loss": "nowhere:late"}, r"No module 'nowhere', for loss 'nowhere:late'"),
        ({"training.optimizers.0.kind": "rides.nothing:x"}, r"No module 'rides.nothing', for optimizer"),
        ({"training.optimizers.0.kind": "slow_sgdd"}, r"Unknown optimizer 'slow_sgdd'"),
        ({"model": "smal"}, r"Unknown network 'smal'\. Did you mean 'small'"),
        ({"model": "rides.network:Config"}, r"'rides.network:Config' is no network: its type is type"),
        ({"model": "petals"}, r"Unknown network 'petals'"),
        ({"model.deep": "petal"}, r"Unknown columns 'petal'\. Did you mean 'petals'"),
        ({"model.deep": "rides.networks:SMALL"}, r"is no tuple of columns: its type is Config"),
    ],
)
def test_a_wrong_name_is_told(project: Path, given: dict[str, str], message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        load_recipe("iris_dnn", given)


SCHEMA = Schema((Field("kilometres", "float"),), Label("minutes", purpose="range"), key="ride")
RECIPE = Recipe(
    name="range",
    source="a test",
    dataset=NamedTable("range", SCHEMA),
    model=dnn.Config((Numeric("kilometres", "zscore"),), hidden_units=(8,), outputs=2),
    training=Training((Optimizer("adam", 0.01),), epochs=60, global_batch=64),
    gate=Gate(),
)


def rides(count: int) -> pd.DataFrame:
    draw = np.random.default_rng(3)
    kilometres = draw.uniform(1, 20, count)
    minutes = 3 * kilometres + draw.normal(0, 4, count)
    split = np.where(np.arange(count) % 4 == 0, "eval", "train")
    return pd.DataFrame(
        {"ride": [f"r{n}" for n in range(count)], "kilometres": kilometres, "minutes": minutes, "split": split}
    )


@pytest.mark.parametrize("purpose", ["range", "rides.tasks:Range"])
def test_a_projects_task_is_in_the_label(project: Path, purpose: str) -> None:
    label = replace(SCHEMA.label, purpose=purpose)
    assert [column.name for column in task_of(label).columns] == ["low", "high"]
    require_fit(RECIPE, replace(SCHEMA, label=label))
    with pytest.raises(BadInputError, match="2 outputs"):
        require_fit(replace(RECIPE, model=replace(RECIPE.model, outputs=1)), replace(SCHEMA, label=label))  # type: ignore[type-var]


def test_an_unknown_task_is_told(project: Path) -> None:
    with pytest.raises(BadInputError, match=r"Unknown task 'rang'\. Did you mean 'range'\?"):
        task_of(Label("minutes", purpose="rang"))


def test_a_projects_task_from_rows_to_scores(spark: SparkSession, project: Path, tmp_path: Path) -> None:
    """Quantiles of known noise: of a normal deviation of 4 the middle four fifths are 10.25 wide."""
    from emberline.pipelines.etl import etl
    from emberline.pipelines.evaluate import evaluate
    from emberline.pipelines.train import train

    checked = check_recipe(spark, RECIPE, str(tmp_path / "checked"), rows=rides(200))
    assert {"low", "high"} <= set(pd.read_parquet(checked.predictions).columns)

    rides(2000).to_parquet(tmp_path / "rides.parquet")
    tracker = Tracker(f"sqlite:///{tmp_path}/mlflow.db")
    version = etl(spark, RECIPE, str(tmp_path / "rides.parquet"), str(tmp_path / "dataset"))
    small = replace(RECIPE, training=replace(RECIPE.training, mode="local", workers=1))
    trained = train(spark, small, version.dataset, str(tmp_path / "training"), tracker)
    assert trained.metrics["eval_inside"] == pytest.approx(0.8, abs=0.07)
    assert trained.metrics["eval_width"] == pytest.approx(2 * 1.2816 * 4, rel=0.15)
    judged = evaluate(spark, small, trained.training, tracker)
    assert judged.metrics["inside"] == pytest.approx(trained.metrics["eval_inside"])
    assert judged.metrics["width"] == pytest.approx(trained.metrics["eval_width"], rel=1e-4)
