"""The whole pipeline on a numeric label, and what a cross is worth."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from pyspark.sql import SparkSession

from emberline.features.dataset_version import open_version
from emberline.models.tabular import linear
from emberline.pipelines.datasets.tabular.houses import DATASET
from emberline.pipelines.etl import EtlResult, etl
from emberline.pipelines.evaluate import evaluate
from emberline.pipelines.evaluation.result import EvaluateResult
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.recipes.tabular.houses_crossed import LATITUDE, LONGITUDE
from emberline.pipelines.register import RegisterResult, register
from emberline.pipelines.score import ScoreResult, score
from emberline.pipelines.tracking import Tracker
from emberline.pipelines.train import train
from emberline.pipelines.training.assignment import Assignment
from emberline.pipelines.training.export import export
from emberline.pipelines.training.loop import Loop

SETTINGS = {"training.workers": "1", "training.epochs": "12"}


@dataclass(frozen=True)
class Run:
    """What every step of the pipeline returned."""

    raw: Path
    best: dict[str, float]
    prepared: EtlResult
    evaluated: EvaluateResult
    registered: RegisterResult
    predicted: ScoreResult


def train_here(
    spark: SparkSession, assignment: Assignment, *, on_event: Callable[[int, dict[str, Any]], None], **_: Any
) -> None:
    """What rank 0 does, in this process: the way to the cluster is the census tests' business."""
    recipe, version = assignment.recipe, open_version(assignment.dataset)
    strategy = tf.distribute.get_strategy()
    loop = Loop(recipe, version, assignment.output, strategy, 0, lambda event: on_event(0, event))
    export(recipe, version, loop.run(), f"{assignment.output}/model")


@pytest.fixture(scope="module")
def run(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """All steps of `houses_crossed` on its synthetic city."""
    folder = tmp_path_factory.mktemp("houses")
    raw, training = folder / "raw", str(folder / "training")
    recipe, tracker = load_recipe("houses_crossed", SETTINGS), Tracker(f"sqlite:///{folder}/mlflow.db")
    best = DATASET.generate(str(raw), seed=1).best
    prepared = etl(spark, recipe, str(raw), str(folder / "dataset"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("emberline.pipelines.train.train_on_cluster", train_here)
        train(spark, recipe, prepared.dataset, training, tracker)
    evaluated, registered = evaluate(spark, recipe, training, tracker), register(spark, recipe, training, tracker)
    model = f"models:/{registered.name}@champion"
    predicted = score(spark, recipe, model, str(raw), str(folder / "predictions"), tracker)
    return Run(raw, best, prepared, evaluated, registered, predicted)


def test_it_comes_close_to_the_best_achievable_error(run: Run) -> None:
    best, found = run.best, run.evaluated.metrics
    assert run.prepared.synthetic == {"best": best, "seed": 1}
    assert set(found) == {"rmse", "mae", "r2", "rows"}
    assert best["rmse"] < found["rmse"] < 1.1 * best["rmse"]
    assert best["mae"] < found["mae"] < 1.1 * best["mae"]
    assert found["r2"] > best["r2"] - 0.03
    assert run.registered.verdict.startswith("champion: the first with rmse")


def test_predictions_are_in_the_labels_unit(run: Run) -> None:
    table = pq.read_table(run.predicted.predictions)
    assert table.column_names == ["row", "prediction", "model_version", "scored_at"]
    known = dict(zip(table.column("row").to_pylist(), table.column("prediction").to_pylist(), strict=True))
    evaluated = pq.read_table(run.evaluated.scores)
    prediction, price = evaluated.column("prediction").to_numpy(), evaluated.column("price").to_numpy()
    error = prediction.astype(float) - price
    assert np.sqrt(np.mean(error**2)) == pytest.approx(run.evaluated.metrics["rmse"], rel=1e-6)
    scored = np.array([known[key] for key in evaluated.column("row").to_pylist()])
    np.testing.assert_allclose(scored, prediction, rtol=1e-5)


def test_the_statistics_describe_the_label(run: Run) -> None:
    version = open_version(run.prepared.dataset)
    prices = np.loadtxt(run.raw / "houses_train.csv", delimiter=",", skiprows=1)[:, 2]
    label = version.statistics.label
    assert label
    assert version.statistics.classes == ()
    assert label.mean == pytest.approx(prices.mean(), rel=1e-6)
    assert label.deviation == pytest.approx(prices.std(), rel=1e-6)


def test_the_cross_beats_its_two_columns_alone(run: Run, tmp_path: Path) -> None:
    """Latitude and longitude add up; only their cross knows a cell. Same data, same training, without the cross."""
    crossed = load_recipe("houses_crossed", SETTINGS)
    alone = dataclasses.replace(crossed, model=linear.Config(wide=(LATITUDE, LONGITUDE)))
    errors = {
        name: held_out_rmse(recipe, run.prepared.dataset, tmp_path / name)
        for name, recipe in (("crossed", crossed), ("alone", alone))
    }
    assert errors["crossed"] < 0.6 * errors["alone"], errors
    assert errors["crossed"] == pytest.approx(run.evaluated.metrics["rmse"], rel=1e-3), "one worker is one worker"


def held_out_rmse(recipe: Recipe, dataset: str, output: Path) -> float:
    events: list[dict[str, Any]] = []
    Loop(recipe, open_version(dataset), str(output), tf.distribute.get_strategy(), 0, events.append).run()
    return float(events[-1]["metrics"]["eval_rmse"])
