"""The whole pipeline on a numeric label, and what a cross is worth."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from features.dataset_version import open_version
from models.tabular import linear
from pipelines.recipe import Recipe, load_recipe
from pipelines.recipes.houses_crossed import LATITUDE, LONGITUDE
from pipelines.training.loop import Loop

SETTINGS = {"training.workers": "1", "training.epochs": "12"}


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory, emberline) -> dict[str, Any]:
    """`emberline run houses_crossed` on its synthetic city, one worker."""
    settings = [part for key, value in SETTINGS.items() for part in ("--set", f"{key}={value}")]
    workspace = tmp_path_factory.mktemp("houses")
    finished = emberline("run", "houses_crossed", "--workspace", workspace, "--master", "local[2]", *settings)
    assert finished.code == 0, finished.stderr[-4000:]
    assert "best achievable rmse" in finished.stderr
    assert "eval_rmse" in finished.stderr
    return finished.result


def folder(uri: str) -> Path:
    return Path(uri.removeprefix("file://"))


def test_it_comes_close_to_the_best_achievable_error(summary: dict[str, Any]) -> None:
    best, found = summary["synthetic"]["best"], summary["metrics"]
    assert set(found) == {"rmse", "mae", "r2", "rows"}
    assert best["rmse"] < found["rmse"] < 1.1 * best["rmse"]
    assert best["mae"] < found["mae"] < 1.1 * best["mae"]
    assert found["r2"] > best["r2"] - 0.03
    assert summary["model"]["verdict"].startswith("champion: the first with rmse")


def test_predictions_are_in_the_labels_unit(summary: dict[str, Any]) -> None:
    table = pq.read_table(folder(summary["predictions"]))
    assert table.column_names == ["row", "prediction", "model_version", "scored_at"]
    known = dict(zip(table.column("row").to_pylist(), table.column("prediction").to_pylist(), strict=True))
    evaluated = pq.read_table(folder(summary["training"]) / "evaluation" / "scores.parquet")
    prediction, price = evaluated.column("prediction").to_numpy(), evaluated.column("price").to_numpy()
    error = prediction.astype(float) - price
    assert np.sqrt(np.mean(error**2)) == pytest.approx(summary["metrics"]["rmse"], rel=1e-6)
    scored = np.array([known[key] for key in evaluated.column("row").to_pylist()])
    np.testing.assert_allclose(scored, prediction, rtol=1e-5)


def test_the_statistics_describe_the_label(summary: dict[str, Any]) -> None:
    version = open_version(summary["dataset"])
    prices = np.loadtxt(
        folder(json.loads((folder(summary["dataset"]) / "manifest.json").read_text())["source"]["uri"])
        / "houses_train.csv",
        delimiter=",",
        skiprows=1,
    )[:, 2]
    label = version.statistics.label
    assert label
    assert version.statistics.classes == ()
    assert label.mean == pytest.approx(prices.mean(), rel=1e-6)
    assert label.deviation == pytest.approx(prices.std(), rel=1e-6)


def test_the_cross_beats_its_two_columns_alone(summary: dict[str, Any], tmp_path: Path) -> None:
    """Latitude and longitude add up; only their cross knows a cell. Same data, same training, without the cross."""
    crossed = load_recipe("houses_crossed", SETTINGS)
    alone = dataclasses.replace(crossed, model=linear.Config(wide=(LATITUDE, LONGITUDE)))
    errors = {name: held_out_rmse(recipe, summary["dataset"], tmp_path / name)
              for name, recipe in (("crossed", crossed), ("alone", alone))}  # fmt: skip
    assert errors["crossed"] < 0.6 * errors["alone"], errors
    assert errors["crossed"] == pytest.approx(summary["metrics"]["rmse"], rel=1e-3), "one worker is one worker"


def held_out_rmse(recipe: Recipe, dataset: str, output: Path) -> float:
    events: list[dict[str, Any]] = []
    Loop(recipe, open_version(dataset), str(output), tf.distribute.get_strategy(), 0, events.append).run()
    return float(events[-1]["metrics"]["eval_rmse"])
