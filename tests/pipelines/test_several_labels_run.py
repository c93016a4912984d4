"""Two labels of iris from raw files to predictions, through the command, on the flowers of scikit-learn's table."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn import metrics

from benchmarks.iris import split, write_split

pytestmark = pytest.mark.slow  # whole commands, one after the other


@pytest.fixture(scope="module")
def finished(emberline: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    folder = tmp_path_factory.mktemp("petals")
    write_split(str(folder / "raw"), split())
    done = emberline(
        "run", "iris_petals", "--input", folder / "raw", "--workspace", folder / "workspace",
        "--set", "training.mode=local", "--set", "training.epochs=40", "--set", "evaluation.slices=petal_length:3",
        "--set", "training.best_metric=eval_petal_width/rmse", "--master", "local[2]",
    )  # fmt: skip
    assert done.code == 0, done.stderr[-4000:]
    return done.result, folder


def local(uri: str) -> Path:
    return Path(uri.removeprefix("file://"))


def test_both_labels_are_stored_learned_and_measured(finished: tuple[dict[str, Any], Path]) -> None:
    summary, _ = finished
    features = json.loads((local(summary["dataset"]) / "features.json").read_text())
    assert [label["name"] for label in features["schema"]["more_labels"]] == ["petal_width"]
    _, _, species, _ = split()
    assert features["statistics"]["classes"] == np.bincount(species).tolist()
    widths = split()[0][:, 3]
    learned = features["statistics"]["more_labels"]["petal_width"]["label"]
    assert learned["mean"] == pytest.approx(widths.mean(), rel=1e-5)
    assert learned["deviation"] == pytest.approx(widths.std(), rel=1e-5)
    scores = pq.read_table(local(summary["training"]) / "evaluation" / "scores.parquet").to_pandas()
    assert summary["metrics"]["species/accuracy"] == pytest.approx((scores.species == scores.species_class).mean())
    assert summary["metrics"]["petal_width/rmse"] == pytest.approx(
        metrics.mean_squared_error(scores.petal_width, scores.petal_width_prediction) ** 0.5, rel=1e-5
    )
    assert summary["metrics"]["species/accuracy"] > 0.85
    assert summary["metrics"]["petal_width/rmse"] < 0.35, "its deviation is 0.76"


def test_the_gate_the_slices_and_the_page_go_by_label(finished: tuple[dict[str, Any], Path]) -> None:
    summary, _ = finished
    assert summary["model"]["alias"] == "champion"
    assert "petal_width/rmse" in summary["model"]["verdict"]
    found = json.loads((local(summary["training"]) / "evaluation.json").read_text())
    assert "petal_width/rmse" in found["smaller_is_better"]
    assert "species/accuracy" not in found["smaller_is_better"]
    assert set(found["slices"]["petal_length"]) == {"below 3", "3 and more"}
    assert all("petal_width/rmse" in values for values in found["slices"]["petal_length"].values())
    page = (local(summary["training"]) / "evaluation.html").read_text()
    assert "petal width/rmse" in page
    assert "Confusion matrix" in page
    assert "petal_width, " in page, "the drawing of its errors"


def test_predictions_carry_the_name_of_their_label(finished: tuple[dict[str, Any], Path]) -> None:
    summary, _ = finished
    predicted = pq.read_table(local(summary["predictions"])).to_pandas()
    wanted = {"species_class", "species_class_name", "species_score", "species_probabilities", "petal_width_prediction"}
    assert wanted <= set(predicted.columns)
    assert len(predicted) == summary["rows_scored"] == 150
    scores = pq.read_table(local(summary["training"]) / "evaluation" / "scores.parquet").to_pandas()
    both = pd.merge(scores, predicted, on="row", suffixes=("", "_scored"))
    assert len(both) >= len(scores)
    np.testing.assert_allclose(both.petal_width_prediction, both.petal_width_prediction_scored, atol=1e-5)


@pytest.mark.parametrize("source", ["tensorflow", "spark"])
def test_two_workers_learn_both_labels(
    finished: tuple[dict[str, Any], Path], emberline: Callable[..., Any], source: str
) -> None:
    """By shards and by the rows that Spark feeds: both labels reach the workers, and their losses are summed."""
    summary, folder = finished
    done = emberline(
        "train", "--pipeline", "iris_petals", "--dataset", summary["dataset"], "--output", folder / f"two-{source}",
        "--tracking-uri", f"sqlite:///{folder}/mlflow.db", "--set", "training.epochs=15", "--set", "training.workers=2",
        "--set", f"training.input={source}", "--master", "local[4]",
    )  # fmt: skip
    assert done.code == 0, done.stderr[-4000:]
    found = done.result["metrics"]
    assert found["eval_species/accuracy"] > 0.6
    assert found["eval_petal_width/rmse"] < 0.6, "its deviation is 0.76"
